#include "tapir/tensor/cpu/random.h"

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/random.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
//
#include <cmath>
#include <numbers>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kWords = 624, kMiddle = 397;

// a * b + c, rounded once on every machine: the streams must not depend on the instruction set.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V fma(D d, V a, V b, V c) {
#if HWY_NATIVE_FMA
  (void)d;
  return hn::MulAdd(a, b, c);
#else
  using T = hn::TFromD<D>;
  HWY_ALIGN T x[hn::MaxLanes(D())], y[hn::MaxLanes(D())], z[hn::MaxLanes(D())];
  hn::Store(a, d, x);
  hn::Store(b, d, y);
  hn::Store(c, d, z);
  for (size_t i = 0; i < hn::Lanes(d); ++i) x[i] = std::fma(x[i], y[i], z[i]);
  return hn::Load(d, x);
#endif
}

// state[i] for i in [begin, end); state[i + offset] is the word 397 further on, already new where it wraps.
HWY_INLINE void twist(uint32_t* state, int begin, int end, int offset) {
  const hn::ScalableTag<uint32_t> d;
  const auto one = hn::Set(d, 1u), low = hn::Set(d, 0x7fffffffu), matrix = hn::Set(d, 0x9908b0dfu);
  const int lanes = static_cast<int>(hn::Lanes(d));
  int i = begin;
  for (; i + lanes <= end; i += lanes) {
    const auto a = hn::LoadU(d, state + i), b = hn::LoadU(d, state + i + 1);
    const auto y = hn::Or(hn::AndNot(low, a), hn::And(low, b));
    const auto odd = hn::Sub(hn::Zero(d), hn::And(b, one));
    const auto x = hn::Xor(hn::ShiftRight<1>(y), hn::And(odd, matrix));
    hn::StoreU(hn::Xor(hn::LoadU(d, state + i + offset), x), d, state + i);
  }
  for (; i < end; ++i) {
    const uint32_t y = (state[i] & 0x80000000u) | (state[(i + 1) % kWords] & 0x7fffffffu);
    state[i] = state[i + offset] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
  }
}

void Advance(uint32_t* state) {
  twist(state, 0, kWords - kMiddle, kMiddle);
  twist(state, kWords - kMiddle, kWords - 1, kMiddle - kWords);
  const uint32_t y = (state[kWords - 1] & 0x80000000u) | (state[0] & 0x7fffffffu);
  state[kWords - 1] = state[kMiddle - 1] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
}

void Temper(const uint32_t* state, uint32_t* out) {
  const hn::CappedTag<uint32_t, 16> d;  // 16 divides 624
  const auto b = hn::Set(d, 0x9d2c5680u), c = hn::Set(d, 0xefc60000u);
  for (int i = 0; i < kWords; i += static_cast<int>(hn::Lanes(d))) {
    auto y = hn::LoadU(d, state + i);
    y = hn::Xor(y, hn::ShiftRight<11>(y));
    y = hn::Xor(y, hn::And(hn::ShiftLeft<7>(y), b));
    y = hn::Xor(y, hn::And(hn::ShiftLeft<15>(y), c));
    hn::StoreU(hn::Xor(y, hn::ShiftRight<18>(y)), d, out + i);
  }
}

void UniformFloats(const uint32_t* draws, float* out, int64_t n, float from, float range) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto mask = hn::Set(di, 0xffffff);
  const auto unit = hn::Set(d, 0x1p-24f), va = hn::Set(d, from), vr = hn::Set(d, range);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto bits = hn::And(hn::LoadU(di, reinterpret_cast<const int32_t*>(draws) + i), mask);
    hn::StoreU(fma(d, hn::Mul(hn::ConvertTo(d, bits), unit), vr, va), d, out + i);
  }
  for (; i < n; ++i) out[i] = std::fma(static_cast<float>(draws[i] & 0xffffff) * 0x1p-24f, range, from);
}

void UniformDoubles(const uint32_t* draws, double* out, int64_t n, double from, double range) {
  for (int64_t i = 0; i < n; ++i) {
    const int64_t bits = static_cast<int64_t>(draws[2 * i] & 0x1fffff) << 32 | draws[2 * i + 1];
#if HWY_NATIVE_FMA
    const hn::CappedTag<double, 1> d;
    hn::StoreU(
        hn::MulAdd(hn::Set(d, static_cast<double>(bits) * 0x1p-53), hn::Set(d, range), hn::Set(d, from)), d,
        out + i);
#else
    out[i] = std::fma(static_cast<double>(bits) * 0x1p-53, range, from);
#endif
  }
}

// u < p for u = bits / 2^53 is bits < ceil(p 2^53), compared in halves of 32 bits.
void BernoulliFloats(const uint32_t* draws, float* out, int64_t n, double p, float value) {
  const uint64_t limit = static_cast<uint64_t>(std::ceil(p * 0x1p53));
  int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<uint32_t> d;
  const hn::RebindToFloat<decltype(d)> df;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto high_limit = hn::Set(d, static_cast<uint32_t>(limit >> 32));
  const auto low_limit = hn::Set(d, static_cast<uint32_t>(limit));
  const auto mask = hn::Set(d, 0x1fffffu);
  const auto v = hn::Set(df, value);
  for (; i + lanes <= n; i += lanes) {
    hn::Vec<decltype(d)> high, low;
    hn::LoadInterleaved2(d, draws + 2 * i, high, low);
    high = hn::And(high, mask);
    const auto below =
        hn::Or(hn::Lt(high, high_limit), hn::And(hn::Eq(high, high_limit), hn::Lt(low, low_limit)));
    hn::StoreU(hn::IfThenElseZero(hn::RebindMask(df, below), v), df, out + i);
  }
#endif
  for (; i < n; ++i) {
    const uint64_t bits = static_cast<uint64_t>(draws[2 * i] & 0x1fffff) << 32 | draws[2 * i + 1];
    out[i] = bits < limit ? value : 0.0f;
  }
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V polynomial(D d, V x, V c) {
  (void)d;
  (void)x;
  return c;
}
/// ((c0 x + c1) x + ...), each step rounded once.
template <class D, class V = hn::Vec<D>, class... C>
HWY_INLINE V polynomial(D d, V x, V sum, float c, C... more) {
  return polynomial(d, x, fma(d, sum, x, hn::Set(d, c)), more...);
}

// Cephes' logf for normal x > 0: x = m 2^e with m in [sqrt(1/2), sqrt(2)), log(m) by a polynomial in m - 1.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log_cephes(D d, V x) {
  const hn::RebindToSigned<D> di;
  x = hn::Max(x, hn::Set(d, 0x1p-126f));
  const auto bits = hn::BitCast(di, x);
  auto exponent = hn::ConvertTo(d, hn::Sub(hn::ShiftRight<23>(bits), hn::Set(di, 126)));
  V m =
      hn::BitCast(d, hn::Or(hn::And(bits, hn::Set(di, 0x007fffff)), hn::Set(di, 0x3f000000)));  // in [1/2, 1)
  const auto small = hn::Lt(m, hn::Set(d, 0.707106781186547524f));
  exponent = hn::Sub(exponent, hn::IfThenElseZero(small, hn::Set(d, 1.0f)));
  const V t = hn::Add(hn::Sub(m, hn::Set(d, 1.0f)), hn::IfThenElseZero(small, m));
  const V t2 = hn::Mul(t, t);
  V y =
      polynomial(d, t, hn::Set(d, 7.0376836292e-2f), -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f,
                 1.4249322787e-1f, -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f);
  y = hn::Mul(y, t);
  y = fma(d, y, t2, hn::Mul(exponent, hn::Set(d, -2.12194440e-4f)));
  y = fma(d, t2, hn::Set(d, -0.5f), y);
  return fma(d, exponent, hn::Set(d, 0.693359375f), hn::Add(t, y));
}

// Cephes' sinf and cosf for x >= 0: reduced by multiples of pi / 2 kept in three parts.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void sincos_cephes(D d, V x, V& sine, V& cosine) {
  const hn::RebindToSigned<D> di;
  auto octant = hn::ConvertTo(di, hn::Mul(x, hn::Set(d, 1.27323954473516f)));
  octant = hn::AndNot(hn::Set(di, 1), hn::Add(octant, hn::Set(di, 1)));
  const V turns = hn::ConvertTo(d, octant);
  const auto sine_sign = hn::ShiftLeft<29>(hn::And(octant, hn::Set(di, 4)));
  const auto cosine_sign = hn::ShiftLeft<29>(hn::AndNot(hn::Sub(octant, hn::Set(di, 2)), hn::Set(di, 4)));
  const auto swap = hn::Ne(hn::And(octant, hn::Set(di, 2)), hn::Zero(di));
  x = fma(d, turns, hn::Set(d, -0.78515625f), x);
  x = fma(d, turns, hn::Set(d, -2.4187564849853515625e-4f), x);
  x = fma(d, turns, hn::Set(d, -3.77489497744594108e-8f), x);
  const V z = hn::Mul(x, x);
  V c = polynomial(d, z, hn::Set(d, 2.443315711809948e-5f), -1.388731625493765e-3f, 4.166664568298827e-2f);
  c = hn::Mul(c, z);
  c = fma(d, c, z, hn::Mul(z, hn::Set(d, -0.5f)));
  c = hn::Add(c, hn::Set(d, 1.0f));
  V s = polynomial(d, z, hn::Set(d, -1.9515295891e-4f), 8.3321608736e-3f, -1.6666654611e-1f);
  s = fma(d, hn::Mul(s, z), x, x);
  const auto swapped = hn::RebindMask(d, swap);
  sine = hn::Xor(hn::IfThenElse(swapped, c, s), hn::BitCast(d, sine_sign));
  cosine = hn::Xor(hn::IfThenElse(swapped, s, c), hn::BitCast(d, cosine_sign));
}

void NormalFloats(float* data, int64_t blocks, float mean, float std) {
  const hn::CappedTag<float, 8> d;  // half a block
  const auto one = hn::Set(d, 1.0f);
  const auto vm = hn::Set(d, mean), vs = hn::Set(d, std);
  const auto two_pi = hn::Set(d, static_cast<float>(2.0 * std::numbers::pi));
  for (int64_t b = 0; b < blocks; ++b) {
    for (size_t j = 0; j < 8; j += hn::Lanes(d)) {
      float* p = data + 16 * b + j;
      const auto u1 = hn::Sub(one, hn::LoadU(d, p));
      const auto u2 = hn::LoadU(d, p + 8);
      const auto radius = hn::Sqrt(hn::Mul(hn::Set(d, -2.0f), log_cephes(d, u1)));
      hn::Vec<decltype(d)> s, c;
      sincos_cephes(d, hn::Mul(two_pi, u2), s, c);
      hn::StoreU(fma(d, hn::Mul(radius, c), vs, vm), d, p);
      hn::StoreU(fma(d, hn::Mul(radius, s), vs, vm), d, p + 8);
    }
  }
}

}  // namespace
}  // namespace tapir::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {

HWY_EXPORT(Advance);
HWY_EXPORT(Temper);
HWY_EXPORT(UniformFloats);
HWY_EXPORT(UniformDoubles);
HWY_EXPORT(BernoulliFloats);
HWY_EXPORT(NormalFloats);

void mt19937_advance(uint32_t* state) { HWY_DYNAMIC_DISPATCH(Advance)(state); }
void mt19937_temper(const uint32_t* state, uint32_t* out) { HWY_DYNAMIC_DISPATCH(Temper)(state, out); }
void uniform_floats(const uint32_t* draws, float* out, int64_t n, float from, float range) {
  HWY_DYNAMIC_DISPATCH(UniformFloats)(draws, out, n, from, range);
}
void uniform_doubles(const uint32_t* draws, double* out, int64_t n, double from, double range) {
  HWY_DYNAMIC_DISPATCH(UniformDoubles)(draws, out, n, from, range);
}
void bernoulli_floats(const uint32_t* draws, float* out, int64_t n, double p, float value) {
  HWY_DYNAMIC_DISPATCH(BernoulliFloats)(draws, out, n, p, value);
}
void normal_floats(float* data, int64_t blocks, float mean, float std) {
  HWY_DYNAMIC_DISPATCH(NormalFloats)(data, blocks, mean, std);
}

}  // namespace tapir::cpu
#endif
