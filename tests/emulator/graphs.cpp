// Graphs and events: work that is recorded, and moments in a stream.

#include <chrono>
#include <memory>

#include "streams.h"

namespace {

struct Graph {
    std::shared_ptr<std::vector<Op>> ops;
};

struct Stamp {
    bool happened;
    double seconds;
};

struct Event {
    Stream* stream = nullptr;
    uint64_t position = 0;         // in its stream
    std::shared_ptr<Stamp> stamp;  // of the last record
};

double now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace

extern "C" {

int emulator_begin_capture(Stream* stream, int everywhere)
{
    return guarded([&] {
        if (own(stream, "a capture")->capturing)
            spoil_captures("beginning a capture");
        stream->capturing = true;
        stream->everywhere = everywhere;
        stream->by = std::this_thread::get_id();
    });
}

int emulator_end_capture(Stream* stream, Graph** graph)
{
    return guarded([&] {
        if (!own(stream, "a capture")->capturing)
            throw Error(CUDA_ERROR, "cudaErrorIllegalState: the stream is not capturing");
        const bool spoiled = stream->spoiled;
        const auto ops = std::make_shared<std::vector<Op>>(std::move(stream->captured));
        stream->captured.clear();
        stream->capturing = stream->spoiled = false;
        if (is_idle())
            dispose_of_freed();
        if (spoiled)
            throw Error(CUDA_ERROR, INVALIDATED);
        *graph = new Graph{ops};
    });
}

int emulator_is_capturing(const Stream* stream) { return is_capturing(stream); }

int emulator_graph_launch(const Graph* graph, Stream* stream)
{
    return guarded([&] {
        std::vector<Span> spans;
        for (const Op& op : *graph->ops)
            spans.insert(spans.end(), op.spans.begin(), op.spans.end());
        const auto ops = graph->ops;
        const auto run = [ops] {
            for (const Op& op : *ops)
                op.run();
        };
        submit(stream, run, spans, "a graph");
    });
}

void emulator_graph_destroy(Graph* graph) { delete graph; }

int emulator_event_create(Event** event)
{
    return guarded([&] { *event = new Event; });
}

void emulator_event_destroy(Event* event) { delete event; }

int emulator_event_record(Event* event, Stream* stream)
{
    return guarded([&] {
        if (is_capturing(stream))
            spoil_captures("recording an event");
        const auto stamp = std::make_shared<Stamp>(Stamp{false, 0});
        submit(stream, [=] { *stamp = {true, now()}; }, {}, "an event");
        *event = {stream, stream->submitted, stamp};
    });
}

int emulator_event_synchronize(Event* event)
{
    return guarded([&] {
        if (streams.count(event->stream))
            run_until(event->stream, event->position);
    });
}

int emulator_event_time(const Event* event, double* seconds)
{
    return guarded([&] {
        if (!event->stamp)
            throw Error(CUDA_ERROR,
                        "cudaErrorInvalidResourceHandle: the event has not been recorded");
        if (!event->stamp->happened)
            throw Error(CUDA_ERROR,
                        "cudaErrorNotReady: device not ready: wait for the event first");
        *seconds = event->stamp->seconds;
    });
}
}
