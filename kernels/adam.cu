// The equations are those of adam.py. One thread for each parameter.

extern "C" __global__ void adam(REAL* theta, REAL* m, REAL* v, const REAL* G, const REAL* row,
                                double beta1, double beta2, double epsilon, int S, int n,
                                int start, int stop)
{
    const REAL b1 = REAL(beta1), b2 = REAL(beta2), e = REAL(epsilon);
    // subtracted in double: 1 - float(0.999) is 1.3e-5 off
    const REAL r1 = REAL(1 - beta1), r2 = REAL(1 - beta2);
    const REAL c = row[0], alpha = row[1], correction1 = row[2], correction2 = row[3];
    if (c == 0)
        return;
    EACH(k, stop - start) {
        const int i = start + k;
        const REAL g = c * shard_sum(G, S, n, i);             // (1)
        m[i] = b1 * m[i] + r1 * g;                            // (2)
        v[i] = b2 * v[i] + r2 * g * g;                        // (3)
        const REAL m_hat = m[i] / correction1;                // (4)
        const REAL v_hat = v[i] / correction2;                // (5)
        theta[i] -= alpha * m_hat / (sqrt(v_hat) + e);        // (6)
    }
}
