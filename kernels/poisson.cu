// The equations are those of poisson.py. One block for each row of a: its threads take every 256th
// count, and block_sum adds what they found in a fixed order, in double.

// nll (M,), da (M, D) <- a (M, D), x (M / K, D).
extern "C" __global__ void poisson_nll(REAL* nll, REAL* da, const REAL* a, const REAL* x, int M,
                                       int D, int K)
{
    for (int m = blockIdx.x; m < M; m += gridDim.x) {
        const REAL *a_m = a + m * D, *x_n = x + m / K * D;
        double total = 0;
        for (int d = threadIdx.x; d < D; d += THREADS) {
            const REAL rate = exp(a_m[d]);
            const double count = x_n[d];
            total += rate - count * a_m[d];      // (1) (2)
            total += lgamma(count + 1);          // (2) (4)
            da[m * D + d] = rate - x_n[d];       // (3)
        }
        total = block_sum(total);
        if (threadIdx.x == 0)
            nll[m] = REAL(total);
    }
}
