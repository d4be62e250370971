// What the kernels share. The loader puts REAL, float or double, before this text and one .cu file
// after it.

constexpr int THREADS = 256;  // of every block

// This thread's share of the numbers below n: with T threads in the grid, the t-th one takes t,
// t + T, t + 2T, ...
#define EACH(i, n) for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < unsigned(n); \
                        i += gridDim.x * THREADS)

// Four numbers side by side, which a thread reads and writes at once.
struct alignas(4 * sizeof(REAL)) Four {
    REAL n[4];
};

__device__ inline void operator+=(Four& a, const Four& b)
{
    for (int i = 0; i < 4; ++i)
        a.n[i] += b.n[i];
}

// One number a thread -> in each thread t < columns the sum over the threads t, t + columns, t + 2
// columns, ...
// columns: a power of 2, at most 128. Every thread of the block calls it; the halves are added in
// a fixed order.
__device__ inline double column_sum(double value, int columns)
{
    __shared__ double sums[THREADS];
    const int t = threadIdx.x;
    __syncthreads();  // the sums of the call before have been read
    sums[t] = value;
    for (int half = THREADS / 2; half >= columns; half /= 2) {
        __syncthreads();
        if (t < half)
            sums[t] += sums[t + half];
    }
    return sums[t];
}

// One number a thread -> in thread 0 the sum over the block.
__device__ inline double block_sum(double value)
{
    return column_sum(value, 1);
}

// s (D,) <- the sum over the rows n < N of value(n, d), a tile of columns (a power of 2) a block.
template <class Value>
__device__ inline void sum_columns(double* s, int N, int D, int columns, Value value)
{
    const int column = threadIdx.x % columns, lane = threadIdx.x / columns,
              lanes = THREADS / columns;
    for (int tile = blockIdx.x; tile * columns < D; tile += gridDim.x) {
        const int d = tile * columns + column;
        double sum = 0;
        for (int n = d < D ? lane : N; n < N; n += lanes)
            sum += value(n, d);
        sum = column_sum(sum, columns);
        if (lane == 0 && d < D)
            s[d] = sum;
    }
}

// G (S, n) -> the sum of column i over the shards, in their order, as in shards.py.
__device__ inline REAL shard_sum(const REAL* G, int S, int n, int i)
{
    REAL sum = G[i];
    for (int s = 1; s < S; ++s)
        sum += G[s * n + i];
    return sum;
}
