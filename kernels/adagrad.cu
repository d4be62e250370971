// The equations are those of adagrad.py. One thread for each parameter.

extern "C" __global__ void adagrad(REAL* theta, REAL* h, const REAL* G, const REAL* row,
                                   double epsilon, int S, int n, int start, int stop)
{
    const REAL e = REAL(epsilon), c = row[0], alpha = row[1];
    if (c == 0)
        return;
    EACH(k, stop - start) {
        const int i = start + k;
        const REAL g = c * shard_sum(G, S, n, i);        // (1)
        h[i] += g * g;                                   // (2)
        theta[i] -= alpha * g / (sqrt(h[i]) + e);        // (3)
    }
}
