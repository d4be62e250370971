"""What a call costs: processor seconds, and memory at its highest."""

import gc
import time
import tracemalloc


def cost(call):
    """(seconds, bytes) of a call, which is made twice: it is slower while memory is counted.

    The seconds are its own: frozen, the objects of the tests before it are not searched again each
    time that the collector runs within the call."""
    gc.collect()
    gc.freeze()
    try:
        start = time.process_time()
        call()
        seconds = time.process_time() - start
    finally:
        gc.unfreeze()
    tracemalloc.start()
    try:
        call()
        return seconds, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def cheap(call, allowed=50e6):
    """At most a second and 50 MB, and what else is allowed."""
    seconds, peak = cost(call)
    assert seconds < 1 and peak < allowed, (seconds, peak)
