// The equations are those of discretised_logistic.py. One block for each row of a: its threads
// take every 256th of its P C pairs of mu and log s, and block_sum adds what they found in a fixed
// order, in double.

// nll (M,), da (M, P, 2C) <- a (M, P, 2C), x (M / K, P, C).
extern "C" __global__ void discretised_logistic_nll(REAL* nll, REAL* da, const REAL* a,
                                                    const REAL* x, double log_w, double per_w,
                                                    double floor, double most, double low_edge,
                                                    double high_edge, int M, int P, int C, int K)
{
    const REAL L = REAL(floor), half = REAL(0.5);
    for (int m = blockIdx.x; m < M; m += gridDim.x) {
        const REAL* x_n = x + m / K * P * C;
        double total = 0;
        for (int i = threadIdx.x; i < P * C; i += THREADS) {
            // of mu, and that of log s is C further
            const int at = (m * P + i / C) * 2 * C + i % C;
            const REAL v = a[at + C] - REAL(log_w), e = exp(-fabs(v - L));                // (1)
            const REAL ell = (v < L ? L : v) + log1p(e);                                  // (1)
            const REAL d = exp(-(ell > REAL(most) ? REAL(most) : ell));                   // (2)
            const REAL u = (x_n[i] - a[at]) * REAL(per_w);
            const REAL hi = d * (u + half), lo = d * (u - half), E = expm1(d);            // (3)
            const REAL share = E / (1 + E), e_hi = exp(-fabs(hi)), e_lo = exp(-fabs(lo)); // (7)
            const bool first = x_n[i] < REAL(low_edge), last = x_n[i] > REAL(high_edge);
            REAL dl = 0, g_hi = 0, g_lo = 0;
            if (!last) {
                total += (hi < 0 ? -hi : 0 * hi) + log1p(e_hi);     // (4) (5) (6)
                g_hi = (hi < 0 ? 1 : e_hi) / (1 + e_hi);            // (8)
            }
            if (!first) {
                total += (lo < 0 ? 0 * lo : lo) + log1p(e_lo);      // (4) (5) (6)
                g_lo = (lo >= 0 ? 1 : e_lo) / (1 + e_lo);           // (8)
            }
            if (!first && !last) {
                total += d < 1 ? ell - log(share / d) : -log(share);    // (4) (6)
                dl = d / E;                                             // (10)
            }
            da[at] = d * (g_hi - g_lo) * REAL(per_w);               // (9)
            dl += hi * g_hi - lo * g_lo;                            // (10)
            da[at + C] = (v >= L ? 1 : e) / (1 + e) * dl;           // (11)
        }
        total = block_sum(total);
        if (threadIdx.x == 0)
            nll[m] = REAL(total);  // (6)
    }
}
