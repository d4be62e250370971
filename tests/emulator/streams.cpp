// Streams. Work is only queued, and runs when somebody waits for it, as late as CUDA may run it:
// who reads too early sees the old values, and who overwrites too early changes what the work
// sees.

#include <cstring>
#include <memory>

#include "streams.h"

namespace {

uint64_t order_of_new_work = 0;

void clean_up()
{
    if (is_idle())
        dispose_of_freed();
}

void run_all(Stream* stream) { run_until(stream, stream->submitted); }

void copy(void* to, const void* from, size_t size, int kind, Stream* stream)
{
    if (!size)
        return;
    const bool to_host = kind == 2, from_host = kind == 1;
    if (kind < 1 || kind > 3)
        throw Error(CUDA_ERROR,
                    "cudaErrorInvalidMemcpyDirection: invalid copy direction for memcpy");
    if ((!to_host && !is_live({to, size}, DEVICE)) ||
        (!from_host && !is_live({from, size}, DEVICE)))
        throw Error(CUDA_ERROR,
                    "cudaErrorInvalidValue: a copy reaches outside of the device's arrays");
    const void* host = to_host ? to : from;
    const bool pageable = (to_host || from_host) && !is_live({host, size}, PINNED);
    if (!pageable)
        return submit(stream, [=] { memmove(to, from, size); }, {{to, size}, {from, size}},
                      "a copy");
    if (is_capturing(stream))
        spoil_captures("a copy with host memory that is not pinned");
    if (from_host) {  // CUDA takes pageable memory aside at once
        const char* bytes = static_cast<const char*>(from);
        const auto staged = std::make_shared<std::vector<char>>(bytes, bytes + size);
        return submit(stream, [=] { memcpy(to, staged->data(), size); }, {{to, size}}, "a copy");
    }
    refuse_in_capture("a copy to host memory that is not pinned");
    run_all(stream);
    memcpy(to, from, size);
}

}  // namespace

std::set<Stream*> streams;

void spoil_captures(const std::string& what)
{
    for (Stream* stream : streams)
        stream->spoiled = stream->capturing;
    const char* error =
        "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing";
    throw Error(CUDA_ERROR, error + (" (" + what + ")"));
}

Stream* own(Stream* stream, const std::string& what)
{
    if (!stream)
        throw Error(FAILED, what + " is for the null stream: use a stream of your own");
    if (!streams.count(stream))
        throw Error(FAILED, what + " is for a stream that does not exist");
    return stream;
}

void run_until(Stream* stream, uint64_t position)
{
    while (stream->done < position && !stream->queue.empty()) {
        const Op op = std::move(stream->queue.front());
        stream->queue.pop_front();
        ++stream->done;
        thread_order = op.order;
        try {
            op.run();
        } catch (...) {
            stream->done = stream->submitted;
            stream->queue.clear();
            clean_up();
            throw;
        }
    }
    clean_up();
}

bool is_capturing(const Stream* stream) { return stream && stream->capturing; }

bool is_idle()
{
    for (const Stream* stream : streams)
        if (stream->capturing || !stream->queue.empty())
            return false;
    return true;
}

void run_everything()
{
    for (Stream* stream : streams)
        run_all(stream);
}

void refuse_in_capture(const std::string& what)
{
    for (const Stream* stream : streams)
        if (stream->capturing && (stream->everywhere || stream->by == std::this_thread::get_id()))
            spoil_captures(what);
}

void submit(Stream* stream, std::function<void()> run, std::vector<Span> spans,
            const std::string& what)
{
    own(stream, what);
    check_live(spans, what);
    if (stream->spoiled)
        throw Error(CUDA_ERROR, INVALIDATED);
    Op op{std::move(run), std::move(spans), order_of_new_work};
    if (stream->capturing)
        return stream->captured.push_back(std::move(op));
    stream->queue.push_back(std::move(op));
    ++stream->submitted;
}

extern "C" {

void emulator_order(uint64_t seed) { order_of_new_work = seed; }

int emulator_stream_create(Stream** stream)
{
    return guarded([&] { streams.insert(*stream = new Stream); });
}

int emulator_stream_destroy(Stream* stream)
{
    return guarded([&] {
        try {
            run_all(stream);
        } catch (const Error& error) {
            keep_error(error.what());
        }
        streams.erase(stream);
        delete stream;
        clean_up();
    });
}

// Null means the null stream, on which nothing is ever queued: the others do not wait for it, nor
// it for them.
int emulator_stream_synchronize(Stream* stream)
{
    return guarded([&] {
        if (is_capturing(stream))
            spoil_captures("waiting for it");
        if (stream)
            run_all(own(stream, "waiting"));
    });
}

int emulator_run_everything()
{
    return guarded([] {
        refuse_in_capture("waiting for all streams");
        run_everything();
    });
}

// For a test that starts after one that failed: drops all work and ends all captures.
void emulator_reset()
{
    guarded([] {
        for (Stream* stream : streams) {
            stream->queue.clear();
            stream->captured.clear();
            stream->done = stream->submitted;
            stream->capturing = stream->spoiled = false;
        }
        order_of_new_work = 0;
        clean_up();
        forget_errors();
    });
}

int emulator_copy(void* to, const void* from, size_t size, int kind, Stream* stream)
{
    return guarded([&] { copy(to, from, size, kind, stream); });
}

// What comes before the host reads device memory itself.
int emulator_host_copy(Stream* stream)
{
    return guarded([&] {
        refuse_in_capture("a copy to host memory that is not pinned");
        if (stream)
            run_all(own(stream, "a copy"));
    });
}

int emulator_fill(void* to, int value, size_t size, Stream* stream)
{
    return guarded([&] { submit(stream, [=] { memset(to, value, size); }, {{to, size}},
                                "a memset"); });
}

// pointers: of each argument whether it is the address of an array, which may be null.
int emulator_launch(const char* name, void (*call)(void**), void (*shared)(char**, size_t*),
                    const unsigned* grid, const unsigned* block, int n, const uint64_t* values,
                    const int* pointers, Stream* stream)
{
    return guarded([&] {
        const Size g{grid[0], grid[1], grid[2]}, b{block[0], block[1], block[2]};
        const auto launch = std::make_shared<Launch>(Launch{name, call, shared, g, b,
                                                            {values, values + n}});
        std::vector<Span> spans;
        for (int i = 0; i < n; ++i)
            if (pointers[i] && values[i])
                spans.push_back({reinterpret_cast<void*>(values[i]), 0});
        const std::string what = "kernel " + launch->name;
        const auto run = [=] {
            run_kernel(*launch);
            check_guards(spans, what + ": ");
        };
        submit(stream, run, spans, what);
    });
}
}
