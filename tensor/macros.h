// Compiler-level definitions that every other header may use. Every macro of Tapir starts with TAPIR_.
#pragma once

#if defined(__GNUC__)
#define TAPIR_API __attribute__((visibility("default")))
#define TAPIR_ALWAYS_INLINE inline __attribute__((always_inline))
#define TAPIR_NOINLINE __attribute__((noinline))
#define TAPIR_COLD __attribute__((cold, noinline))
#define TAPIR_LIKELY(x) __builtin_expect(static_cast<bool>(x), 1)
#define TAPIR_UNLIKELY(x) __builtin_expect(static_cast<bool>(x), 0)
#else
#error "Tapir builds with GCC and Clang"
#endif

/// Marks a function that CUDA device code may call too.
#if defined(__CUDACC__)
#define TAPIR_HD __host__ __device__ __forceinline__
#else
#define TAPIR_HD inline
#endif

#define TAPIR_CONCAT_(a, b) a##b
#define TAPIR_CONCAT(a, b) TAPIR_CONCAT_(a, b)
