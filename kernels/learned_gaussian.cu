// The equations are those of learned_gaussian.py. One block for each row of a: its threads take
// every 256th of its P C pairs of mu and logvar, and block_sum adds what they found in a fixed
// order, in double.

// nll (M,), da (M, P, 2C) <- a (M, P, 2C), x (M / K, P, C).
extern "C" __global__ void learned_gaussian_nll(REAL* nll, REAL* da, const REAL* a, const REAL* x,
                                                double L, double log_2pi, int M, int P, int C,
                                                int K)
{
    const REAL least = REAL(L);
    for (int m = blockIdx.x; m < M; m += gridDim.x) {
        const REAL* x_n = x + m / K * P * C;
        double total = 0;
        for (int d = threadIdx.x; d < P * C; d += THREADS) {
            // of mu, and that of logvar is C further
            const int at = (m * P + d / C) * 2 * C + d % C;
            const REAL logvar = a[at + C], e = exp(-fabs(logvar - least));            // (2)
            const REAL log_var = (logvar < least ? least : logvar) + log1p(e);        // (1) (2)
            const REAL per_sigma = exp(REAL(-0.5) * log_var);                         // (3)
            const REAL s = (a[at] - x_n[d]) * per_sigma, q = s * s;                   // (3)
            total += q + log_var + log_2pi;                                           // (4)
            da[at] = s * per_sigma;                                                   // (5)
            const REAL g = (logvar >= least ? 1 : e) / (1 + e);                       // (6)
            da[at + C] = REAL(0.5) * g * (1 - q);                                     // (7)
        }
        total = block_sum(total);
        if (threadIdx.x == 0)
            nll[m] = REAL(total / 2);  // (4)
    }
}
