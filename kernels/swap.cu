// The equation is that of swap.py. One thread for each number that is written, neighbours along d.

// out (T, N, D) <- x (N, T, D).
extern "C" __global__ void swap(REAL* out, const REAL* x, int N, int T, int D)
{
    EACH(i, N * T * D) {
        const int d = i % D, n = i / D % N, t = i / D / N;
        out[i] = x[(n * T + t) * D + d];  // (1)
    }
}
