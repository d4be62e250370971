// The equations are those of sgd.py. One thread for each parameter.

extern "C" __global__ void sgd(REAL* theta, REAL* v, const REAL* G, const REAL* row,
                               double mu, int S, int n, int start, int stop)
{
    const REAL momentum = REAL(mu), c = row[0], alpha = row[1];
    if (c == 0)
        return;
    EACH(k, stop - start) {
        const int i = start + k;
        const REAL g = c * shard_sum(G, S, n, i); // (1)
        v[i] = momentum * v[i] + g;    // (2)
        theta[i] -= alpha * v[i];      // (3)
    }
}
