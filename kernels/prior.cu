// The equations are those of prior.py. One thread for each latent number of each example, or for
// each sample; it goes through the K samples in their order.

// z (N K, D), kl (N, D) <- h, p (N, 2D), eps (N K, D).
extern "C" __global__ void prior_sample(REAL* z, REAL* kl, const REAL* h, const REAL* p,
                                        const REAL* eps, int N, int D, int K)
{
    EACH(i, N * D) {
        const int n = i / D, d = i % D;
        const REAL mu = h[n * 2 * D + d], logvar = h[n * 2 * D + D + d];
        const REAL m = p[n * 2 * D + d], l = p[n * 2 * D + D + d];
        const REAL sigma = exp(REAL(0.5) * logvar);
        for (int k = n * K; k < n * K + K; ++k)
            z[k * D + d] = mu + sigma * eps[k * D + d];  // (1)
        const REAL v = (mu - m) * exp(-l);               // (2)
        kl[i] = REAL(0.5) * ((mu - m) * v + expm1(logvar - l) - (logvar - l));  // (3)
    }
}

// dh, dp (N, 2D) <- dz (N K, D), h, p (N, 2D), eps (N K, D), w (D,).
extern "C" __global__ void prior_gradient(REAL* dh, REAL* dp, const REAL* dz, const REAL* h,
                                          const REAL* p, const REAL* eps, const REAL* w, int N,
                                          int D, int K)
{
    EACH(i, N * D) {
        const int n = i / D, d = i % D, first = n * 2 * D + d, second = first + D;
        const REAL mu = h[first], logvar = h[second], m = p[first], l = p[second];
        const REAL sigma = exp(REAL(0.5) * logvar);
        REAL sum_dz = 0, sum_dz_eps = 0;
        for (int k = n * K; k < n * K + K; ++k) {
            sum_dz += dz[k * D + d];
            sum_dz_eps += dz[k * D + d] * eps[k * D + d];
        }
        const REAL v = (mu - m) * exp(-l);                                             // (2)
        dh[first] = sum_dz + w[d] * v;                                                 // (6)
        dh[second] = REAL(0.5) * (sum_dz_eps * sigma + w[d] * expm1(logvar - l));      // (7)
        dp[first] = -w[d] * v;                                                         // (8)
        dp[second] = -REAL(0.5) * w[d] * ((mu - m) * v + expm1(logvar - l));           // (9)
    }
}

// r (M,) <- z (M, D), h, p (M / K, 2D), eps (M, D).
extern "C" __global__ void prior_ratio(REAL* r, const REAL* z, const REAL* h, const REAL* p,
                                       const REAL* eps, int M, int D, int K)
{
    EACH(i, M) {
        const REAL *logvar = h + i / K * 2 * D + D, *m = p + i / K * 2 * D, *l = m + D;
        double total = 0;
        for (int d = 0; d < D; ++d) {
            const REAL z_d = z[i * D + d], eps_d = eps[i * D + d];
            const REAL u = (z_d - m[d]) * exp(-l[d]);  // (4)
            total += REAL(0.5) * ((z_d - m[d]) * u + l[d] - eps_d * eps_d - logvar[d]);  // (5)
        }
        r[i] = total;
    }
}

// dh, dp (N, 2D) <- dz, z (N K, D), h, p (N, 2D), eps (N K, D), w (N K,).
extern "C" __global__ void prior_weighed(REAL* dh, REAL* dp, const REAL* dz, const REAL* z,
                                         const REAL* h, const REAL* p, const REAL* eps,
                                         const REAL* w, int N, int D, int K)
{
    EACH(i, N * D) {
        const int n = i / D, d = i % D, first = n * 2 * D + d, second = first + D;
        const REAL m = p[first], scale = exp(-p[second]), sigma = exp(REAL(0.5) * h[second]);
        REAL dmu = 0, dlogvar = 0, dm = 0, dl = 0;
        for (int k = n * K; k < n * K + K; ++k) {
            const REAL u = (z[k * D + d] - m) * scale;                        // (4)
            const REAL g = dz[k * D + d] + w[k] * u;                          // (10)
            dmu += g;                                                         // (11)
            dlogvar += REAL(0.5) * (g * eps[k * D + d] * sigma - w[k]);       // (12)
            dm -= w[k] * u;                                                   // (13)
            dl += REAL(0.5) * w[k] * (1 - (z[k * D + d] - m) * u);            // (14)
        }
        dh[first] = dmu, dh[second] = dlogvar, dp[first] = dm, dp[second] = dl;
    }
}

// dh, dp (N, 2D) <- dz, z (N K, D), h, p (N, 2D), eps (N K, D), w (N K,).
extern "C" __global__ void prior_path(REAL* dh, REAL* dp, const REAL* dz, const REAL* z,
                                      const REAL* h, const REAL* p, const REAL* eps,
                                      const REAL* w, int N, int D, int K)
{
    EACH(i, N * D) {
        const int n = i / D, d = i % D, first = n * 2 * D + d, second = first + D;
        const REAL m = p[first], scale = exp(-p[second]), sigma = exp(REAL(0.5) * h[second]);
        REAL dmu = 0, dlogvar = 0, dm = 0, dl = 0;
        for (int k = n * K; k < n * K + K; ++k) {
            const REAL u = (z[k * D + d] - m) * scale;                           // (4)
            const REAL g = dz[k * D + d] + w[k] * (u - eps[k * D + d] / sigma);  // (15)
            dmu += g;                                                            // (11)
            dlogvar += REAL(0.5) * g * eps[k * D + d] * sigma;                   // (16)
            dm -= w[k] * u;                                                      // (13)
            dl += REAL(0.5) * w[k] * (1 - (z[k * D + d] - m) * u);               // (14)
        }
        dh[first] = dmu, dh[second] = dlogvar, dp[first] = dm, dp[second] = dl;
    }
}
