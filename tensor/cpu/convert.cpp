#include "tapir/tensor/cpu/convert.h"

#include <algorithm>
#include <type_traits>

#include "hwy/base.h"
#include "tapir/tensor/cpu/loops.h"

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS TAPIR_DISABLED_TARGETS
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/convert.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

// float32, float64 and int64 convert from and to every dtype in one step: 30 loops in, 30 out. All other
// pairs go through one of the three.
#define TAPIR_FOR_STORED(row, ...)                                                                       \
  row(uint8_t, __VA_ARGS__) row(int8_t, __VA_ARGS__) row(int16_t, __VA_ARGS__) row(int32_t, __VA_ARGS__) \
      row(int64_t, __VA_ARGS__) row(Half, __VA_ARGS__) row(float, __VA_ARGS__) row(double, __VA_ARGS__)  \
          row(bool, __VA_ARGS__) row(BFloat16, __VA_ARGS__)

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

template <class To, class From>
HWY_INLINE To cast(From x) {
  if constexpr (kIsHalf<From>) {
    return cast<To>(static_cast<float>(x));
  } else if constexpr (kIsHalf<To>) {
    return To(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != 0;
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr From kEnd = 9223372036854775808.0;
    if (x != x) return 0;
    if (x >= kEnd) return static_cast<To>(INT64_MAX);
    if (x < -kEnd) return static_cast<To>(INT64_MIN);
    return static_cast<To>(static_cast<int64_t>(x));
  } else {
    return static_cast<To>(x);
  }
}

template <class From, class To>
void convert(int64_t n, const void* src, void* dst) {
  // bool is read as bytes, so that a byte that is neither 0 nor 1 is no undefined behaviour.
  using Stored = std::conditional_t<std::is_same_v<From, bool>, uint8_t, From>;
  const Stored* HWY_RESTRICT s = static_cast<const Stored*>(src);
  To* HWY_RESTRICT d = static_cast<To*>(dst);
  int64_t i = 0;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  const hn::ScalableTag<float> df;
  const hn::Rebind<hwy::float16_t, decltype(df)> dh;
  constexpr int64_t N = static_cast<int64_t>(hn::MaxLanes(df));
  if constexpr (std::is_same_v<From, Half> && std::is_same_v<To, float>) {
    for (; i + N <= n; i += N)
      hn::StoreU(hn::PromoteTo(df, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(s + i))), df, d + i);
  } else if constexpr (std::is_same_v<From, float> && std::is_same_v<To, Half>) {
    for (; i + N <= n; i += N)
      hn::StoreU(hn::DemoteTo(dh, hn::LoadU(df, s + i)), dh, reinterpret_cast<hwy::float16_t*>(d + i));
  }
#endif
  for (; i < n; ++i) {
    if constexpr (std::is_same_v<From, bool>) {
      d[i] = cast<To>(static_cast<uint8_t>(s[i] != 0));
    } else {
      d[i] = cast<To>(s[i]);
    }
  }
}

#define TAPIR_IN(From, To) convert<From, To>,
#define TAPIR_OUT(To, From) convert<From, To>,
const ConvertLoop* convert_in(int to) {
  static constexpr ConvertLoop loops[3][10] = {{TAPIR_FOR_STORED(TAPIR_IN, float)},
                                               {TAPIR_FOR_STORED(TAPIR_IN, double)},
                                               {TAPIR_FOR_STORED(TAPIR_IN, int64_t)}};
  return loops[to];
}
const ConvertLoop* convert_out(int from) {
  static constexpr ConvertLoop loops[3][10] = {{TAPIR_FOR_STORED(TAPIR_OUT, float)},
                                               {TAPIR_FOR_STORED(TAPIR_OUT, double)},
                                               {TAPIR_FOR_STORED(TAPIR_OUT, int64_t)}};
  return loops[from];
}

}  // namespace tapir::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {
HWY_EXPORT(convert_in);
HWY_EXPORT(convert_out);

namespace {
int stored_index(DType d) { return d == kBool ? 8 : d == kBFloat16 ? 9 : static_cast<int>(d); }
int compute_index(DType d) { return d == kFloat32 ? 0 : d == kFloat64 ? 1 : d == kInt64 ? 2 : -1; }
}  // namespace

Conversion conversion(DType from, DType to) {
  Conversion c;
  c.from_item = static_cast<int64_t>(item_size(from));
  c.to_item = static_cast<int64_t>(item_size(to));
  const int in = compute_index(to), out = compute_index(from);
  if (in >= 0) {
    c.first = HWY_DYNAMIC_DISPATCH(convert_in)(in)[stored_index(from)];
  } else if (out >= 0) {
    c.first = HWY_DYNAMIC_DISPATCH(convert_out)(out)[stored_index(to)];
  } else {
    const int middle = compute_index(is_floating_point(from) || is_floating_point(to) ? kFloat32 : kInt64);
    c.first = HWY_DYNAMIC_DISPATCH(convert_in)(middle)[stored_index(from)];
    c.second = HWY_DYNAMIC_DISPATCH(convert_out)(middle)[stored_index(to)];
  }
  return c;
}

void Conversion::through_middle(int64_t n, const void* src, void* dst) const {
  constexpr int64_t kBlock = 256;
  alignas(64) int64_t block[kBlock];
  while (n > 0) {
    const int64_t m = std::min(n, kBlock);
    first(m, src, block);
    second(m, block, dst);
    src = static_cast<const std::byte*>(src) + m * from_item;
    dst = static_cast<std::byte*>(dst) + m * to_item;
    n -= m;
  }
}

}  // namespace tapir::cpu
#endif
