// The equations are those of clip.py. A block for each piece, and one for the norm.

// q (B,) <- G (S, n), the part start:stop in B pieces.
extern "C" __global__ void squares(double* q, const REAL* G, int B, int S, int n, int start,
                                   int stop)
{
    const int length = (stop - start + B - 1) / B;
    for (int b = blockIdx.x; b < B; b += gridDim.x) {
        const int first = start + b * length, last = min(first + length, stop);
        double sum = 0;
        for (int i = first + int(threadIdx.x); i < last; i += THREADS) {
            const double g = shard_sum(G, S, n, i);
            sum += g * g;
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0)
            q[b] = sum;  // (1)
    }
}

// row (j,), c first, <- q (B,).
extern "C" __global__ void clip(REAL* row, const double* q, double bound, int B)
{
    double sum = 0;
    for (int b = threadIdx.x; b < B; b += THREADS)
        sum += q[b];
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        const double norm = double(row[0]) * sqrt(sum);  // (2)
        if (norm > bound && isfinite(norm))
            row[0] = REAL(double(row[0]) * (bound / norm));  // (3)
    }
}
