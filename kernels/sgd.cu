// The equations are those of sgd.py. One thread for each parameter; it adds the shards in their order.

extern "C" __global__ void sgd(REAL* theta, REAL* v, const REAL* G, const REAL* now,
                               double mu, int S, int n, int start, int stop)
{
    const REAL momentum = REAL(mu), c = now[0], alpha = now[1];
    if (c == 0)
        return;
    EACH(k, stop - start) {
        const int i = start + k;
        REAL sum = G[i];
        for (int s = 1; s < S; ++s)
            sum += G[s * n + i];
        const REAL g = c * sum;        // (1)
        v[i] = momentum * v[i] + g;    // (2)
        theta[i] -= alpha * v[i];      // (3)
    }
}
