// The equations are those of sums.py. One block for each term: its threads take every 256th
// number, and block_sum adds what they found in a fixed order, in double.

// total (terms + 1,) <- the first of a (n_a,), b (n_b,), c (n_c,).
extern "C" __global__ void sums(double* total, const REAL* a, const REAL* b, const REAL* c,
                                int N, int terms, int n_a, int n_b, int n_c)
{
    for (int j = blockIdx.x; j < terms; j += gridDim.x) {
        const REAL* term = j == 0 ? a : j == 1 ? b : c;
        const int n = j == 0 ? n_a : j == 1 ? n_b : n_c;
        double sum = 0;
        for (int i = threadIdx.x; i < n; i += THREADS)
            sum += term[i];  // (2)
        sum = block_sum(sum);  // (2)
        if (threadIdx.x == 0)
            total[j + 1] = sum;  // (2)
        if (threadIdx.x == 0 && j == 0)
            total[0] = N;  // (1)
    }
}
