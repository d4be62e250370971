// The equations are those of importance.py. A thread goes through the K samples of an example in
// their order.

// r (M,) <- z, eps (M, D), h (M / K, 2D).
extern "C" __global__ void gaussian_ratio(REAL* r, const REAL* z, const REAL* h, const REAL* eps,
                                          int M, int D, int K)
{
    EACH(m, M) {
        const REAL* logvar = h + (m / K) * 2 * D + D;
        double total = 0;
        for (int d = 0; d < D; ++d) {
            const REAL z_d = z[m * D + d], eps_d = eps[m * D + d];
            total += REAL(0.5) * (z_d * z_d - eps_d * eps_d - logvar[d]);  // (1)
        }
        r[m] = total;
    }
}

// w (N K,), bound (N,) <- nll, r (N K,).
extern "C" __global__ void importance_weights(REAL* w, REAL* bound, const REAL* nll, const REAL* r,
                                              int N, int K, double least)
{
    EACH(n, N) {
        double top = -(double(nll[n * K]) + double(r[n * K])), s = 0;  // (2)
        for (int m = n * K + 1; m < n * K + K; ++m) {
            const double log_w = -(double(nll[m]) + double(r[m]));
            top = log_w > top ? log_w : top;  // (2)
        }
        for (int m = n * K; m < n * K + K; ++m)
            s += exp(-(double(nll[m]) + double(r[m])) - top);  // (2) (3)
        bound[n] = log(double(K)) - top - log(s);  // (4)
        for (int m = n * K; m < n * K + K; ++m) {
            const double W = exp(-(double(nll[m]) + double(r[m])) - top) / s;  // (5)
            w[m] = W < least ? 0 : W;                                          // (5)
        }
    }
}

// out (M, C) <- y (M, C), w (M,); out may be y.
extern "C" __global__ void weigh_rows(REAL* out, const REAL* y, const REAL* w, int M, int C)
{
    EACH(i, M * C) {
        out[i] = w[i / C] * y[i];  // (6)
    }
}

// dh (N, 2D) <- dz, z (N K, D), h (N, 2D), eps (N K, D), w (N K,).
extern "C" __global__ void gaussian_weighed(REAL* dh, const REAL* dz, const REAL* z, const REAL* h,
                                            const REAL* eps, const REAL* w, int N, int D, int K)
{
    EACH(i, N * D) {
        const int n = i / D, d = i % D;
        const REAL sigma = exp(REAL(0.5) * h[n * 2 * D + D + d]);
        REAL dmu = 0, dlogvar = 0;
        for (int m = n * K; m < n * K + K; ++m) {
            const REAL g = dz[m * D + d] + w[m] * z[m * D + d];  // (7)
            dmu += g;  // (8)
            dlogvar += REAL(0.5) * (g * eps[m * D + d] * sigma - w[m]);  // (9)
        }
        dh[n * 2 * D + d] = dmu;
        dh[n * 2 * D + D + d] = dlogvar;
    }
}

// dh (N, 2D) <- dz, z (N K, D), h (N, 2D), eps (N K, D), w (N K,).
extern "C" __global__ void gaussian_path(REAL* dh, const REAL* dz, const REAL* z, const REAL* h,
                                         const REAL* eps, const REAL* w, int N, int D, int K)
{
    EACH(i, N * D) {
        const int n = i / D, d = i % D;
        const REAL sigma = exp(REAL(0.5) * h[n * 2 * D + D + d]);
        REAL dmu = 0, dlogvar = 0;
        for (int m = n * K; m < n * K + K; ++m) {
            const REAL g = dz[m * D + d] + w[m] * (z[m * D + d] - eps[m * D + d] / sigma);  // (10)
            dmu += g;  // (11)
            dlogvar += REAL(0.5) * g * eps[m * D + d] * sigma;  // (12)
        }
        dh[n * 2 * D + d] = dmu;
        dh[n * 2 * D + D + d] = dlogvar;
    }
}
