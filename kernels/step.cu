// The equations are those of step.py. One block: its threads take a sum each, and thread 0 alone
// writes the state.

// ring (R, k), total (k,), row (j,), state (2,) <- sums (S, k), schedule (any, j).
extern "C" __global__ void advance_step(double* ring, double* total, REAL* row, int* state,
                                        const double* sums, const REAL* schedule, int R, int k,
                                        int j, int S)
{
    const int steps = state[0], before = state[1];
    int bad = 0;
    for (int i = threadIdx.x; i < k; i += THREADS) {
        double sum = sums[i];
        for (int s = 1; s < S; ++s)
            sum += sums[s * k + i];  // (1)
        total[i] = sum;  // (1)
        ring[steps % R * k + i] = sum;  // (2)
        bad += !isfinite(sum);
    }
    const int halted = block_sum(bad) > 0 || before;  // (3); every thread has read the state
    for (int i = threadIdx.x; i < j; i += THREADS)
        row[i] = schedule[steps * j + i];  // (4)
    if (threadIdx.x == 0) {
        state[1] = halted;  // (3)
        if (halted)
            row[0] = 0;  // (4)
        state[0] = steps + 1;  // (5)
    }
}
