// The equations are those of observed.py. One thread for each number of a, or for each row's nll.

// out (M, P, L) <- a (M, P, L), s (M / K, P, C).
extern "C" __global__ void hide(REAL* out, const REAL* a, const REAL* s, int K, int M, int P,
                                int L, int C, double a0)
{
    EACH(i, M * P * L) {
        const int j = i % L, p = i / L % P, n = i / L / P / K;
        out[i] = s[(n * P + p) * C + j % C] != 0 ? a[i] : REAL(a0);  // (1)
    }
}

// nll (M,) <- itself, s (M / K, P, C).
extern "C" __global__ void leave_out(REAL* nll, const REAL* s, int K, int M, int P, int C,
                                     double f0)
{
    EACH(m, M) {
        int missing = 0;
        for (int i = 0; i < P * C; ++i)
            missing += s[m / K * P * C + i] == 0;
        nll[m] -= f0 * missing;  // (2)
    }
}

// da (M, P, L) <- itself, s (M / K, P, C).
extern "C" __global__ void leave_out_gradient(REAL* da, const REAL* s, int K, int M, int P, int L,
                                              int C)
{
    EACH(i, M * P * L) {
        const int j = i % L, p = i / L % P, n = i / L / P / K;
        da[i] = s[(n * P + p) * C + j % C] != 0 ? da[i] : REAL(0);  // (3)
    }
}
