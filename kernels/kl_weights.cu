// The equations are those of kl_weights.py. Sums take a block for each tile of groups, weights a
// thread each; a NaN in a sum stays one in the weights.

// s (G,) <- kl (N, G size).
extern "C" __global__ void group_sums(double* s, const REAL* kl, int N, int G, int size,
                                      int columns)
{
    sum_columns(s, N * size, G, columns, [=](int i, int g) {
        return double(kl[(i / size * G + g) * size + i % size]);  // (1)
    });
}

// w (J,) <- total (3 + J / size,), beta (J,).
extern "C" __global__ void free_bits(REAL* w, const double* total, const REAL* beta, double floor,
                                     int J, int size)
{
    EACH(j, J) {
        const double rate = total[3 + j / size] / total[0];
        w[j] = beta[j] * REAL(rate > floor ? 1 : rate <= floor ? 0 : rate);  // (2)
    }
}

// w (J,) <- total (k,), row (2,).
extern "C" __global__ void capacity(REAL* w, const double* total, const REAL* row, int J)
{
    EACH(j, J) {
        const double over = total[2] / total[0] - double(row[1]);
        const double sign = over > 0 ? 1 : over < 0 ? -1 : over;  // a NaN stays one
        w[j] = REAL(double(row[0]) * sign);  // (3)
    }
}
