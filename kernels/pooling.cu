// The equations are those of pooling.py. One thread for each number that is written, neighbours
// along the channels. The gradients are gathers: a pixel adds what its windows hand it, in a fixed
// order, and no two threads meet.

// y, winner (N, P, Q, C) <- x (N, H, W, C).
extern "C" __global__ void max_pool(REAL* y, unsigned char* winner, const REAL* x, int N, int H,
                                    int W, int C, int P, int Q, int kh, int kw, int s_h, int s_w,
                                    int top, int left)
{
    EACH(m, N * P * Q * C) {
        const int c = m % C, q = m / C % Q, p = m / C / Q % P, n = m / C / Q / P;
        REAL most = 0;
        int best = -1;  // none yet
        for (int i = 0; i < kh; ++i)
            for (int j = 0; j < kw; ++j) {
                const int h = p * s_h + i - top, w = q * s_w + j - left;
                if (h < 0 || h >= H || w < 0 || w >= W)
                    continue;
                const REAL v = x[((n * H + h) * W + w) * C + c];
                if (best < 0 || v > most || isnan(v)) {
                    most = v;            // (1)
                    best = i * kw + j;   // (2)
                }
            }
        y[m] = most;        // (1)
        winner[m] = best;   // (2)
    }
}

// dx (N, H, W, C) <- dy, winner (N, P, Q, C).
extern "C" __global__ void max_pool_gradient(REAL* dx, const REAL* dy, const unsigned char* winner,
                                             int N, int H, int W, int C, int P, int Q, int kh,
                                             int kw, int s_h, int s_w, int top, int left)
{
    EACH(m, N * H * W * C) {
        const int c = m % C, w = m / C % W, h = m / C / W % H, n = m / C / W / H;
        REAL sum = 0;
        for (int i = (h + top) % s_h; i < kh; i += s_h) {
            // without a rest; below 0 for the taps that reach beyond h
            const int p = (h + top - i) / s_h;
            for (int j = (w + left) % s_w; j < kw; j += s_w) {
                const int q = (w + left - j) / s_w;
                if (p < 0 || p >= P || q < 0 || q >= Q)
                    continue;
                const int window = ((n * P + p) * Q + q) * C + c;
                if (winner[window] == i * kw + j)
                    sum += dy[window];  // (3)
            }
        }
        dx[m] = sum;
    }
}

// y (N, H f_h, W f_w, C) <- x (N, H, W, C).
extern "C" __global__ void upsample(REAL* y, const REAL* x, int N, int H, int W, int C, int f_h,
                                    int f_w)
{
    EACH(m, N * H * f_h * W * f_w * C) {
        // down counts through all images
        const int c = m % C, right = m / C % (W * f_w), down = m / C / (W * f_w);
        y[m] = x[(down / f_h * W + right / f_w) * C + c];  // (4)
    }
}

// dx (N, H, W, C) <- dy (N, H f_h, W f_w, C).
extern "C" __global__ void upsample_gradient(REAL* dx, const REAL* dy, int N, int H, int W, int C,
                                             int f_h, int f_w)
{
    EACH(m, N * H * W * C) {
        const int c = m % C, w = m / C % W, h = m / C / W;  // h counts through all images
        double sum = 0;
        for (int a = 0; a < f_h; ++a)
            for (int b = 0; b < f_w; ++b)
                sum += dy[((h * f_h + a) * W * f_w + w * f_w + b) * C + c];  // (5)
        dx[m] = REAL(sum);
    }
}
