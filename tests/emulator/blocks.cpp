// The blocks of a launch run one after the other. Within a block, warp after warp runs until each
// of its lanes waits or has ended, so that one warp gets as far ahead of the others as the
// barriers allow. Thread order 0: ascending; 1: descending; others: seeds of shuffles, in which
// warps also overtake each other.

#include <algorithm>
#include <cstring>
#include <numeric>

#if FLUSH_TO_ZERO
#include <xmmintrin.h>
#endif

#include "fibers.h"

uint64_t thread_order = 0;
Size emulator_block, emulator_block_size, emulator_grid_size;

namespace {

constexpr size_t MOST_SHARED = (48 << 10) + 64;  // CUDA's limit, and the anchor of cuda.h

const Launch* launch;
std::vector<void*> arguments;
uint64_t random_state;

size_t random_below(size_t n)  // splitmix64
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % n;
}

template <class T>
void arrange(T* items, size_t n)  // given in ascending order
{
    if (thread_order == 1)
        std::reverse(items, items + n);
    for (size_t i = n; thread_order > 1 && i > 1; --i)
        std::swap(items[i - 1], items[random_below(i)]);
}

// CuPy hands its compiler -ftz=true. The fibers share the register with who starts them.
struct Flushing {
#if FLUSH_TO_ZERO
    static constexpr unsigned RESULTS = 1 << 15, OPERANDS = 1 << 6;
    const unsigned before = _mm_getcsr();
    Flushing() { _mm_setcsr(before | RESULTS | OPERANDS); }
    ~Flushing() { _mm_setcsr(before); }
#else
    Flushing() {}
#endif
};

void run_thread() { launch->call(arguments.data()); }

std::string text(Size s)
{
    return "(" + std::to_string(s.x) + ", " + std::to_string(s.y) + ", " + std::to_string(s.z) +
           ")";
}

std::string doing(unsigned t)
{
    const Thread& thread = threads[t];
    const std::string who = "thread " + text(thread.index);
    if (thread.state == ENDED)
        return who + " has ended";
    const char* what = thread.state == AT_BARRIER ? "the barrier" : "the warp's exchange";
    return who + " waits at " + what + " in " + thread.file + ":" + std::to_string(thread.line);
}

[[noreturn]] void diverged(const char* what, unsigned t, const std::string& other)
{
    throw Error(FAILED, std::string(what) + " in kernel " + launch->name + ", block " +
                text(emulator_block) + ": " + doing(t) + ", but " + other);
}

bool same_place(const Thread& a, const Thread& b)
{
    if (a.state != b.state || a.state == ENDED)
        return a.state == b.state;
    return a.line == b.line && (a.file == b.file || strcmp(a.file, b.file) == 0);
}

// Lets the lanes of one shuffle exchange their bits, if all of its mask have come.
bool exchange(unsigned first, unsigned last, unsigned t)
{
    const unsigned mask = threads[t].mask;
    for (unsigned lane = 0; lane < WARP; ++lane) {
        if (!(mask >> lane & 1))
            continue;
        const unsigned other = first + lane;
        if (other >= last || threads[other].mask != mask ||
            !same_place(threads[t], threads[other]))
            return false;
    }
    uint64_t brought[WARP];
    for (unsigned lane = 0; lane < WARP; ++lane)
        brought[lane] = mask >> lane & 1 ? threads[first + lane].bits : ~uint64_t(0);
    for (unsigned lane = 0; lane < WARP; ++lane)
        if (mask >> lane & 1) {
            threads[first + lane].bits = brought[threads[first + lane].source % WARP];
            threads[first + lane].state = READY;
        }
    return true;
}

[[noreturn]] void shuffle_diverged(unsigned first, unsigned last, unsigned t)
{
    for (unsigned lane = 0; lane < WARP; ++lane) {
        const unsigned other = first + lane;
        if (!(threads[t].mask >> lane & 1))
            continue;
        if (other >= last)
            diverged("divergent shuffle", t,
                     "the block lacks lane " + std::to_string(lane) + " of its mask");
        if (threads[other].mask != threads[t].mask || !same_place(threads[t], threads[other]))
            diverged("divergent shuffle", t, doing(other) +
                     (threads[other].mask == threads[t].mask ? "" : ", with another mask"));
    }
    diverged("divergent shuffle", t, "the emulator does not know why");
}

// Runs one warp as far as it gets. True if some of its lanes can go on.
bool run_warp(unsigned warp, unsigned n)
{
    const unsigned first = warp * WARP, last = std::min(first + WARP, n);
    unsigned ready[WARP], count = 0;
    for (unsigned t = first; t < last; ++t)
        if (threads[t].state == READY)
            ready[count++] = t;
    arrange(ready, count);
    run_fibers(ready, count, run_thread);

    bool more = false;
    unsigned stuck = n;
    for (unsigned t = first; t < last; ++t)
        if (threads[t].state == IN_SHUFFLE) {
            if (exchange(first, last, t))
                more = true;
            else
                stuck = t;
        } else if (threads[t].state == READY)
            more = true;
    if (stuck < n && !more)
        shuffle_diverged(first, last, stuck);
    return more;
}

void check_barrier(unsigned n)  // that all wait at one
{
    unsigned t = 0;
    while (threads[t].state != AT_BARRIER)
        ++t;
    for (unsigned other = 0; other < n; ++other)
        if (!same_place(threads[t], threads[other]))
            diverged("divergent barrier", t, doing(other));
}

void run_block(unsigned n)
{
    const unsigned warps = (n + WARP - 1) / WARP;
    unsigned runnable[MOST_THREADS / WARP];
    for (unsigned t = 0; t < n; ++t)
        threads[t].state = READY;
    do {
        std::iota(runnable, runnable + warps, 0);
        std::reverse(runnable, runnable + warps);  // the last of them runs first
        arrange(runnable, warps);
        for (unsigned count = warps; count;) {
            if (thread_order > 1)
                std::swap(runnable[random_below(count)], runnable[count - 1]);
            if (!run_warp(runnable[count - 1], n))
                --count;
        }
        if (std::all_of(threads, threads + n,
                        [](const Thread& thread) { return thread.state == ENDED; }))
            return;
        check_barrier(n);
        for (unsigned t = 0; t < n; ++t)
            threads[t].state = READY;
    } while (true);
}

Size at(size_t i, Size size)
{
    return {unsigned(i % size.x), unsigned(i / size.x % size.y), unsigned(i / size.x / size.y)};
}

}  // namespace

extern "C" {

unsigned emulator_lane() { return running() % WARP; }

void emulator_barrier(const char* file, int line)
{
    Thread& me = threads[running()];
    me.file = file;
    me.line = line;
    wait_in(AT_BARRIER);
}

uint64_t emulator_shuffle(const char* file, int line, unsigned mask, unsigned source,
                          uint64_t bits)
{
    Thread& me = threads[running()];
    me.file = file;
    me.line = line;
    me.mask = mask;
    me.source = source;
    me.bits = bits;
    wait_in(IN_SHUFFLE);
    return me.bits;
}
}

void run_kernel(Launch& work)
{
    launch = &work;
    random_state = thread_order;
    arguments.clear();
    for (uint64_t& value : work.values)
        arguments.push_back(&value);
    const Size block = emulator_block_size = work.block, grid = emulator_grid_size = work.grid;
    const unsigned n = block.x * block.y * block.z;
    for (unsigned t = 0; t < n; ++t)
        threads[t].index = at(t, block);
    std::vector<unsigned> blocks(size_t(grid.x) * grid.y * grid.z);
    std::iota(blocks.begin(), blocks.end(), 0);
    arrange(blocks.data(), blocks.size());
    char* shared;
    size_t shared_size;
    work.shared(&shared, &shared_size);
    if (shared_size > MOST_SHARED)
        throw Error(FAILED, work.name + " has more than 48 KiB of shared memory: " +
                    std::to_string(shared_size));
    const Flushing flushing;
    for (unsigned b : blocks) {
        emulator_block = at(b, grid);
        std::fill(shared, shared + shared_size, char(0xff));
        try {
            run_block(n);
        } catch (...) {
            abandon_fibers();
            throw;
        }
    }
}
