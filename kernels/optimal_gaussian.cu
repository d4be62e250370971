// The equations are those of optimal_gaussian.py.

// da (size,) <- y (size,), total (k,): of n values an example.
extern "C" __global__ void optimal_gaussian_gradient(REAL* da, const REAL* y, const double* total,
                                                     int n, int size)
{
    const double variance = total[1] / (total[0] * n);  // (1)
    EACH(i, size)
        da[i] = REAL(y[i] / (2 * variance));  // (2)
}
