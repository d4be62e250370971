// Lets g++ compile the text of a CUDA kernel as C++: put before it by -include. Each CUDA thread
// is a fiber of the runtime (fibers.cpp), one runs at a time, and a barrier or a shuffle hands
// over to the others.

#pragma once
#include <math.h>  // its C++ form: every function is overloaded for float and double

#include <cstddef>
#include <cstdint>
#include <cstring>

struct emulator_dim3 {
    unsigned x, y, z;
};

extern "C" {
extern emulator_dim3 emulator_thread, emulator_block, emulator_block_size, emulator_grid_size;
void emulator_barrier(const char* file, int line);
// All lanes of the mask -> for each the bits that lane `source` brought, all ones if that lane is
// not among them.
uint64_t emulator_shuffle(const char* file, int line, unsigned mask, unsigned source,
                          uint64_t bits);
unsigned emulator_lane();
}

#define threadIdx emulator_thread
#define blockIdx emulator_block
#define blockDim emulator_block_size
#define gridDim emulator_grid_size
#define warpSize 32

#define __global__
#define __host__
#define __device__ __attribute__((unused))
#define __constant__ static __attribute__((unused))
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
// One block runs at a time, so its shared memory is static. "used" because the runtime overwrites
// it with NaNs before each block, behind the compiler's back.
#define __shared__ static __attribute__((section("emulator_shared_memory"), used))

#define __syncthreads() emulator_barrier(__FILE__, __LINE__)
#define __syncwarp(...) emulator::sync_warp(__FILE__, __LINE__ __VA_OPT__(, ) __VA_ARGS__)
#define __shfl_sync(mask, value, lane) emulator::shuffle(__FILE__, __LINE__, mask, value, \
                                                         (lane) & 31u)
#define __shfl_xor_sync(mask, value, bits) \
    emulator::shuffle(__FILE__, __LINE__, mask, value, emulator::inside(emulator_lane() ^ (bits)))
#define __shfl_down_sync(mask, value, delta) \
    emulator::shuffle(__FILE__, __LINE__, mask, value, emulator::inside(emulator_lane() + (delta)))
#define __shfl_up_sync(mask, value, delta) \
    emulator::shuffle(__FILE__, __LINE__, mask, value, emulator::inside(emulator_lane() - (delta)))

namespace emulator {

inline unsigned inside(unsigned lane) { return lane < 32 ? lane : emulator_lane(); }

inline void sync_warp(const char* file, int line, unsigned mask = 0xffffffffu)
{
    emulator_shuffle(file, line, mask, emulator_lane(), 0);
}

template <class T>
T shuffle(const char* file, int line, unsigned mask, T value, unsigned source)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "CUDA shuffles 4 or 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof(T));
    bits = emulator_shuffle(file, line, mask, source, bits);
    memcpy(&value, &bits, sizeof(T));
    return value;
}

}  // namespace emulator

inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((uint64_t(a) * b) >> 32); }
template <class T>
T __ldg(const T* p) { return *p; }
#define cospi emulator_cospi  // newer C libraries have their own
#define sinpi emulator_sinpi
inline double cospi(double x) { return cos(3.141592653589793 * x); }
inline double sinpi(double x) { return sin(3.141592653589793 * x); }
inline float cospi(float x) { return float(cospi(double(x))); }
inline float sinpi(float x) { return float(sinpi(double(x))); }
inline float rsqrt(float x) { return 1 / sqrt(x); }
inline double rsqrt(double x) { return 1 / sqrt(x); }

#define EMULATOR_MIN_MAX(T)                              \
    inline T min(T a, T b) { return b < a ? b : a; }     \
    inline T max(T a, T b) { return a < b ? b : a; }
EMULATOR_MIN_MAX(int)
EMULATOR_MIN_MAX(unsigned)
EMULATOR_MIN_MAX(long long)
EMULATOR_MIN_MAX(unsigned long long)
inline float min(float a, float b) { return fmin(a, b); }
inline float max(float a, float b) { return fmax(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

// What the runtime asks of each compiled text: where its shared memory lies.
static char emulator_shared_anchor __attribute__((section("emulator_shared_memory"), used));
extern "C" {
extern char __start_emulator_shared_memory[] __attribute__((visibility("hidden")));
extern char __stop_emulator_shared_memory[] __attribute__((visibility("hidden")));
void emulator_shared(char** start, size_t* size)
{
    *start = __start_emulator_shared_memory;
    *size = size_t(__stop_emulator_shared_memory - __start_emulator_shared_memory);
}
}

// NVRTC knows none of these without an #include, so neither does a kernel here.
#pragma GCC poison std uint8_t uint16_t uint32_t uint64_t int8_t int16_t int32_t int64_t uintptr_t
#pragma GCC poison printf malloc free assert
#undef INFINITY
#undef NAN
#undef HUGE_VAL
#undef M_PI
#undef M_LN2
#undef M_SQRT2
#undef EMULATOR_MIN_MAX
