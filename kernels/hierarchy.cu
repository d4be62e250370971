// The equations are those of hierarchy.py. A thread goes through the K samples of an example, or
// the D numbers of a sample, in their order.

// r (M,), v (M, D) <- z (M, D), p (M, 2D), h (M / K, 2D), eps (M, D).
extern "C" __global__ void conditional_ratio(REAL* r, REAL* v, const REAL* z, const REAL* p,
                                             const REAL* h, const REAL* eps, int M, int D, int K)
{
    EACH(m, M) {
        const REAL *logvar = h + (m / K) * 2 * D + D, *mean = p + m * 2 * D, *l = mean + D;
        double total = 0;
        for (int d = 0; d < D; ++d) {
            const REAL v_d = (z[m * D + d] - mean[d]) * exp(REAL(-0.5) * l[d]);  // (1)
            const REAL eps_d = eps[m * D + d];
            v[m * D + d] = v_d;
            total += REAL(0.5) * (v_d * v_d + l[d] - eps_d * eps_d - logvar[d]);  // (2)
        }
        r[m] = total;
    }
}

// r (N K,), kl (N, 2) <- r1, r2 (N K,).
extern "C" __global__ void layer_terms(REAL* r, REAL* kl, const REAL* r1, const REAL* r2, int N,
                                       int K)
{
    EACH(n, N) {
        double first = 0, second = 0;
        for (int m = n * K; m < n * K + K; ++m) {
            r[m] = r1[m] + r2[m];  // (3)
            first += r1[m];
            second += r2[m];
        }
        kl[2 * n] = first / K;       // (4)
        kl[2 * n + 1] = second / K;  // (4)
    }
}

// w1, w2 (M,) <- kl_weight (2,).
extern "C" __global__ void layer_weights(REAL* w1, REAL* w2, const REAL* kl_weight, int M, int K)
{
    EACH(m, M) {
        w1[m] = kl_weight[0] / K;  // (5)
        w2[m] = kl_weight[1] / K;  // (5)
    }
}

// dp (M, 2D) <- v (M, D), p (M, 2D), w (M,).
extern "C" __global__ void conditional_gradient(REAL* dp, const REAL* v, const REAL* p,
                                                const REAL* w, int M, int D)
{
    EACH(i, M * D) {
        const int m = i / D, d = i % D;
        const REAL scale = exp(REAL(-0.5) * p[m * 2 * D + D + d]);
        dp[m * 2 * D + d] = -w[m] * v[i] * scale;                                    // (6)
        dp[m * 2 * D + D + d] = REAL(0.5) * w[m] * (REAL(1) - v[i] * v[i]);          // (7)
    }
}

// dh (N, 2D) <- dz, dz_up (N K, D), dp (N K, 2D), h (N, 2D), eps (N K, D), w (N K,).
extern "C" __global__ void lower_gradient(REAL* dh, const REAL* dz, const REAL* dz_up,
                                          const REAL* dp, const REAL* h, const REAL* eps,
                                          const REAL* w, int N, int D, int K)
{
    EACH(i, N * D) {
        const int n = i / D, d = i % D;
        const REAL sigma = exp(REAL(0.5) * h[n * 2 * D + D + d]);
        REAL dmu = 0, sum_g_eps = 0, sum_w = 0;
        for (int m = n * K; m < n * K + K; ++m) {
            const REAL g = dz[m * D + d] + dz_up[m * D + d] - dp[m * 2 * D + d];  // (8)
            dmu += g;  // (9)
            sum_g_eps += g * eps[m * D + d];
            sum_w += w[m];
        }
        dh[n * 2 * D + d] = dmu;
        dh[n * 2 * D + D + d] = REAL(0.5) * (sum_g_eps * sigma - sum_w);  // (10)
    }
}
