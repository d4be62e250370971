// The equations are those of rmsprop.py. One thread for each parameter.

extern "C" __global__ void rmsprop(REAL* theta, REAL* v, const REAL* G, const REAL* row,
                                   double rho, double epsilon, int S, int n, int start, int stop)
{
    const REAL r = REAL(rho), e = REAL(epsilon), c = row[0], alpha = row[1];
    const REAL r1 = REAL(1 - rho);  // subtracted in double, as in adam.cu
    if (c == 0)
        return;
    EACH(k, stop - start) {
        const int i = start + k;
        const REAL g = c * shard_sum(G, S, n, i);        // (1)
        v[i] = r * v[i] + r1 * g * g;                    // (2)
        theta[i] -= alpha * g / (sqrt(v[i]) + e);        // (3)
    }
}
