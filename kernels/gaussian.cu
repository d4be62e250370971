// The equations are those of gaussian.py. One thread for each latent number of each example; it
// goes through the K samples in their order.

// z (N K, D), kl (N, D) <- h (N, 2D), eps (N K, D).
extern "C" __global__ void gaussian_sample(REAL* z, REAL* kl, const REAL* h, const REAL* eps,
                                           int N, int D, int K)
{
    EACH(i, N * D) {
        const int n = i / D, d = i % D;
        const REAL mu = h[n * 2 * D + d], logvar = h[n * 2 * D + D + d];
        const REAL sigma = exp(REAL(0.5) * logvar);                         // (1)
        for (int k = 0; k < K; ++k)
            z[(n * K + k) * D + d] = mu + sigma * eps[(n * K + k) * D + d];     // (2)
        kl[i] = REAL(0.5) * (mu * mu + expm1(logvar) - logvar);             // (3)
    }
}

// dh (N, 2D) <- dz (N K, D), h (N, 2D), eps (N K, D), w (D,).
extern "C" __global__ void gaussian_gradient(REAL* dh, const REAL* dz, const REAL* h,
                                             const REAL* eps, const REAL* w, int N, int D, int K)
{
    EACH(i, N * D) {
        const int n = i / D, d = i % D;
        const REAL mu = h[n * 2 * D + d], logvar = h[n * 2 * D + D + d];
        const REAL sigma = exp(REAL(0.5) * logvar);  // (1)
        REAL sum_dz = 0, sum_dz_eps = 0;
        for (int k = 0; k < K; ++k) {
            const REAL dz_k = dz[(n * K + k) * D + d];
            sum_dz += dz_k;
            sum_dz_eps += dz_k * eps[(n * K + k) * D + d];
        }
        dh[n * 2 * D + d] = sum_dz + w[d] * mu;                                              // (4)
        dh[n * 2 * D + D + d] = REAL(0.5) * (sum_dz_eps * sigma + w[d] * expm1(logvar));     // (5)
    }
}
