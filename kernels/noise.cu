// The equations are those of noise.py. One thread for each number; one alone for the gate.

// on (1,) <- clock (4,).
extern "C" __global__ void gate(REAL* on, const unsigned* clock, bool always)
{
    EACH(i, 1)
        on[i] = clock[3] == 0 || always;  // (1)
}

// y (n,) <- x, eps (n,), on (1,).
extern "C" __global__ void gaussian_noise(REAL* y, const REAL* x, const REAL* eps, const REAL* on,
                                          REAL sigma, REAL low, REAL high, int n)
{
    const REAL scale = on[0] * sigma;
    EACH(i, n) {
        const REAL a = x[i] + scale * eps[i];        // (2)
        y[i] = a < low ? low : a > high ? high : a;  // (3)
    }
}

// dx (n,) <- dy, x, eps (n,), on (1,).
extern "C" __global__ void gaussian_noise_gradient(REAL* dx, const REAL* dy, const REAL* x,
                                                   const REAL* eps, const REAL* on, REAL sigma,
                                                   REAL low, REAL high, int n)
{
    const REAL scale = on[0] * sigma;
    EACH(i, n) {
        const REAL a = x[i] + scale * eps[i];             // (2)
        dx[i] = a < low || a > high ? REAL(0) : dy[i];    // (4)
    }
}

// The f of one u.
__device__ inline REAL factor(REAL u, REAL on, double p, REAL c)
{
    const REAL m = u < p ? 0 : 1;         // (5)
    return on != 0 ? c * m : REAL(1);     // (6)
}

// y (n,) <- x, u (n,), on (1,).
extern "C" __global__ void mask(REAL* y, const REAL* x, const REAL* u, const REAL* on, double p,
                                REAL c, int n)
{
    EACH(i, n)
        y[i] = factor(u[i], on[0], p, c) * x[i];  // (7)
}

// y (n,) <- x, u (n,), on (1,).
extern "C" __global__ void salt_and_pepper(REAL* y, const REAL* x, const REAL* u, const REAL* on,
                                           double p, int n)
{
    EACH(i, n) {
        const REAL s = u[i] >= p / 2 && u[i] < p ? on[0] : REAL(0);  // (8)
        y[i] = factor(u[i], on[0], p, 1) * x[i] + s;                 // (9)
    }
}
