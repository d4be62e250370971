// The equations are those of lstm.py, for one step. One thread for each unit of each example: its
// gates, c and h.

__device__ inline REAL sigmoid(REAL a)
{
    const REAL e = exp(-fabs(a));
    return (a >= 0 ? 1 : e) / (1 + e);
}

// gates (4, N, U), c, h (N, U) <- a, r (N, 4U), b (4U,), c_before (N, U).
extern "C" __global__ void lstm_gates(REAL* gates, REAL* c, REAL* h, const REAL* a, const REAL* r,
                                      const REAL* b, const REAL* c_before, int N, int U)
{
    EACH(k, N * U) {
        const int n = k / U, u = k % U, at = n * 4 * U + u;
        const REAL a_i = a[at] + r[at] + b[u], a_f = a[at + U] + r[at + U] + b[u + U];       // (1)
        const REAL a_g = a[at + 2 * U] + r[at + 2 * U] + b[u + 2 * U];                       // (1)
        const REAL a_o = a[at + 3 * U] + r[at + 3 * U] + b[u + 3 * U];                       // (1)
        const REAL i = sigmoid(a_i), f = sigmoid(a_f), g = tanh(a_g), o = sigmoid(a_o);      // (2)
        gates[k] = i, gates[k + N * U] = f, gates[k + 2 * N * U] = g, gates[k + 3 * N * U] = o;
        c[k] = f * c_before[k] + i * g;  // (3)
        h[k] = o * tanh(c[k]);           // (4)
    }
}

// da (N, 4U), dc (N, U) <- dc, 0 if this is the last step, dh (N, U), gates (4, N, U), c,
// c_before (N, U).
extern "C" __global__ void lstm_gradient(REAL* da, REAL* dc, const REAL* dh, const REAL* gates,
                                         const REAL* c, const REAL* c_before, bool last, int N,
                                         int U)
{
    EACH(k, N * U) {
        const int n = k / U, u = k % U, at = n * 4 * U + u;
        const REAL i = gates[k], f = gates[k + N * U], g = gates[k + 2 * N * U],
                   o = gates[k + 3 * N * U];
        const REAL t = tanh(c[k]), total = (last ? 0 : dc[k]) + dh[k] * o * (1 - t * t);    // (6)
        da[at + 3 * U] = dh[k] * t * o * (1 - o);                                           // (7)
        da[at] = total * g * i * (1 - i);                                                   // (8)
        da[at + U] = total * c_before[k] * f * (1 - f);                                     // (9)
        da[at + 2 * U] = total * i * (1 - g * g);                                           // (10)
        dc[k] = total * f;                                                                  // (11)
    }
}
