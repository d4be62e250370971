// What the parts of the emulated device share.

#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SANITIZED 1
#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))
#else
#define SANITIZED 0
#define UNCHECKED
#endif

enum Status { SUCCESS = 0, FAILED = 1, OUT_OF_MEMORY = 2, CUDA_ERROR = 3 };

struct Error : std::runtime_error {
    Status status;
    Error(Status status, const std::string& text) : std::runtime_error(text), status(status) {}
};

extern std::recursive_mutex device_lock;
extern thread_local std::string last_error;

// Runs one entry from Python or ctypes: alone, and with exceptions turned into a status and a
// text.
template <class F>
int guarded(F work)
{
    std::lock_guard<std::recursive_mutex> lock(device_lock);
    try {
        work();
        return SUCCESS;
    } catch (const std::exception& error) {
        last_error = error.what();
        const Error* known = dynamic_cast<const Error*>(&error);
        return known ? known->status : FAILED;
    }
}

// memory.cpp

enum Kind { DEVICE, PINNED };

struct Span {  // bytes that work touches
    const void* start;
    size_t size;
};

// wholly in one allocation of that kind that has not been freed
bool is_live(Span span, Kind kind);
void check_live(const std::vector<Span>& spans, const std::string& what);
void check_guards(const std::vector<Span>& spans, const std::string& what);
Span whole(const void* pointer);  // the allocation that contains a pointer, or {nullptr, 0}
void dispose_of_freed();

// streams.cpp

struct Op {  // work for a stream
    std::function<void()> run;
    std::vector<Span> spans;
    uint64_t order;
};

struct Stream;
void submit(Stream* stream, std::function<void()> run, std::vector<Span> spans,
            const std::string& what);
bool is_capturing(const Stream* stream);
bool is_idle();  // no stream has work or captures
void run_everything();
void refuse_in_capture(const std::string& what);
void keep_error(const std::string& text);  // of what cannot raise; the next check does
void forget_errors();

// blocks.cpp

struct Size {
    unsigned x, y, z;
};

struct Launch {
    std::string name;
    void (*call)(void** arguments);
    void (*shared)(char** start, size_t* size);
    Size grid, block;
    std::vector<uint64_t> values;  // one for each argument, in its first bytes
};

extern uint64_t thread_order;  // of blocks and threads: see blocks.cpp
void run_kernel(Launch& launch);
