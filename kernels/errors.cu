// The equations are those of errors.py. One block for each row of a: its threads take every 256th
// number, and block_sum adds what they found in a fixed order, in double.

// nll (M,), da (M, D) <- a (M, D), x (M / K, D).
extern "C" __global__ void squared_error(REAL* nll, REAL* da, const REAL* a, const REAL* x,
                                         double tau, double c, int M, int D, int K)
{
    for (int m = blockIdx.x; m < M; m += gridDim.x) {
        double total = 0;
        for (int d = threadIdx.x; d < D; d += THREADS) {
            const REAL r = a[m * D + d] - x[m / K * D + d];
            total += r * r;
            da[m * D + d] = REAL(tau) * r;  // (1)
        }
        total = block_sum(total);
        if (threadIdx.x == 0)
            nll[m] = REAL(tau / 2 * total + c);  // (1)
    }
}

// nll (M,), da (M, D) <- a (M, D), x (M / K, D).
extern "C" __global__ void absolute_error(REAL* nll, REAL* da, const REAL* a, const REAL* x,
                                          double tau, double c, int M, int D, int K)
{
    for (int m = blockIdx.x; m < M; m += gridDim.x) {
        double total = 0;
        for (int d = threadIdx.x; d < D; d += THREADS) {
            const REAL r = a[m * D + d] - x[m / K * D + d];
            total += fabs(r);
            da[m * D + d] = REAL(tau) * (r > 0 ? 1 : r < 0 ? -1 : r);  // (2), and a NaN stays one
        }
        total = block_sum(total);
        if (threadIdx.x == 0)
            nll[m] = REAL(tau * total + c);  // (2)
    }
}
