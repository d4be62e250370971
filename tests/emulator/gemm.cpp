// cuBLAS under its own names: what the library calls of it, queued like a kernel.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <type_traits>

#include "runtime.h"

namespace {

enum { NOT_INITIALIZED = 1, INVALID_VALUE = 7, INTERNAL_ERROR = 14 };  // of cublasStatus_t
constexpr int TF32 = 3;  // CUBLAS_TF32_TENSOR_OP_MATH
constexpr size_t SCRATCH = 4096;

struct Handle {
    Stream* stream = nullptr;
    Span workspace = {nullptr, 0};
    int math_mode = 0;
};

float to_tf32(float x)  // 10 bits after the point, halves away from zero
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    if ((bits & 0x7f800000) != 0x7f800000)
        bits = (bits + 0x1000) & ~uint32_t(0x1fff);
    memcpy(&x, &bits, 4);
    return x;
}

// op(A) (rows, columns), column-major and without gaps, from A with its leading dimension.
template <class T>
std::vector<T> packed(const T* A, bool transposed, int rows, int columns, int leading, bool tf32)
{
    std::vector<T> out(size_t(rows) * columns);
    for (int j = 0; j < columns; ++j)
        for (int i = 0; i < rows; ++i)
            out[size_t(j) * rows + i] = transposed ? A[size_t(i) * leading + j]
                                        : A[size_t(j) * leading + i];
    if constexpr (std::is_same_v<T, float>)
        if (tf32)
            std::transform(out.begin(), out.end(), out.begin(), to_tf32);
    return out;
}

template <class T>
struct Product {
    bool ta, tb, tf32;
    int m, n, k;
    T alpha, beta;
    const T *A, *B;
    T* C;
    int lda, ldb, ldc;

    // C (m, n) <- alpha op(A) (m, k) op(B) (k, n) + beta C
    void run() const
    {
        const std::vector<T> a = packed(A, ta, m, k, lda, tf32),
                             b = packed(B, tb, k, n, ldb, tf32);
        std::vector<T> column(m);
        for (int j = 0; j < n; ++j) {
            std::fill(column.begin(), column.end(), T(0));
            multiply(a.data(), b.data() + size_t(j) * k, column.data());
            T* c = C + size_t(j) * ldc;
            for (int i = 0; i < m; ++i)
                c[i] = beta == 0 ? alpha * column[i] : alpha * column[i] + beta * c[i];
        }
    }

    void multiply(const T* __restrict__ a, const T* __restrict__ b, T* __restrict__ sum) const
    {
        int p = 0;
        // four columns at a time, so that the sums are read and written less often
        for (; p + 4 <= k; p += 4) {
            const T *a0 = a + size_t(p) * m, *a1 = a0 + m, *a2 = a1 + m, *a3 = a2 + m;
            const T b0 = b[p], b1 = b[p + 1], b2 = b[p + 2], b3 = b[p + 3];
            for (int i = 0; i < m; ++i)
                sum[i] += (a0[i] * b0 + a1[i] * b1) + (a2[i] * b2 + a3[i] * b3);
        }
        for (; p < k; ++p)
            for (int i = 0; i < m; ++i)
                sum[i] += a[size_t(p) * m + i] * b[p];
    }
};

template <class T>
Span span_of(const T* start, int rows, int columns, int leading)
{
    return {start, rows && columns ? (size_t(leading) * (columns - 1) + rows) * sizeof(T) : 0};
}

template <class T>
int gemm(Handle* handle, int ta, int tb, int m, int n, int k, const T* alpha, const T* A, int lda,
         long long step_a, const T* B, int ldb, long long step_b, const T* beta, T* C, int ldc,
         long long step_c, int batch)
{
    if (!handle)
        return NOT_INITIALIZED;
    if (m < 0 || n < 0 || k < 0 || batch < 0 || ta < 0 || ta > 2 || tb < 0 || tb > 2 || !alpha ||
        !beta || lda < std::max(1, ta ? k : m) || ldb < std::max(1, tb ? n : k) ||
        ldc < std::max(1, m) || (m && n && !(A && B && C)))  // nobody says what a null does
        return INVALID_VALUE;
    const int status = guarded([&] {
        if (is_capturing(handle->stream) && !handle->workspace.start)
            refuse_in_capture("a gemm without the user's workspace: set it after the stream, "
                              "which takes it away");
        std::vector<Span> spans;
        if (handle->workspace.start)
            spans.push_back(handle->workspace);
        std::vector<Product<T>> products;
        const bool tf32 = handle->math_mode == TF32;
        for (int i = 0; i < batch; ++i) {
            const T *a = A + i * step_a, *b = B + i * step_b;
            T* c = C + i * step_c;
            products.push_back({ta != 0, tb != 0, tf32, m, n, k, *alpha, *beta, a, b, c, lda, ldb,
                                ldc});
            spans.push_back(span_of(c, m, n, ldc));
            if (k && *alpha != 0) {
                spans.push_back(ta ? span_of(a, k, m, lda) : span_of(a, m, k, lda));
                spans.push_back(tb ? span_of(b, n, k, ldb) : span_of(b, k, n, ldb));
            }
        }
        const Span workspace = handle->workspace;
        const auto run = [=] {
            if (workspace.start)
                memset(const_cast<void*>(workspace.start), 0xff,
                       std::min(workspace.size, SCRATCH));
            for (const Product<T>& product : products)
                product.run();
        };
        submit(handle->stream, run, spans, "a gemm");
    });
    if (status != SUCCESS)
        fprintf(stderr, "emulator: %s\n", last_error.c_str());
    return status == SUCCESS ? 0 : INTERNAL_ERROR;
}

}  // namespace

extern "C" {

int cublasCreate_v2(Handle** handle)
{
    *handle = nullptr;
    if (guarded([] { refuse_in_capture("creating a cuBLAS handle"); }) != SUCCESS)
        return INTERNAL_ERROR;
    *handle = new Handle;
    return 0;
}

int cublasDestroy_v2(Handle* handle)
{
    if (guarded([] { refuse_in_capture("destroying a cuBLAS handle"); }) != SUCCESS)
        return INTERNAL_ERROR;
    delete handle;
    return handle ? 0 : NOT_INITIALIZED;
}

int cublasGetVersion_v2(Handle* handle, int* version)
{
    *version = 130000;
    return handle ? 0 : NOT_INITIALIZED;
}

int cublasGetProperty(int type, int* value)
{
    *value = type == 0 ? 13 : 0;
    return type < 0 || type > 2 ? INVALID_VALUE : 0;
}

const char* cublasGetStatusString(int status)
{
    return status == 0                 ? "CUBLAS_STATUS_SUCCESS"
           : status == NOT_INITIALIZED ? "CUBLAS_STATUS_NOT_INITIALIZED"
           : status == INVALID_VALUE   ? "CUBLAS_STATUS_INVALID_VALUE"
                                       : "CUBLAS_STATUS_INTERNAL_ERROR";
}

int cublasSetStream_v2(Handle* handle, Stream* stream)
{
    if (!handle)
        return NOT_INITIALIZED;
    handle->stream = stream;
    handle->workspace = {nullptr, 0};  // the real one goes back to its default workspace, too
    return 0;
}

int cublasSetWorkspace_v2(Handle* handle, void* workspace, size_t size)
{
    if (!handle)
        return NOT_INITIALIZED;
    if (reinterpret_cast<uintptr_t>(workspace) % 256 || !is_live({workspace, size}, DEVICE))
        return INVALID_VALUE;
    handle->workspace = {workspace, size};
    return 0;
}

int cublasSetMathMode(Handle* handle, int mode)
{
    if (!handle)
        return NOT_INITIALIZED;
    handle->math_mode = mode;
    return 0;
}

#define GEMM(T, NAME)                                                                             \
    int cublas##NAME##gemm_v2(Handle* handle, int ta, int tb, int m, int n, int k,                \
                              const T* alpha, const T* A, int lda, const T* B, int ldb,           \
                              const T* beta, T* C, int ldc)                                       \
    {                                                                                             \
        return gemm(handle, ta, tb, m, n, k, alpha, A, lda, 0, B, ldb, 0, beta, C, ldc, 0, 1);    \
    }                                                                                             \
    int cublas##NAME##gemmStridedBatched(Handle* handle, int ta, int tb, int m, int n, int k,     \
                                         const T* alpha, const T* A, int lda, long long step_a,   \
                                         const T* B, int ldb, long long step_b, const T* beta,    \
                                         T* C, int ldc, long long step_c, int batch)              \
    {                                                                                             \
        return gemm(handle, ta, tb, m, n, k, alpha, A, lda, step_a, B, ldb, step_b, beta, C, ldc, \
                    step_c, batch);                                                               \
    }

GEMM(float, S)
GEMM(double, D)
}
