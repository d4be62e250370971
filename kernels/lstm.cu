// The equations are those of lstm.py. Up to UNITS units, a block goes through all steps for rows
// of its own, 1 or ROWS, which no other block waits for: h, or da, of a step lies in shared
// memory, and R, the same in all steps, stays in the cache L1 where that has room for it. With
// more units R would come from L2 at every step, so a step is a product of cuBLAS and a launch.

constexpr int ROWS = 4, UNITS = 128;
template <int B>  // rows of a block; of how many of them a thread has a unit, at most
constexpr int MINE = (B * UNITS + THREADS - 1) / THREADS;

__device__ inline REAL sigmoid(REAL a)
{
    const REAL e = exp(-fabs(a));
    return (a >= 0 ? 1 : e) / (1 + e);
}

// One unit of one row: gates (4,) <- a (4,), c <- that of the step before -> h.
__device__ inline REAL new_state(REAL* gates, REAL& c, const REAL* a)
{
    const REAL i = sigmoid(a[0]), f = sigmoid(a[1]), g = tanh(a[2]), o = sigmoid(a[3]);  // (2)
    gates[0] = i, gates[1] = f, gates[2] = g, gates[3] = o;
    c = f * c + i * g;   // (3)
    return o * tanh(c);  // (4)
}

// One unit of one row: da (4,), dc for the step before <- dc, dh, gates (4,), c, c_before.
__device__ inline void step_gradient(REAL* da, REAL& dc, REAL dh, const REAL* gates, REAL c,
                                     REAL c_before)
{
    const REAL i = gates[0], f = gates[1], g = gates[2], o = gates[3], t = tanh(c);
    dc += dh * o * (1 - t * t);           // (6)
    da[3] = dh * t * o * (1 - o);         // (7)
    da[0] = dc * g * i * (1 - i);         // (8)
    da[1] = dc * c_before * f * (1 - f);  // (9)
    da[2] = dc * i * (1 - g * g);         // (10)
    dc *= f;                              // (11)
}

// A product with J columns: S threads have a column, thread s of them the sum over k = s, s + S,
// ... of K, which are 4 terms at least; a warp reads neighbouring numbers.
struct Split {
    int J, S, s;
    __device__ Split(int J, int K)
        : J(J), S(max(1, min(THREADS / J, K / 4))), s(S > 1 ? threadIdx.x / J : 0)
    {
    }
};

// Unit u of every G-th row of a block, from row g on, is what a thread computes.
struct Unit {
    int u, G, g;
    __device__ Unit(int U)
        : u(threadIdx.x % U), G(THREADS / U), g(threadIdx.x < G * U ? threadIdx.x / U : ROWS)
    {
    }
};

// sum (B,), added to, <- the terms of column j from k on, as long as there are n of them; n
// numbers of M are on their way at once.
template <int B, int n>
__device__ inline void add_terms(REAL* sum, const REAL* x, const REAL* M, int K, int j, int& k,
                                 Split by)
{
    for (; k + (n - 1) * by.S < K; k += n * by.S) {
        REAL column[n];
#pragma unroll
        for (int i = 0; i < n; ++i)
            column[i] = M[(k + i * by.S) * by.J + j];
#pragma unroll
        for (int i = 0; i < n; ++i)
            for (int row = 0; row < B; ++row)
                sum[row] += x[(k + i * by.S) * B + row] * column[i];
    }
}

// part (B, S, J) <- x (K, B), M (K, J).
template <int B>
__device__ inline void multiply(REAL* part, const REAL* x, const REAL* M, int K, Split by)
{
    for (int i = threadIdx.x; i < by.S * by.J; i += THREADS) {
        REAL sum[B] = {};
        int k = by.s;
        add_terms<B, 16>(sum, x, M, K, i - by.s * by.J, k, by);
        add_terms<B, 4>(sum, x, M, K, i - by.s * by.J, k, by);
        add_terms<B, 1>(sum, x, M, K, i - by.s * by.J, k, by);
        for (int row = 0; row < B; ++row)
            part[row * by.S * by.J + i] = sum[row];
    }
}

// sums (n,), added to, <- the product's numbers at one row and at columns j, j + step, ...
template <int n>
__device__ inline void add_parts(REAL* sums, const REAL* part, int row, int j, int step, Split by)
{
#pragma unroll 4
    for (int s = 0; s < by.S; ++s)
        for (int i = 0; i < n; ++i)
            sums[i] += part[(row * by.S + s) * by.J + j + i * step];
}

// gates (T, 4, N, U), c, h (1 + T, N, U) from step 1 on <- a (T, N, 4U), R (U, 4U), b (4U,).
// Of a block: before (U, B), which is h_{t-1}, and part.
template <int B>
__device__ inline void all_steps(REAL* before, REAL* part, REAL* gates, REAL* c, REAL* h,
                                 const REAL* a, const REAL* R, const REAL* b, int T, int N, int U)
{
    const Split by(4 * U, U);
    const Unit my(U);
    for (int first = blockIdx.x * B; first < N; first += gridDim.x * B) {
        const int rows = min(B, N - first), at = (first + my.g) * U + my.u;
        REAL c_t[MINE<B>] = {};
#pragma unroll
        for (int m = 0; m < MINE<B>; ++m) {
            const int row = my.g + m * my.G, k = at + m * my.G * U;
            if (row < rows)
                c_t[m] = c[k], before[my.u * B + row] = h[k];
        }
        for (int t = 0; t < T; ++t) {
            REAL a_t[MINE<B>][4];
#pragma unroll
            for (int m = 0; m < MINE<B>; ++m) {
                const int row = my.g + m * my.G;
                for (int gate = 0; gate < 4 && row < rows; ++gate)
                    a_t[m][gate] = a[((t * N + first + row) * 4 + gate) * U + my.u];
            }
            __syncthreads();  // before is whole
            multiply<B>(part, before, R, U, by);
            __syncthreads();  // part is whole, and before has been read
#pragma unroll
            for (int m = 0; m < MINE<B>; ++m) {
                const int row = my.g + m * my.G, k = at + m * my.G * U;
                if (row >= rows)
                    continue;
                REAL gates_t[4];
                add_parts<4>(a_t[m], part, row, my.u, U, by);  // (1)
                for (int gate = 0; gate < 4; ++gate)
                    a_t[m][gate] += b[gate * U + my.u];  // (1)
                before[my.u * B + row] = new_state(gates_t, c_t[m], a_t[m]);  // (2) (3) (4)
#pragma unroll
                for (int gate = 0; gate < 4; ++gate)
                    gates[(t * 4 + gate) * N * U + k] = gates_t[gate];
                c[(t + 1) * N * U + k] = c_t[m];
                h[(t + 1) * N * U + k] = before[my.u * B + row];
            }
        }
    }
}

extern "C" __global__ void through_time(REAL* gates, REAL* c, REAL* h, const REAL* a,
                                        const REAL* R, const REAL* b, int rows, int T, int N,
                                        int U)
{
    alignas(16) __shared__ REAL before[UNITS * ROWS];
    __shared__ REAL part[ROWS * 4 * UNITS];
    if (rows == 1)
        all_steps<1>(before, part, gates, c, h, a, R, b, T, N, U);
    else
        all_steps<ROWS>(before, part, gates, c, h, a, R, b, T, N, U);
}

// da (T, N, 4U), dh (T or, unless every, 1, N, U), which is dy on entry <- gates (T, 4, N, U),
// c (1 + T, N, U), Rt (4U, U).
// Of a block: after (4U, B), which is da_{t+1}, and part.
template <int B>
__device__ inline void all_steps_back(REAL* after, REAL* part, REAL* da, REAL* dh,
                                      const REAL* gates, const REAL* c, const REAL* Rt, bool every,
                                      int T, int N, int U)
{
    const Split by(U, 4 * U);
    const Unit my(U);
    for (int first = blockIdx.x * B; first < N; first += gridDim.x * B) {
        const int rows = min(B, N - first), at = (first + my.g) * U + my.u;
        REAL dc[MINE<B>] = {}, c_t[MINE<B>] = {};
#pragma unroll
        for (int m = 0; m < MINE<B>; ++m)
            if (my.g + m * my.G < rows)
                c_t[m] = c[T * N * U + at + m * my.G * U];
        for (int t = T - 1; t >= 0; --t) {
            const bool last = t == T - 1;
            REAL* dh_t = dh + (every ? t : 0) * N * U;
            REAL gates_t[MINE<B>][4], dy[MINE<B>], c_before[MINE<B>];
#pragma unroll
            for (int m = 0; m < MINE<B>; ++m) {
                const int k = at + m * my.G * U;
                if (my.g + m * my.G >= rows)
                    continue;
#pragma unroll
                for (int gate = 0; gate < 4; ++gate)
                    gates_t[m][gate] = gates[(t * 4 + gate) * N * U + k];
                dy[m] = every || last ? dh_t[k] : 0;
                c_before[m] = c[t * N * U + k];
            }
            if (!last) {
                __syncthreads();  // after is whole
                multiply<B>(part, after, Rt, 4 * U, by);
                __syncthreads();  // part is whole, and after has been read
            }
#pragma unroll
            for (int m = 0; m < MINE<B>; ++m) {
                const int row = my.g + m * my.G, k = at + m * my.G * U;
                if (row >= rows)
                    continue;
                REAL da_t[4];
                if (!last) {
                    add_parts<1>(&dy[m], part, row, my.u, 0, by);  // (5)
                    dh_t[k] = dy[m];
                }
                step_gradient(da_t, dc[m], dy[m], gates_t[m], c_t[m], c_before[m]);  // (6) to (11)
#pragma unroll
                for (int gate = 0; gate < 4; ++gate) {
                    const int j = gate * U + my.u;
                    da[(t * N + first + row) * 4 * U + j] = after[j * B + row] = da_t[gate];
                }
                c_t[m] = c_before[m];
            }
        }
    }
}

extern "C" __global__ void through_time_gradient(REAL* da, REAL* dh, const REAL* gates,
                                                 const REAL* c, const REAL* Rt, bool every,
                                                 int rows, int T, int N, int U)
{
    alignas(16) __shared__ REAL after[4 * UNITS * ROWS];
    __shared__ REAL part[ROWS * THREADS];
    if (rows == 1)
        all_steps_back<1>(after, part, da, dh, gates, c, Rt, every, T, N, U);
    else
        all_steps_back<ROWS>(after, part, da, dh, gates, c, Rt, every, T, N, U);
}

// gates (4, N, U), c, h (N, U) <- a, r (N, 4U), b (4U,), c_before (N, U).
extern "C" __global__ void lstm_gates(REAL* gates, REAL* c, REAL* h, const REAL* a, const REAL* r,
                                      const REAL* b, const REAL* c_before, int N, int U)
{
    EACH(k, N * U) {
        const int n = k / U, u = k % U;
        REAL a_k[4], gates_k[4], c_k = c_before[k];
        for (int gate = 0; gate < 4; ++gate) {
            const int j = gate * U + u, at = n * 4 * U + j;
            a_k[gate] = a[at] + r[at] + b[j];  // (1)
        }
        h[k] = new_state(gates_k, c_k, a_k);  // (2) (3) (4)
        c[k] = c_k;
        for (int gate = 0; gate < 4; ++gate)
            gates[gate * N * U + k] = gates_k[gate];
    }
}

// da (N, 4U), dc (N, U) <- dc, 0 if this is the last step, dh (N, U), gates (4, N, U), c,
// c_before (N, U).
extern "C" __global__ void lstm_gradient(REAL* da, REAL* dc, const REAL* dh, const REAL* gates,
                                         const REAL* c, const REAL* c_before, bool last, int N,
                                         int U)
{
    EACH(k, N * U) {
        const int n = k / U, u = k % U;
        REAL da_k[4], gates_k[4], dc_k = last ? 0 : dc[k];
        for (int gate = 0; gate < 4; ++gate)
            gates_k[gate] = gates[gate * N * U + k];
        step_gradient(da_k, dc_k, dh[k], gates_k, c[k], c_before[k]);  // (6) to (11)
        dc[k] = dc_k;
        for (int gate = 0; gate < 4; ++gate)
            da[n * 4 * U + gate * U + u] = da_k[gate];
    }
}
