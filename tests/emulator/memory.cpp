// Device and pinned memory. New memory is all ones, so that floats are NaNs; guard bytes lie on
// both sides; freed memory is all ones again and rests in quarantine, where a late write to it
// shows.

#include <sys/mman.h>

#include <cstring>
#include <deque>
#include <map>

#include "runtime.h"

std::recursive_mutex device_lock;
thread_local std::string last_error;

namespace {

constexpr size_t ALIGNMENT = 512, GUARD = 512, QUARANTINE = 64 << 20;
constexpr unsigned char NEW_BYTE = 0xff;

struct Allocation {
    char* raw;
    size_t size, raw_size;
    Kind kind;
    bool freed;
};

std::map<const char*, Allocation> allocations;  // by the start of their data
std::deque<std::pair<char*, Allocation>> quarantine;
std::vector<std::string> kept_errors;
size_t total_memory = size_t(8) << 30, used_memory = 0, quarantined = 0, freed = 0;

// 0xfff5, again and again: who reads guards as floats or doubles sees NaNs, but other ones than in
// new memory.
unsigned char guard_byte(const char* place)
{
    return reinterpret_cast<uintptr_t>(place) % 2 ? 0xff : 0xf5;
}

UNCHECKED bool is_guard(const char* start, size_t size)
{
    bool same = true;
    for (const char* place = start; place < start + size; ++place)
        same &= static_cast<unsigned char>(*place) == guard_byte(place);
    return same;
}

UNCHECKED bool is_new(const char* start, size_t size)
{
    bool same = true;
    for (size_t i = 0; i < size; ++i)
        same &= static_cast<unsigned char>(start[i]) == NEW_BYTE;
    return same;
}

void set_guard(char* start, size_t size)
{
    for (char* place = start; place < start + size; ++place)
        *place = char(guard_byte(place));
}

void poison(const char* start, size_t size, bool on)
{
#if SANITIZED
    if (on)
        __asan_poison_memory_region(start, size);
    else
        __asan_unpoison_memory_region(start, size);
#else
    (void)start, (void)size, (void)on;
#endif
}

char* data_of(const Allocation& a) { return a.raw + GUARD; }

void set_guards(const Allocation& a)
{
    char* data = data_of(a);
    poison(a.raw, a.raw_size, false);
    set_guard(a.raw, GUARD);
    set_guard(data + a.size, a.raw_size - GUARD - a.size);
    poison(a.raw, GUARD, true);
    poison(data + a.size, a.raw_size - GUARD - a.size, true);
}

void check_guard(const Allocation& a, const std::string& what)
{
    const char* data = data_of(a);
    const bool before = is_guard(a.raw, GUARD),
               behind = is_guard(data + a.size, a.raw_size - GUARD - a.size);
    if (before && behind)
        return;
    set_guards(a);
    throw Error(FAILED, what + "the memory " + (before ? "behind" : "before") + " an array of " +
                            std::to_string(a.size) + " bytes has been overwritten");
}

void check_quarantined(const char* data, const Allocation& a)
{
    if (!is_new(data, a.size)) {
        poison(data, a.size, false);
        memset(const_cast<char*>(data), NEW_BYTE, a.size);
        throw Error(FAILED, "freed memory has been written to: an array of " +
                    std::to_string(a.size) + " bytes");
    }
}

// The entry whose data contain the pointer. An empty array contains its start.
std::map<const char*, Allocation>::iterator find(const void* pointer)
{
    auto found = allocations.upper_bound(static_cast<const char*>(pointer));
    if (found == allocations.begin())
        return allocations.end();
    --found;
    const size_t offset = size_t(static_cast<const char*>(pointer) - found->first);
    return offset < found->second.size || offset == 0 ? found : allocations.end();
}

template <class F>
void keep_errors_of(F work)
{
    try {
        work();
    } catch (const Error& error) {
        keep_error(error.what());
    }
}

void return_memory(const Allocation& a)
{
    poison(a.raw, a.raw_size, false);
    munmap(a.raw, a.raw_size);
}

void dispose(std::map<const char*, Allocation>::iterator entry)
{
    const Allocation a = entry->second;
    --freed;
    keep_errors_of([&] { check_guard(a, ""); });
    allocations.erase(entry);
    used_memory -= a.kind == DEVICE ? a.size : 0;
    if (a.size > QUARANTINE / 4)
        return return_memory(a);
    memset(data_of(a), NEW_BYTE, a.size);
    poison(data_of(a), a.size, true);
    quarantine.emplace_back(data_of(a), a);
    quarantined += a.size;
    while (quarantined > QUARANTINE) {
        keep_errors_of([&] { check_quarantined(quarantine.front().first,
                                               quarantine.front().second); });
        quarantined -= quarantine.front().second.size;
        return_memory(quarantine.front().second);
        quarantine.pop_front();
    }
}

char* allocate(size_t size, Kind kind)
{
    if (kind == DEVICE && used_memory + size > total_memory)
        run_everything();
    if (kind == DEVICE && used_memory + size > total_memory)
        throw Error(OUT_OF_MEMORY, "Out of memory allocating " + std::to_string(size) +
                    " bytes (allocated so far: " + std::to_string(used_memory) + " bytes).");
    Allocation a;
    a.size = size;
    a.raw_size = GUARD + (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + GUARD;
    a.kind = kind;
    a.freed = false;
    void* raw = mmap(nullptr, a.raw_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                     0);
    if (raw == MAP_FAILED)
        throw Error(OUT_OF_MEMORY,
                    "the host has no memory for an array of " + std::to_string(size) + " bytes");
    a.raw = static_cast<char*>(raw);
    memset(data_of(a), NEW_BYTE, size);
    set_guards(a);
    allocations[data_of(a)] = a;
    used_memory += kind == DEVICE ? size : 0;
    return data_of(a);
}

}  // namespace

void keep_error(const std::string& text) { kept_errors.push_back(text); }

void forget_errors() { kept_errors.clear(); }

bool is_live(Span span, Kind kind)
{
    const auto found = find(span.start);
    return found != allocations.end() && !found->second.freed && found->second.kind == kind &&
           static_cast<const char*>(span.start) + span.size <= found->first + found->second.size;
}

void check_live(const std::vector<Span>& spans, const std::string& what)
{
    for (const Span& span : spans)
        if (!is_live(span, DEVICE) && !is_live(span, PINNED))
            throw Error(FAILED,
                        what + " touches memory that is not the device's, too short, or freed");
}

Span whole(const void* pointer)
{
    const auto found = find(pointer);
    return found == allocations.end() ? Span{nullptr, 0} : Span{found->first, found->second.size};
}

void check_guards(const std::vector<Span>& spans, const std::string& what)
{
    for (const Span& span : spans) {
        const auto found = find(span.start);
        if (found != allocations.end())
            check_guard(found->second, what);
    }
}

void dispose_of_freed()
{
    for (auto entry = allocations.begin(); freed && entry != allocations.end();) {
        const auto next = std::next(entry);
        if (entry->second.freed)
            dispose(entry);
        entry = next;
    }
}

extern "C" {

const char* emulator_error() { return last_error.c_str(); }

int emulator_allocate(size_t size, int kind, void** data)
{
    return guarded([&] {
        refuse_in_capture("an allocation");
        *data = allocate(size, Kind(kind));
    });
}

// Queued or recorded work may still use the memory, so it stays until that has run. New work may
// not use it.
int emulator_free(void* data)
{
    return guarded([&] {
        const auto found = allocations.find(static_cast<const char*>(data));
        if (found == allocations.end() || found->second.freed)
            throw Error(FAILED, "memory is freed twice, or was never allocated");
        found->second.freed = true;
        ++freed;
        if (is_idle())
            dispose(found);
    });
}

int emulator_check()
{
    return guarded([] {
        for (const auto& entry : allocations)
            check_guard(entry.second, "");
        for (const auto& entry : quarantine)
            check_quarantined(entry.first, entry.second);
        if (kept_errors.empty())
            return;
        const std::string text = kept_errors.front();
        kept_errors.clear();
        throw Error(FAILED, text);
    });
}

void emulator_set_memory(size_t total) { total_memory = total; }

void emulator_memory(size_t* available, size_t* total)
{
    *total = total_memory;
    *available = total_memory > used_memory ? total_memory - used_memory : 0;
}
}
