// The equations are those of contraction.py. Sums over rows take a block for each tile of columns,
// sums over units a block for each row; the others one thread for each number. b: 1 for a sigmoid,
// 0 for tanh.

__device__ inline REAL slope(REAL h, REAL b)
{
    return (1 - b) + b * h - h * h;  // (1)
}

// q (D,) <- W (N, D).
extern "C" __global__ void squared_columns(double* q, const REAL* W, int N, int D, int columns)
{
    sum_columns(q, N, D, columns,
                [=](int n, int d) { return W[n * D + d] * W[n * D + d]; });  // (2)
}

// v (N,) <- h (N, D), q (D,).
extern "C" __global__ void contraction(REAL* v, const REAL* h, const double* q, double b, int N,
                                       int D)
{
    for (int n = blockIdx.x; n < N; n += gridDim.x) {
        double total = 0;
        for (int d = threadIdx.x; d < D; d += THREADS) {
            const REAL s = slope(h[n * D + d], REAL(b));
            total += s * s * q[d];
        }
        total = block_sum(total);
        if (threadIdx.x == 0)
            v[n] = REAL(total);  // (3)
    }
}

// out (N, D) <- dh (N, D), h (N, D), q (D,).
extern "C" __global__ void contraction_gradient(REAL* out, const REAL* dh, const REAL* h,
                                                const double* q, double w, double b, int N, int D)
{
    EACH(i, N * D)
        out[i] = dh[i] +
                 slope(h[i], REAL(b)) * (REAL(b) - 2 * h[i]) * REAL(2 * w * q[i % D]);  // (4)
}

// c (D,) <- h (N, D).
extern "C" __global__ void squared_slopes(double* c, const REAL* h, double b, int N, int D,
                                          int columns)
{
    sum_columns(c, N, D, columns, [=](int n, int d) {
        const REAL s = slope(h[n * D + d], REAL(b));
        return s * s;  // (5)
    });
}

// dW (I, D), added to, <- W (I, D), c (D,).
extern "C" __global__ void contraction_weights(REAL* dW, const REAL* W, const double* c, double w,
                                               int I, int D)
{
    EACH(i, I * D)
        dW[i] += W[i] * REAL(2 * w * c[i % D]);  // (6)
}
