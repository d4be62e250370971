// (10) of convolution.py, whose products are cuBLAS's and whose patches are those of patches.cu.
// One thread for each number of out.

// out (kh, kw, B, A) = or += W (kh, kw, A, B); taps: kh kw.
extern "C" __global__ void rotate_kernel(REAL* out, const REAL* W, bool add, int taps, int A,
                                         int B)
{
    EACH(m, taps * B * A) {
        const int a = m % A, b = m / A % B, tap = m / A / B;
        const REAL rotated = W[((taps - 1 - tap) * A + a) * B + b];  // (10)
        out[m] = add ? out[m] + rotated : rotated;  // (10)
    }
}
