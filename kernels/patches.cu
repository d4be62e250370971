// The equations are those of patches.py. One thread for each number that is written, or for each
// four of them, neighbours along the channels. col2im is a gather: a pixel adds the patches that
// hold it, in the order of the taps, and no two threads meet.

// cols (N, P, Q, kh, kw, C) <- x (N, H, W, C).
template <class Numbers>
__device__ inline void to_patches(Numbers* cols, const Numbers* x, int N, int H, int W, int C,
                                  int P, int Q, int kh, int kw, int s_h, int s_w, int top,
                                  int left)
{
    EACH(m, N * P * Q * kh * kw * C) {
        const int c = m % C, tap = m / C % (kh * kw), patch = m / C / (kh * kw);
        const int i = tap / kw, j = tap % kw, n = patch / (P * Q), p = patch / Q % P,
                  q = patch % Q;
        const int h = p * s_h + i - top, w = q * s_w + j - left;
        const bool inside = 0 <= h && h < H && 0 <= w && w < W;
        cols[m] = inside ? x[((n * H + h) * W + w) * C + c] : Numbers{};  // (1)
    }
}

// x (N, H, W, C) <- cols (N, P, Q, kh, kw, C).
template <class Numbers>
__device__ inline void to_image(Numbers* x, const Numbers* cols, int N, int H, int W, int C,
                                int P, int Q, int kh, int kw, int s_h, int s_w, int top, int left)
{
    EACH(m, N * H * W * C) {
        const int c = m % C, w = m / C % W, h = m / C / W % H, n = m / C / W / H;
        Numbers sum{};
        for (int i = (h + top) % s_h; i < kh; i += s_h) {
            // without a rest; below 0 for the taps that reach beyond h
            const int p = (h + top - i) / s_h;
            for (int j = (w + left) % s_w; j < kw; j += s_w) {
                const int q = (w + left - j) / s_w;
                if (0 <= p && p < P && 0 <= q && q < Q) {
                    const Numbers dx = cols[((((n * P + p) * Q + q) * kh + i) * kw + j) * C + c];
                    sum += dx;  // (2)
                }
            }
        }
        x[m] = sum;
    }
}

extern "C" __global__ void im2col(REAL* cols, const REAL* x, int N, int H, int W, int C, int P,
                                  int Q, int kh, int kw, int s_h, int s_w, int top, int left)
{
    to_patches(cols, x, N, H, W, C, P, Q, kh, kw, s_h, s_w, top, left);
}

extern "C" __global__ void col2im(REAL* x, const REAL* cols, int N, int H, int W, int C, int P,
                                  int Q, int kh, int kw, int s_h, int s_w, int top, int left)
{
    to_image(x, cols, N, H, W, C, P, Q, kh, kw, s_h, s_w, top, left);
}

// The same for C fours of channels.
extern "C" __global__ void im2col_fours(REAL* cols, const REAL* x, int N, int H, int W, int C,
                                        int P, int Q, int kh, int kw, int s_h, int s_w, int top,
                                        int left)
{
    to_patches(reinterpret_cast<Four*>(cols), reinterpret_cast<const Four*>(x), N, H, W, C, P, Q,
               kh, kw, s_h, s_w, top, left);
}

extern "C" __global__ void col2im_fours(REAL* x, const REAL* cols, int N, int H, int W, int C,
                                        int P, int Q, int kh, int kw, int s_h, int s_w, int top,
                                        int left)
{
    to_image(reinterpret_cast<Four*>(x), reinterpret_cast<const Four*>(cols), N, H, W, C, P, Q,
             kh, kw, s_h, s_w, top, left);
}
