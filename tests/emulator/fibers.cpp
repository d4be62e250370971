// A CUDA thread is a fiber: a stack of its own, entered and left by _setjmp and _longjmp
// (swapcontext would make a system call each time). A fiber that waits hands over to the next lane
// of its warp, the last to the scheduler.

#include "fibers.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <memory>

Size emulator_thread;

namespace {

constexpr size_t STACK = SANITIZED ? 256 << 10 : 64 << 10;

struct Context {
    jmp_buf registers;
    bool started = false;
    const void* stack = nullptr;
    size_t size = STACK;
    void* fake_stack = nullptr;  // AddressSanitizer's
};

Context scheduler;
Context contexts[MOST_THREADS];
Context* current = &scheduler;
Context* previous = &scheduler;
unsigned line_up[WARP];  // the lanes that run now, one after the other
unsigned place, places;
void (*body)();

void new_stack(Context& context)
{
    const size_t guard = size_t(sysconf(_SC_PAGESIZE));
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* memory = mmap(nullptr, guard + STACK, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, guard, PROT_NONE))
        throw Error(FAILED, "there is no memory for the stack of another fiber");
    context.stack = static_cast<char*>(memory) + guard;
    // Tops at different distances from a page's end, or all stacks would share the same few lines
    // of the cache.
    context.size = STACK - size_t(&context - contexts) % 32 * 128;
}

void arrive()  // what has just been switched to calls it first
{
#if SANITIZED
    const void* stack;
    size_t size;
    __sanitizer_finish_switch_fiber(current->fake_stack, &stack, &size);
    if (previous == &scheduler) {
        scheduler.stack = stack;
        scheduler.size = size;
    }
#endif
}

void run_forever();

__attribute__((noinline)) void start(Context& context)
{
    static ucontext_t fresh;
    getcontext(&fresh);
    fresh.uc_stack.ss_sp = const_cast<void*>(context.stack);
    fresh.uc_stack.ss_size = context.size;
    fresh.uc_link = nullptr;
    makecontext(&fresh, run_forever, 0);
    context.started = true;
    setcontext(&fresh);
}

__attribute__((noinline)) void enter(Context& to)
{
    previous = current;
    current = &to;
    if (_setjmp(previous->registers) == 0) {
#if SANITIZED
        __sanitizer_start_switch_fiber(&previous->fake_stack, to.stack, to.size);
#endif
        if (to.started)
            _longjmp(to.registers, 1);
        start(to);
    }
    arrive();
}

void enter_next()
{
    if (place == places)
        return enter(scheduler);
    const unsigned thread = line_up[place++];
    emulator_thread = threads[thread].index;
    enter(contexts[thread]);
}

void run_forever()
{
    arrive();
    for (;;) {
        body();
        threads[current - contexts].state = ENDED;
        enter_next();
    }
}

}  // namespace

Thread threads[MOST_THREADS];

unsigned running() { return unsigned(current - contexts); }

void wait_in(State state)
{
    threads[running()].state = state;
    enter_next();
}

void run_fibers(const unsigned* numbers, unsigned count, void (*work)())
{
    for (unsigned i = 0; i < count; ++i) {
        line_up[i] = numbers[i];
        if (!contexts[numbers[i]].stack)
            new_stack(contexts[numbers[i]]);
    }
    body = work;
    place = 0;
    places = count;
    scheduler.started = true;
    enter_next();
}

void abandon_fibers()
{
    for (Context& context : contexts)
        context.started = false;
}
