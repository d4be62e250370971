// A stream's queue, for those who add to it (streams.cpp, graphs.cpp).

#pragma once
#include <deque>
#include <set>
#include <thread>

#include "runtime.h"

struct Stream {
    std::deque<Op> queue;
    uint64_t submitted = 0, done = 0;  // counts of ops
    bool capturing = false, spoiled = false;
    // whether a capture forbids calls by all threads, or by the one that began it
    bool everywhere = true;
    std::thread::id by;
    std::vector<Op> captured;
};

constexpr const char* INVALIDATED =
    "cudaErrorStreamCaptureInvalidated: operation failed due to a previous error during capture";

extern std::set<Stream*> streams;
Stream* own(Stream* stream, const std::string& what);      // raises unless it is one of them
void run_until(Stream* stream, uint64_t position);
// raises, and their end will raise as well
[[noreturn]] void spoil_captures(const std::string& what);
