"""Work that waits in streams, and graphs of it."""

import numpy as np
import pytest

import emulator
from emulator.launching import COPY, compiled, on_device, run


def test_work_runs_when_somebody_waits_for_it(cupy, stream):
    x = on_device(cupy, np.zeros(5, np.float32))
    stream.synchronize()
    run(compiled(cupy, COPY, "add"), 1, 32, x, np.float32(1), np.int32(5))
    with cupy.cuda.Stream.null:
        assert np.array_equal(x.get(), np.zeros(5))
    with cupy.cuda.Stream(non_blocking=True):
        assert np.array_equal(x.get(), np.zeros(5))
    assert np.array_equal(x.get(), np.ones(5))


def test_pinned_memory_is_read_when_the_copy_runs_other_memory_at_once(cupy, stream):
    runtime = cupy.cuda.runtime
    memory = cupy.cuda.alloc_pinned_memory(20)
    pinned, plain = np.frombuffer(memory, np.float32, 5), np.zeros(5, np.float32)
    pinned[:] = 0
    arrays = [cupy.empty(5, np.float32) for _ in range(2)]
    for host, array in zip((pinned, plain), arrays, strict=True):
        runtime.memcpyAsync(
            array.data.ptr, host.ctypes.data, 20, runtime.memcpyHostToDevice, stream.ptr
        )
        host[:] = 7
    assert np.array_equal([array.get()[0] for array in arrays], [7, 0])
    assert memory.ptr == pinned.ctypes.data
    runtime.memsetAsync(arrays[0].data.ptr, 0, 20, stream.ptr)
    runtime.memcpyAsync(
        pinned.ctypes.data, arrays[0].data.ptr, 20, runtime.memcpyDeviceToHost, stream.ptr
    )
    assert pinned[0] == 7
    runtime.memcpyAsync(
        plain.ctypes.data, arrays[0].data.ptr, 20, runtime.memcpyDeviceToHost, stream.ptr
    )
    assert pinned[0] == plain[0] == 0


def test_an_event_waits_for_what_came_before_it(cupy, stream):
    add = compiled(cupy, COPY, "add")
    x = on_device(cupy, np.zeros(5, np.float32))
    events = [cupy.cuda.Event() for _ in range(2)]
    events[0].synchronize()  # never recorded: nothing to wait for
    for event in events:
        run(add, 1, 32, x, np.float32(1), np.int32(5))
        event.record(stream)
    events[0].synchronize()
    with cupy.cuda.Stream.null:
        assert x.get()[0] == 1
    with pytest.raises(RuntimeError, match="NotReady"):
        cupy.cuda.get_elapsed_time(*events)
    events[1].synchronize()
    assert x.get()[0] == 2
    assert 0 <= cupy.cuda.get_elapsed_time(*events) < 1000


def test_memory_freed_while_work_is_queued_stays_until_it_has_run(cupy, stream):
    x, y = on_device(cupy, np.ones(5, np.float32)), cupy.empty(5, np.float32)
    run(compiled(cupy, COPY, "copy"), 1, 32, y, x, np.int32(5))
    before = cupy.cuda.runtime.memGetInfo()[0]
    del x
    assert cupy.cuda.runtime.memGetInfo()[0] == before
    assert np.array_equal(y.get(), np.ones(5))
    assert cupy.cuda.runtime.memGetInfo()[0] == before + 20


def test_the_null_stream_is_refused(cupy):
    x = cupy.empty(5, np.float32)
    with pytest.raises(RuntimeError, match="null stream"):
        run(compiled(cupy, COPY, "add"), 1, 32, x, np.float32(1), np.int32(5))


def test_a_capture_records_and_a_graph_sees_the_memory_of_its_time(cupy, stream):
    add, copied = compiled(cupy, COPY, "add"), compiled(cupy, COPY, "copy")
    x, y = on_device(cupy, np.zeros(5, np.float32)), on_device(cupy, np.zeros(5, np.float32))
    constant = np.float32(1)
    stream.synchronize()
    stream.begin_capture()
    assert stream.is_capturing()
    run(add, 1, 32, x, constant, np.int32(5))
    run(copied, 1, 32, y, x, np.int32(5))
    graph = stream.end_capture()
    constant += np.float32(1)  # frozen in the graph as it was
    assert not stream.is_capturing()
    assert x.get()[0] == y.get()[0] == 0
    graph.launch()
    assert x.get()[0] == y.get()[0] == 1
    run(add, 1, 32, x, np.float32(10), np.int32(5))
    graph.launch(stream)
    assert x.get()[0] == y.get()[0] == 12
    assert [launch.captured for launch in emulator.log] == [True, True, False]
    assert emulator.log.graph_launches == 2


REFUSED = {
    "synchronize": lambda cupy, stream, x: stream.synchronize(),
    "empty": lambda cupy, stream, x: cupy.empty(3),
    "pinned": lambda cupy, stream, x: cupy.cuda.alloc_pinned_memory(3),
    "pageable": lambda cupy, stream, x: on_device(cupy, np.ones(3)),
    "copy": lambda cupy, stream, x: cupy.cuda.runtime.memcpyAsync(
        x.data.ptr,
        np.ones(5, np.float32).ctypes.data,
        20,
        cupy.cuda.runtime.memcpyHostToDevice,
        stream.ptr,
    ),
    "record": lambda cupy, stream, x: cupy.cuda.Event().record(stream),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_capture_ends_in_an_error_after_what_it_forbids(cupy, stream, name):
    x = cupy.empty(5, np.float32)
    stream.begin_capture()
    with pytest.raises(
        cupy.cuda.runtime.CUDARuntimeError, match="not permitted when stream is capturing"
    ):
        REFUSED[name](cupy, stream, x)
    with pytest.raises(cupy.cuda.driver.CUDADriverError, match="previous error during capture"):
        run(compiled(cupy, COPY, "add"), 1, 32, x, np.float32(1), np.int32(5))
    with pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match="previous error during capture"):
        stream.end_capture()
    stream.synchronize()


def test_get_is_refused_while_its_stream_is_recorded(cupy, stream):
    x = cupy.empty(5, np.float32)
    stream.begin_capture()
    with pytest.raises(RuntimeError, match="while it is capturing") as caught:
        x.get()
    assert type(caught.value) is RuntimeError
    stream.end_capture()


def test_a_graph_of_freed_memory_is_refused(cupy, stream):
    x = cupy.empty(5, np.float32)
    stream.begin_capture()
    run(compiled(cupy, COPY, "add"), 1, 32, x, np.float32(1), np.int32(5))
    graph = stream.end_capture()
    del x
    with pytest.raises(RuntimeError, match="a graph touches memory that is not"):
        graph.launch()


def test_copies_and_fills_are_recorded(cupy, stream):
    runtime, x, y = (
        cupy.cuda.runtime,
        on_device(cupy, np.ones(5, np.float32)),
        cupy.empty(5, np.float32),
    )
    stream.synchronize()
    stream.begin_capture()
    runtime.memcpyAsync(y.data.ptr, x.data.ptr, 20, runtime.memcpyDeviceToDevice, stream.ptr)
    runtime.memsetAsync(x.data.ptr, 0, 20, stream.ptr)
    graph = stream.end_capture()
    graph.launch()
    assert x.get()[0] == 0 and y.get()[0] == 1
