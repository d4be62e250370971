// The equations are those of bernoulli.py. One block for each row of a: its threads take every
// 256th pixel, and block_sum adds what they found in a fixed order, in double.

// nll (M,), da (M, D) <- a (M, D), x (M / K, D).
extern "C" __global__ void bernoulli_nll(REAL* nll, REAL* da, const REAL* a, const REAL* x, int M,
                                         int D, int K)
{
    for (int m = blockIdx.x; m < M; m += gridDim.x) {
        const REAL *a_m = a + m * D, *x_n = x + m / K * D;
        double total = 0;
        for (int d = threadIdx.x; d < D; d += THREADS) {
            const REAL a_md = a_m[d], x_nd = x_n[d], e = exp(-fabs(a_md));
            const REAL linear = (a_md < 0 ? 0 : a_md) - x_nd * a_md;           // (1) (2)
            total += linear + log1p(e);                                        // (1) (2) (3)
            da[m * D + d] = (a_md >= 0 ? 1 : e) / (1 + e) - x_nd;              // (4)
        }
        total = block_sum(total);  // (3)
        if (threadIdx.x == 0)
            nll[m] = REAL(total);
    }
}
