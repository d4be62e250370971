// CUDA threads as fibers (fibers.cpp), and how a block of them is scheduled (blocks.cpp).

#pragma once
#include "runtime.h"

constexpr unsigned WARP = 32, MOST_THREADS = 1024;

enum State { READY, AT_BARRIER, IN_SHUFFLE, ENDED };

struct Thread {
    Size index;
    State state;
    const char* file;  // where it waits
    int line;
    unsigned mask, source;  // of a shuffle
    uint64_t bits;
};

extern Thread threads[MOST_THREADS];

unsigned running();
// suspends the running thread, until run_fibers is called with it again
void wait_in(State state);
// each until it waits or has ended
void run_fibers(const unsigned* numbers, unsigned count, void (*work)());
void abandon_fibers();      // those that wait will start anew
