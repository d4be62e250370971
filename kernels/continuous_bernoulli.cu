// The equations are those of continuous_bernoulli.py. One block for each row of a: its threads
// take every 256th value, and block_sum adds what they found in a fixed order, in double.

// nll (M,), da (M, D) <- a (M, D), x (M / K, D).
extern "C" __global__ void continuous_bernoulli_nll(REAL* nll, REAL* da, const REAL* a,
                                                    const REAL* x, int M, int D, int K)
{
    const REAL c[6] = {REAL(1. / 24),       REAL(-1. / 2880),     REAL(1. / 181440),
                       REAL(-1. / 9676800), REAL(1. / 479001600), REAL(-691. / 15692092416000.)};
    for (int m = blockIdx.x; m < M; m += gridDim.x) {
        const REAL *a_m = a + m * D, *x_n = x + m / K * D;
        double total = 0;
        for (int d = threadIdx.x; d < D; d += THREADS) {
            const REAL t = a_m[d], size = fabs(t), linear = (t < 0 ? 0 : t) - x_n[d] * t;
            if (size < REAL(0.5)) {
                const REAL q = t * t;
                REAL value = 0, change = 0;
                for (int k = 5; k >= 0; --k) {
                    value = c[k] + q * value;                    // (3)
                    change = 2 * (k + 1) * c[k] + q * change;    // (6)
                }
                total += REAL(0.5) * t - x_n[d] * t + q * value;    // (1) (3) (4)
                da[m * D + d] = REAL(0.5) + t * change - x_n[d];    // (6) (7)
            } else {
                const REAL one_less = -expm1(-size), g = 1 / one_less - 1 / size;    // (2) (5)
                total += linear + log(one_less / size);                              // (1) (2) (4)
                da[m * D + d] = (t >= 0 ? g : 1 - g) - x_n[d];                       // (5) (7)
            }
        }
        total = block_sum(total);  // (4)
        if (threadIdx.x == 0)
            nll[m] = REAL(total);
    }
}
