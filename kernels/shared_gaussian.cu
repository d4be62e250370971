// The equations are those of shared_gaussian.py. One block for each row of a: its threads take
// every 256th value, and block_sum adds what they found in a fixed order, in double.

// l of sigma^2 = exp(l), and g, in double.
__device__ inline double log_variance(double logvar, double L)
{
    return (logvar < L ? L : logvar) + log1p(exp(-fabs(logvar - L)));  // (1) (2)
}

// nll, q (M,), da (M, D) <- a (M, D), x (M / K, D), logvar (1,).
extern "C" __global__ void shared_gaussian_nll(REAL* nll, REAL* da, REAL* q, const REAL* a,
                                               const REAL* x, const REAL* logvar, double L,
                                               double log_2pi, int M, int D, int K)
{
    const double l = log_variance(logvar[0], L), tau = exp(-l);  // (1)
    for (int m = blockIdx.x; m < M; m += gridDim.x) {
        double total = 0;
        for (int d = threadIdx.x; d < D; d += THREADS) {
            const REAL r = a[m * D + d] - x[m / K * D + d];
            total += r * r;
            da[m * D + d] = REAL(tau) * r;  // (5)
        }
        total = block_sum(total);
        if (threadIdx.x == 0) {
            q[m] = REAL(tau * total);                              // (3)
            nll[m] = REAL((tau * total + D * (l + log_2pi)) / 2);  // (4)
        }
    }
}

// dlogvar (1,) <- q, w (M,), logvar (1,): one block.
extern "C" __global__ void shared_gaussian_gradient(REAL* dlogvar, const REAL* q, const REAL* w,
                                                    const REAL* logvar, double L, int M, int D,
                                                    int add)
{
    const double v = logvar[0], e = exp(-fabs(v - L));    // (2)
    const double g = (v >= L ? 1 : e) / (1 + e);          // (6)
    double total = 0;
    for (int m = threadIdx.x; m < M; m += THREADS)
        total += double(w[m]) * (D - double(q[m]));       // (7)
    total = block_sum(total);
    if (threadIdx.x == 0)
        dlogvar[0] = REAL(g * total / 2 + (add ? double(dlogvar[0]) : 0));  // (7)
}
