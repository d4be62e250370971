// The equations are those of batch.py. One thread for each number of x; where a row of data begins
// is 64-bit, since a data set may hold more numbers than an int counts.

extern "C" __global__ void gather_grey(REAL* x, const unsigned char* data, const unsigned* rows,
                                       int N, int D, double unit)
{
    EACH(i, N * D)
        x[i] = REAL(data[(long long)rows[i / D] * D + i % D]) * REAL(unit);  // (1)
}

extern "C" __global__ void gather_threshold(REAL* x, const unsigned char* data,
                                            const unsigned* rows, int N, int D, int white)
{
    EACH(i, N * D)
        x[i] = 2 * data[(long long)rows[i / D] * D + i % D] > white;  // (2)
}

extern "C" __global__ void gather_dynamic(REAL* x, const unsigned char* data, const unsigned* rows,
                                          const REAL* u, int N, int D, int white)
{
    EACH(i, N * D)
        x[i] = white * double(u[i]) < data[(long long)rows[i / D] * D + i % D];  // (3)
}

template <class T>
__device__ inline void gather_values(REAL* x, const T* data, const unsigned* rows, int N, int D)
{
    EACH(i, N * D)
        x[i] = REAL(data[(long long)rows[i / D] * D + i % D]);  // (4)
}

extern "C" __global__ void gather_values_float(REAL* x, const float* data, const unsigned* rows,
                                               int N, int D)
{
    gather_values(x, data, rows, N, D);
}

extern "C" __global__ void gather_values_double(REAL* x, const double* data, const unsigned* rows,
                                                int N, int D)
{
    gather_values(x, data, rows, N, D);
}

extern "C" __global__ void take(unsigned* rows, const unsigned* order, const int* state,
                                int first, int batch, int N)
{
    EACH(n, N)
        rows[n] = order[state[0] * batch + first + n];  // (5)
}
