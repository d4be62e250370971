// The equations are those of categorical.py. One block for each row of a, one thread for each of
// its places, which goes through the categories in their order; block_sum adds what the threads
// found in a fixed order, in double.

// nll (M,), da (M, P, C) <- a (M, P, C), x (M / K, P, C).
extern "C" __global__ void categorical_nll(REAL* nll, REAL* da, const REAL* a, const REAL* x,
                                           int M, int P, int C, int K)
{
    for (int m = blockIdx.x; m < M; m += gridDim.x) {
        double total = 0;
        for (int p = threadIdx.x; p < P; p += THREADS) {
            const REAL *a_p = a + (m * P + p) * C, *x_p = x + (m / K * P + p) * C;
            REAL* da_p = da + (m * P + p) * C;
            REAL most = a_p[0];
            for (int c = 1; c < C; ++c)
                most = a_p[c] > most ? a_p[c] : most;
            double Z = 0, S = 0;
            for (int c = 0; c < C; ++c) {
                da_p[c] = exp(a_p[c] - most);  // (1) (2)
                Z += da_p[c];                  // (2)
                S += x_p[c];                   // (5)
            }
            const double log_Z = log(Z), per_Z = S / Z;
            for (int c = 0; c < C; ++c) {
                total += x_p[c] * (log_Z - (a_p[c] - most));  // (1) (3)
                da_p[c] = REAL(per_Z * da_p[c] - x_p[c]);     // (2) (5)
            }
        }
        total = block_sum(total);  // (4)
        if (threadIdx.x == 0)
            nll[m] = REAL(total);
    }
}
