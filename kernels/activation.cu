// The equations are those of activation.py. Forward, one thread for each number. Backward, a block
// takes a tile of a few columns (a power of 2) and a part of the rows, its threads side by side
// along each row; the sums over rows are halved within the block and added over the parts in a
// fixed order, in double.

constexpr REAL LEAK = REAL(0.01);  // s in (7), that of activation.py

__device__ inline REAL identity(REAL a) { return a; }                            // (5)
__device__ inline REAL d_identity(REAL) { return 1; }                            // (5)
__device__ inline REAL relu(REAL a) { return a < 0 ? 0 : a; }  // (6), and a NaN stays one
__device__ inline REAL d_relu(REAL y) { return y > 0 ? 1 : 0; }                  // (6)
__device__ inline REAL leaky(REAL a) { return a > 0 ? a : LEAK * a; }            // (7)
__device__ inline REAL d_leaky(REAL y) { return y > 0 ? REAL(1) : LEAK; }        // (7)
__device__ inline REAL tangent(REAL a) { return tanh(a); }                       // (8)
__device__ inline REAL d_tangent(REAL y) { return 1 - y * y; }                   // (8)
__device__ inline REAL sigmoid(REAL a)
{
    const REAL e = exp(-fabs(a));
    return (a >= 0 ? 1 : e) / (1 + e);  // (9)
}
__device__ inline REAL d_sigmoid(REAL y) { return y * (1 - y); }                 // (9)
__device__ inline REAL softplus(REAL a) { return (a < 0 ? 0 : a) + log1p(exp(-fabs(a))); }  // (10)
__device__ inline REAL d_softplus(REAL y) { return -expm1(-y); }                 // (10)

// y (N, O) <- phi(y + b), b (O,).
template <REAL phi(REAL)>
__device__ inline void activate(REAL* y, const REAL* b, int N, int O)
{
    EACH(i, N * O)
        y[i] = phi(y[i] + b[i % O]);  // (2)
}

// da (N, O), unless it is null, and db (O,) <- dy (N, O), y (N, O). Where the rows are in several
// parts, their sums go to partials (parts, O) instead of db.
template <REAL dphi(REAL)>
__device__ inline void gradient(REAL* da, REAL* db, double* partials, const REAL* dy,
                                const REAL* y, bool add, int N, int O, int parts, int columns)
{
    const int column = threadIdx.x % columns, lane = threadIdx.x / columns,
              lanes = THREADS / columns;
    const int rows = (N + parts - 1) / parts, tiles = (O + columns - 1) / columns;
    for (int part = blockIdx.y; part < parts; part += gridDim.y)
        for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
            const int o = tile * columns + column;
            const int last = (part + 1) * rows < N ? (part + 1) * rows : N;
            double sum = 0;
            for (int n = o < O ? part * rows + lane : last; n < last; n += lanes) {
                const REAL d = dy[n * O + o] * dphi(y[n * O + o]);  // (3)
                if (da)
                    da[n * O + o] = d;
                sum += d;  // (4)
            }
            sum = column_sum(sum, columns);  // (4)
            if (lane == 0 && o < O) {
                if (parts > 1)
                    partials[part * O + o] = sum;
                else
                    db[o] = REAL(add ? db[o] + sum : sum);  // (4)
            }
        }
}

// db (O,) <- partials (parts, O).
extern "C" __global__ void add_partials(REAL* db, const double* partials, bool add, int O,
                                        int parts, int columns)
{
    const int column = threadIdx.x % columns, lane = threadIdx.x / columns,
              lanes = THREADS / columns;
    const int tiles = (O + columns - 1) / columns;
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const int o = tile * columns + column;
        double sum = 0;
        for (int part = o < O ? lane : parts; part < parts; part += lanes)
            sum += partials[part * O + o];  // (4)
        sum = column_sum(sum, columns);  // (4)
        if (lane == 0 && o < O)
            db[o] = REAL(add ? db[o] + sum : sum);  // (4)
    }
}

extern "C" __global__ void bias_identity(REAL* y, const REAL* b, int N, int O)
{
    activate<identity>(y, b, N, O);
}
extern "C" __global__ void bias_relu(REAL* y, const REAL* b, int N, int O)
{
    activate<relu>(y, b, N, O);
}
extern "C" __global__ void bias_leaky_relu(REAL* y, const REAL* b, int N, int O)
{
    activate<leaky>(y, b, N, O);
}
extern "C" __global__ void bias_tanh(REAL* y, const REAL* b, int N, int O)
{
    activate<tangent>(y, b, N, O);
}
extern "C" __global__ void bias_sigmoid(REAL* y, const REAL* b, int N, int O)
{
    activate<sigmoid>(y, b, N, O);
}
extern "C" __global__ void bias_softplus(REAL* y, const REAL* b, int N, int O)
{
    activate<softplus>(y, b, N, O);
}

// The identity's da is dy itself.
extern "C" __global__ void identity_gradient(REAL* da, REAL* db, double* partials, const REAL* dy,
                                             const REAL* y, bool add, int N, int O, int parts,
                                             int columns)
{
    gradient<d_identity>(nullptr, db, partials, dy, y, add, N, O, parts, columns);
}

extern "C" __global__ void relu_gradient(REAL* da, REAL* db, double* partials, const REAL* dy,
                                         const REAL* y, bool add, int N, int O, int parts,
                                         int columns)
{
    gradient<d_relu>(da, db, partials, dy, y, add, N, O, parts, columns);
}

extern "C" __global__ void leaky_relu_gradient(REAL* da, REAL* db, double* partials,
                                               const REAL* dy, const REAL* y, bool add, int N,
                                               int O, int parts, int columns)
{
    gradient<d_leaky>(da, db, partials, dy, y, add, N, O, parts, columns);
}

extern "C" __global__ void tanh_gradient(REAL* da, REAL* db, double* partials, const REAL* dy,
                                         const REAL* y, bool add, int N, int O, int parts,
                                         int columns)
{
    gradient<d_tangent>(da, db, partials, dy, y, add, N, O, parts, columns);
}

extern "C" __global__ void sigmoid_gradient(REAL* da, REAL* db, double* partials, const REAL* dy,
                                            const REAL* y, bool add, int N, int O, int parts,
                                            int columns)
{
    gradient<d_sigmoid>(da, db, partials, dy, y, add, N, O, parts, columns);
}

extern "C" __global__ void softplus_gradient(REAL* da, REAL* db, double* partials, const REAL* dy,
                                             const REAL* y, bool add, int N, int O, int parts,
                                             int columns)
{
    gradient<d_softplus>(da, db, partials, dy, y, add, N, O, parts, columns);
}
