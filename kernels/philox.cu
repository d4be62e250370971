// The equations are those of philox.py. One thread for each block of four words; no thread knows
// of another.

constexpr unsigned M0 = 0xD2511F53, M1 = 0xCD9E8D57, W0 = 0x9E3779B9, W1 = 0xBB67AE85;
constexpr double UNIT = 1.0 / (1 << 24);

// w (4,) <- the words of one block of one row at that clock (4,).
__device__ inline void philox(unsigned* w, unsigned block, unsigned row, const unsigned* clock,
                              unsigned stream)
{
    unsigned c0 = block, c1 = row, c2 = clock[2], c3 = clock[3] + stream, k0 = clock[0],
             k1 = clock[1];
    for (int round = 0; round < 10; ++round) {
        const unsigned long long p0 = (unsigned long long)M0 * c0,
                                 p1 = (unsigned long long)M1 * c2;
        const unsigned h0 = unsigned(p0 >> 32), l0 = unsigned(p0);  // (1)
        const unsigned h1 = unsigned(p1 >> 32), l1 = unsigned(p1);  // (1)
        c0 = h1 ^ c1 ^ k0, c1 = l1, c2 = h0 ^ c3 ^ k1, c3 = l0;  // (2)
        k0 += W0, k1 += W1;                                      // (3)
    }
    w[0] = c0, w[1] = c1, w[2] = c2, w[3] = c3;
}

struct Draw {
    int place, count;  // where its first word goes in out, and how many of the four are in the row
    unsigned w[4];
};

// The i-th block of words of all rows, (P + 3) / 4 of them a row.
__device__ inline Draw draw(unsigned i, int P, const unsigned* rows, const unsigned* clock,
                            unsigned stream)
{
    const int blocks = (P + 3) / 4, n = i / blocks, first = 4 * (i % blocks);
    Draw d = {n * P + first, P - first < 4 ? P - first : 4, {}};
    philox(d.w, i % blocks, rows[n], clock, stream);
    return d;
}

// out (N, P).
extern "C" __global__ void words(unsigned* out, const unsigned* rows, const unsigned* clock,
                                 unsigned stream, int N, int P)
{
    EACH(i, N * ((P + 3) / 4)) {
        const Draw d = draw(i, P, rows, clock, stream);
        for (int j = 0; j < d.count; ++j)
            out[d.place + j] = d.w[j];
    }
}

// out (N, P).
extern "C" __global__ void uniform(REAL* out, const unsigned* rows, const unsigned* clock,
                                   unsigned stream, int N, int P)
{
    EACH(i, N * ((P + 3) / 4)) {
        const Draw d = draw(i, P, rows, clock, stream);
        for (int j = 0; j < d.count; ++j)
            out[d.place + j] = REAL(d.w[j] >> 8) * REAL(UNIT);  // (4)
    }
}

// out (N, P).
extern "C" __global__ void normal(REAL* out, const unsigned* rows, const unsigned* clock,
                                  unsigned stream, int N, int P)
{
    EACH(i, N * ((P + 3) / 4)) {
        const Draw d = draw(i, P, rows, clock, stream);
        for (int j = 0; j < 4; j += 2) {
            const REAL v = REAL((d.w[j] >> 8) + 1) * REAL(UNIT);   // (5)
            const REAL u = REAL(d.w[j + 1] >> 8) * REAL(UNIT);     // (4)
            const REAL radius = sqrt(-2 * log(v));
            if (j < d.count)
                out[d.place + j] = radius * cospi(2 * u);          // (6)
            if (j + 1 < d.count)
                out[d.place + j + 1] = radius * sinpi(2 * u);      // (6)
        }
    }
}
