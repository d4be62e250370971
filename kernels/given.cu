// The equations are those of given.py. One thread for each number that is written.

// y (M, I + C) <- x (M, I), c (M / K, C).
extern "C" __global__ void join(REAL* y, const REAL* x, const REAL* c, int M, int I, int C, int K)
{
    EACH(i, M * (I + C)) {
        const int m = i / (I + C), j = i % (I + C);
        y[i] = j < I ? x[m * I + j] : c[m / K * C + j - I];  // (1)
    }
}

// dx (M, I) <- dy (M, J), J = I + C.
extern "C" __global__ void split(REAL* dx, const REAL* dy, int M, int I, int J)
{
    EACH(i, M * I)
        dx[i] = dy[i / I * J + i % I];  // (2)
}

template <class T>
__device__ inline void one_hot(REAL* c, const T* labels, const unsigned* rows, int N, int C)
{
    EACH(i, N * C)
        c[i] = labels[rows[i / C]] == T(i % C);  // (3)
}

extern "C" __global__ void one_hot_float(REAL* c, const float* labels, const unsigned* rows, int N,
                                         int C)
{
    one_hot(c, labels, rows, N, C);
}

extern "C" __global__ void one_hot_double(REAL* c, const double* labels, const unsigned* rows,
                                          int N, int C)
{
    one_hot(c, labels, rows, N, C);
}
