// The equations are those of penalties.py. Sums over units take a block for each row, sums over
// rows a block for each tile of columns; gradients one thread for each number.

// v (N,) <- h (N, D).
extern "C" __global__ void l1(REAL* v, const REAL* h, int N, int D)
{
    for (int n = blockIdx.x; n < N; n += gridDim.x) {
        double total = 0;
        for (int d = threadIdx.x; d < D; d += THREADS)
            total += fabs(h[n * D + d]);
        total = block_sum(total);
        if (threadIdx.x == 0)
            v[n] = REAL(total);  // (1)
    }
}

// out (N, D) <- dh (N, D), h (N, D), of n numbers.
extern "C" __global__ void l1_gradient(REAL* out, const REAL* dh, const REAL* h, double w, int n)
{
    EACH(i, n) {
        const REAL sign = h[i] > 0 ? 1 : h[i] < 0 ? -1 : h[i];  // a NaN stays one
        out[i] = dh[i] + REAL(w) * sign;  // (1)
    }
}

// v (N,) <- h (N, D).
extern "C" __global__ void student_t(REAL* v, const REAL* h, int N, int D)
{
    for (int n = blockIdx.x; n < N; n += gridDim.x) {
        double total = 0;
        for (int d = threadIdx.x; d < D; d += THREADS)
            total += log1p(h[n * D + d] * h[n * D + d]);
        total = block_sum(total);
        if (threadIdx.x == 0)
            v[n] = REAL(total);  // (2)
    }
}

// out (N, D) <- dh (N, D), h (N, D), of n numbers.
extern "C" __global__ void student_t_gradient(REAL* out, const REAL* dh, const REAL* h, double w,
                                              int n)
{
    EACH(i, n)
        out[i] = dh[i] + REAL(2 * w) * h[i] / (1 + h[i] * h[i]);  // (2)
}

// s (D,) <- h (N, D).
extern "C" __global__ void sum_units(double* s, const REAL* h, int N, int D, int columns)
{
    sum_columns(s, N, D, columns, [=](int n, int d) {
        const double h_nd = h[n * D + d];
        return 0 <= h_nd && h_nd <= 1 ? h_nd : nan("");  // (3)
    });
}

// out (N, D) <- dh (N, D), total (k,).
extern "C" __global__ void rate_gradient(REAL* out, const REAL* dh, const double* total,
                                         double w, double rho, int first, int N, int D)
{
    EACH(i, N * D) {
        const double rate = total[first + i % D] / total[0];  // (3)
        const bool held = rate <= 1e-30 || rate >= 1 - 1e-16;  // LEAST, MOST
        out[i] = dh[i] +
                 (held ? REAL(0) : REAL(w * ((1 - rho) / (1 - rate) - rho / rate)));  // (4)
    }
}
