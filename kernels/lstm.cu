// The equations are those of lstm.py. One thread for each unit of each example: its four gates, c and h.

__device__ inline REAL sigmoid(REAL a)
{
    const REAL e = exp(-fabs(a));
    return (a >= 0 ? 1 : e) / (1 + e);
}

// a (N, 4U), c, h (N, U) <- a, r (N, 4U), b (4U,), c_before (N, U).
extern "C" __global__ void lstm_gates(REAL* a, REAL* c, REAL* h, const REAL* r, const REAL* b,
                                      const REAL* c_before, int N, int U)
{
    EACH(k, N * U) {
        const int n = k / U, u = k % U, at = n * 4 * U + u;
        const REAL a_i = a[at] + r[at] + b[u], a_f = a[at + U] + r[at + U] + b[u + U];                      // (1)
        const REAL a_g = a[at + 2 * U] + r[at + 2 * U] + b[u + 2 * U];                                      // (1)
        const REAL a_o = a[at + 3 * U] + r[at + 3 * U] + b[u + 3 * U];                                      // (1)
        const REAL i = sigmoid(a_i), f = sigmoid(a_f), g = tanh(a_g), o = sigmoid(a_o);                     // (2)
        a[at] = i, a[at + U] = f, a[at + 2 * U] = g, a[at + 3 * U] = o;
        c[k] = f * c_before[k] + i * g;  // (3)
        h[k] = o * tanh(c[k]);           // (4)
    }
}

// da (N, 4U), dc_before (N, U) <- dh, dc (N, U), gates (N, 4U), c, c_before (N, U).
extern "C" __global__ void lstm_gradient(REAL* da, REAL* dc_before, const REAL* dh, const REAL* dc,
                                         const REAL* gates, const REAL* c, const REAL* c_before, int N, int U)
{
    EACH(k, N * U) {
        const int n = k / U, u = k % U, at = n * 4 * U + u;
        const REAL i = gates[at], f = gates[at + U], g = gates[at + 2 * U], o = gates[at + 3 * U];
        const REAL t = tanh(c[k]), total = dc[k] + dh[k] * o * (1 - t * t);     // (6)
        da[at + 3 * U] = dh[k] * t * o * (1 - o);                               // (7)
        da[at] = total * g * i * (1 - i);                                       // (8)
        da[at + U] = total * c_before[k] * f * (1 - f);                         // (9)
        da[at + 2 * U] = total * i * (1 - g * g);                               // (10)
        dc_before[k] = total * f;                                               // (11)
    }
}
