// Which instruction sets the processor has: the two functions that Highway's dispatch calls.
//
// Note [Highway without its library]
// Highway's vectors are templates in headers. Of libhwy only these two functions would be used, but it
// measures the resolution of the clock whenever a program that links it starts, which takes longer (6 ms
// here) than all else that happens then. So the build takes the headers alone.
#include "hwy/targets.h"

#if HWY_ARCH_X86
#include <cpuid.h>
#endif

namespace hwy {
namespace {

#if HWY_ARCH_X86
// True where bit `bit` of register ecx of a leaf of cpuid is set. Only for features without state of their
// own: whether the system saves the wider registers is what __builtin_cpu_supports knows.
bool cpuid_ecx(unsigned leaf, unsigned subleaf, unsigned bit) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(leaf, subleaf, &a, &b, &c, &d) && ((c >> bit) & 1);
}

int64_t detect() {
  __builtin_cpu_init();
  const bool ssse3 = __builtin_cpu_supports("ssse3");
  const bool sse4 = ssse3 && __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("sse4.2") &&
                    __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
  const bool f16c = cpuid_ecx(1, 0, 29), lzcnt = cpuid_ecx(0x80000001, 0, 5);
  const bool avx2 = sse4 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && f16c && lzcnt;
  const bool avx3 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512cd");
  const bool vaes = cpuid_ecx(7, 0, 9);
  const bool avx3_dl = avx3 && vaes && __builtin_cpu_supports("avx512vnni") &&
                       __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("avx512vbmi") &&
                       __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vpopcntdq") &&
                       __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("gfni");
  return (ssse3 ? HWY_SSSE3 : 0) | (sse4 ? HWY_SSE4 : 0) | (avx2 ? HWY_AVX2 : 0) | (avx3 ? HWY_AVX3 : 0) |
         (avx3_dl ? HWY_AVX3_DL : 0) | HWY_ENABLED_BASELINE;
}
#else
int64_t detect() { return HWY_ENABLED_BASELINE; }
#endif

}  // namespace

int64_t SupportedTargets() {
  static const int64_t targets = detect();
  return targets;
}

ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

}  // namespace hwy
