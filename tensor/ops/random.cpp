#include "tapir/tensor/ops/random.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "tapir/tensor/cpu/random.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/generator_impl.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/random_fill.h"

namespace tapir::raw {

namespace {

// n elements of `draws` draws each, from the engine's blocks: run(draws, first element, count).
template <class F>
void in_blocks(Mt19937& engine, int64_t n, int draws, F run) {
  for (int64_t i = 0; i < n;) {
    size_t taken;
    const uint32_t* p = engine.take(static_cast<size_t>(n - i) * draws, taken);
    int64_t count = static_cast<int64_t>(taken) / draws;
    if (count > 0) run(p, i, count);
    i += count;
    if (static_cast<int64_t>(taken) > count * draws) {  // two draws that lie in two blocks
      const uint32_t both[2] = {p[taken - 1], engine.next32()};
      run(both, i, int64_t{1});
      ++i;
    }
  }
}

template <class T>
constexpr int kDigits = std::numeric_limits<T>::digits;
template <>
constexpr int kDigits<Half> = 11;
template <>
constexpr int kDigits<BFloat16> = 8;

double largest(DType dtype) {
  switch (dtype) {
    case kFloat16:
      return 65504.0;
    case kBFloat16:
      return 0x1.fep127;
    case kFloat32:
      return std::numeric_limits<float>::max();
    default:
      return std::numeric_limits<double>::max();
  }
}

template <class T>
T uniform_one(Mt19937& engine, Wide<T> from, Wide<T> range) {
  const auto mask = (uint64_t{1} << kDigits<T>)-1;
  const uint64_t bits = std::is_same_v<T, double> ? engine.next64() : engine.next32();
  const Wide<T> u = static_cast<Wide<T>>(bits & mask) / static_cast<Wide<T>>(mask + 1);
  return T(std::fma(u, range, from));
}

void uniform_run(GeneratorImpl& g, float* data, int64_t n, float from, float range) {
  in_blocks(g.engine, n, 1, [&](const uint32_t* draws, int64_t i, int64_t count) {
    cpu::uniform_floats(draws, data + i, count, from, range);
  });
}
void uniform_run(GeneratorImpl& g, double* data, int64_t n, double from, double range) {
  in_blocks(g.engine, n, 2, [&](const uint32_t* draws, int64_t i, int64_t count) {
    cpu::uniform_doubles(draws, data + i, count, from, range);
  });
}
template <class T>
void uniform_run(GeneratorImpl& g, T* data, int64_t n, float from, float range) {
  for (int64_t i = 0; i < n; ++i) data[i] = uniform_one<T>(g.engine, from, range);
}

// One block of 16 uniforms to normals: see cpu::normal_floats. As in PyTorch, bfloat16 rounds every step,
// float16 only what it stores, and float64 fuses the last two.
template <class T>
void normal_block(T* d, T mean, T std) {
  using W = Wide<T>;
  constexpr bool kRounds = std::is_same_v<T, BFloat16>;
  const auto step = [](W v) { return kRounds ? W(T(v)) : v; };
  const auto place = [&](W v) {
    return kRounds ? T(step(v * W(std)) + W(mean)) : T(std::fma(v, W(std), W(mean)));
  };
  for (int j = 0; j < 8; ++j) {
    const W u1 = W(T(W(1) - W(d[j]))), u2 = W(d[j + 8]);
    const W radius = W(T(std::sqrt(step(W(-2) * step(std::log(u1))))));
    const W angle = W(T(static_cast<W>(2.0 * std::numbers::pi * static_cast<double>(u2))));
    d[j] = place(step(radius * step(std::cos(angle))));
    d[j + 8] = place(step(radius * step(std::sin(angle))));
  }
}
template <class T>
void normal_blocks(T* data, int64_t blocks, T mean, T std) {
  if constexpr (std::is_same_v<T, float>) {
    cpu::normal_floats(data, blocks, mean, std);
  } else {
    for (int64_t b = 0; b < blocks; ++b) normal_block(data + 16 * b, mean, std);
  }
}

template <class T>
void normal_run(GeneratorImpl& g, T* data, int64_t n, T mean, T std) {
  constexpr int64_t kRun = 4096;  // transformed while still in the first-level cache
  for (int64_t i = 0; i < n; i += kRun) {
    const int64_t count = std::min(kRun, n - i);
    uniform_run(g, data + i, count, 0, 1);
    normal_blocks(data + i, count / 16, mean, std);
  }
  if (n % 16 != 0) {
    uniform_run(g, data + n - 16, 16, 0, 1);
    normal_blocks(data + n - 16, 1, mean, std);
  }
}

// True where the element takes values of a 32-bit draw, false where it takes two.
template <class T>
constexpr bool kOneDraw = !std::is_same_v<T, double> && !std::is_same_v<T, int64_t>;

// Number of values that random_() without bounds draws from.
template <class T>
constexpr uint64_t kFullRange = std::is_same_v<T, bool> ? 2
                                : std::is_integral_v<T>
                                    ? static_cast<uint64_t>(std::numeric_limits<T>::max()) + 1
                                    : (uint64_t{1} << kDigits<T>)+1;

template <class T>
T from_integer(uint64_t v) {
  if constexpr (std::is_same_v<T, bool>) {
    return v != 0;
  } else if constexpr (std::is_integral_v<T> || std::is_same_v<T, double>) {
    return static_cast<T>(static_cast<int64_t>(v));
  } else {
    return T(static_cast<float>(static_cast<int64_t>(v)));
  }
}

// The nearest integers inside [from, to) that T holds exactly, as PyTorch moves the bounds of floating
// dtypes.
template <class T>
void move_bounds(int64_t& from, int64_t& to) {
  const auto rounded = [](int64_t v) {
    return static_cast<int64_t>(static_cast<Wide<T>>(from_integer<T>(v)));
  };
  const auto unit = [](int64_t v) {
    int bits = 0;
    for (uint64_t m = v < 0 ? uint64_t{0} - static_cast<uint64_t>(v) : static_cast<uint64_t>(v); m >>= 1;)
      ++bits;
    return int64_t{1} << (bits - kDigits<T> + 1);
  };
  if (from < INT64_MAX && rounded(from + 1) < from) from = rounded(from + 1) + unit(from + 1);
  if (to - 1 < INT64_MAX - (int64_t{1} << 40) && rounded(to - 1) >= to) to = rounded(to - 1) - unit(to - 1);
}

template <class T>
void random_run(GeneratorImpl& g, const Tensor& x, uint64_t range, uint64_t base) {
  Mt19937& engine = g.engine;
  if (range == 0) {  // all 2^64 values
    fill_serially<T>(x, [&] { return from_integer<T>(engine.next64()); });
  } else if (range >> 32) {
    fill_serially<T>(x, [&] { return from_integer<T>(engine.next64() % range + base); });
  } else {
    const uint32_t r = static_cast<uint32_t>(range);
    fill_serially<T>(x, [&] { return from_integer<T>(engine.next32() % r + base); });
  }
}

void check_probability(double p, const char* op) {
  TAPIR_CHECK_AS(ValueError, p >= 0 && p <= 1, "{}: got probability {}, expected one in [0, 1]", op, p);
}

// x = value with probability p, else 0.
void bernoulli_fill(const Tensor& x, const char* op, double p, double value,
                    const OptionalGenerator& generator) {
  draw_into(x, op, generator, [&](const Tensor& t, GeneratorImpl& g) {
    visit_dtype(t.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (std::is_same_v<T, float>) {
        if (memory_order(t).flat()) {
          float* const data = t.data_ptr<float>();
          in_blocks(g.engine, t.numel(), 2, [&](const uint32_t* draws, int64_t i, int64_t count) {
            cpu::bernoulli_floats(draws, data + i, count, p, static_cast<float>(value));
          });
          return;
        }
      }
      const T yes = Scalar(value).cast<T>(), no = Scalar(0).cast<T>();
      fill_serially<T>(t, [&] { return g.uniform_double() < p ? yes : no; });
    });
  });
}

}  // namespace

void uniform_(const Tensor& x, double from, double to, const OptionalGenerator& generator) {
  check_floating(x, "uniform_");
  const double most = largest(x.dtype());
  TAPIR_CHECK_AS(
      ValueError, std::abs(from) <= most && std::abs(to) <= most && from <= to && to - from <= most,
      "uniform_: got bounds {} and {}, expected finite ones with from <= to whose distance {} holds", from,
      to, x.dtype());
  draw_into(x, "uniform_", generator, [&](const Tensor& t, GeneratorImpl& g) {
    visit_floating(t.dtype(), "uniform_", [&](auto tag) {
      using T = typename decltype(tag)::type;
      using W = Wide<T>;
      const W a = W(T(static_cast<W>(from))), range = W(T(W(T(static_cast<W>(to))) - a));
      if (memory_order(t).flat()) {
        uniform_run(g, t.data_ptr<T>(), t.numel(), a, range);
      } else {
        fill_serially<T>(t, [&] { return uniform_one<T>(g.engine, a, range); });
      }
    });
  });
}

void normal_(const Tensor& x, double mean, double std, const OptionalGenerator& generator) {
  check_floating(x, "normal_");
  TAPIR_CHECK_AS(ValueError, std >= 0, "normal_: got std {}, expected one that is not negative", std);
  draw_into(x, "normal_", generator, [&](const Tensor& t, GeneratorImpl& g) {
    visit_floating(t.dtype(), "normal_", [&](auto tag) {
      using T = typename decltype(tag)::type;
      using W = Wide<T>;
      if (t.numel() >= 16 && t.is_contiguous()) {
        normal_run<T>(g, t.data_ptr<T>(), t.numel(), T(static_cast<W>(mean)), T(static_cast<W>(std)));
      } else {
        fill_serially<T>(t, [&] { return T(static_cast<W>(std::fma(g.normal_double(), std, mean))); });
      }
    });
  });
}

void bernoulli_(const Tensor& x, double p, const OptionalGenerator& generator) {
  check_probability(p, "bernoulli_");
  bernoulli_fill(x, "bernoulli_", p, 1.0, generator);
}

void dropout_mask_(const Tensor& x, double p, const OptionalGenerator& generator) {
  check_floating(x, "dropout_mask_");
  TAPIR_CHECK_AS(ValueError, p >= 0 && p < 1, "dropout_mask_: got probability {}, expected one in [0, 1)", p);
  // As PyTorch divides a mask of ones: in float, or double for float64.
  const double keep = 1.0 - p;
  const double value = x.dtype() == kFloat64 ? 1.0 / keep : 1.0f / static_cast<float>(keep);
  bernoulli_fill(x, "dropout_mask_", keep, value, generator);
}

void bernoulli_(const Tensor& x, const Tensor& p, const OptionalGenerator& generator) {
  TAPIR_CHECK_AS(DTypeError, is_floating_point(p.dtype()),
                 "bernoulli_: got probabilities of {}, expected a floating dtype", p.dtype());
  TAPIR_CHECK_AS(ShapeError, is_expandable_to(p.sizes(), x.sizes()),
                 "bernoulli_: got probabilities of sizes {}, expected ones that broadcast to {}", p.sizes(),
                 x.sizes());
  TAPIR_CHECK_AS(DeviceError, p.is_cpu(), "bernoulli_: got probabilities on {}, expected them on the CPU",
                 p.device());
  const bool wide = p.dtype() == kFloat64;
  const Tensor base = wide ? p : cast(p, kFloat32);
  const Tensor probability = base.alias(base.layout_of().expand(x.sizes()));
  const auto value_at = [&](int64_t offset) {
    return wide ? probability.data_ptr<double>()[offset]
                : static_cast<double>(probability.data_ptr<float>()[offset]);
  };
  // The probabilities' places, in the memory order of x; checked before anything is drawn.
  MemoryOrder places = memory_order(x, false);
  for (int d = 0; d < places.ndim; ++d) places.strides[d] = probability.strides()[places.source[d]];
  if (x.numel() == 0) return;
  for_each_offset(places, [&](int64_t offset) { check_probability(value_at(offset), "bernoulli_"); });

  draw_into(x, "bernoulli_", generator, [&](const Tensor& t, GeneratorImpl& g) {
    MemoryOrder order = memory_order(t, false), from = order;
    for (int d = 0; d < from.ndim; ++d) from.strides[d] = probability.strides()[from.source[d]];
    visit_dtype(t.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      T* const data = t.data_ptr<T>();
      const T yes = Scalar(1).cast<T>(), no = Scalar(0).cast<T>();
      std::vector<int64_t> offsets;
      offsets.reserve(static_cast<size_t>(t.numel()));
      for_each_offset(from, [&](int64_t offset) { offsets.push_back(offset); });
      size_t i = 0;
      for_each_offset(order, [&](int64_t offset) {
        const double u = wide ? g.uniform_double() : static_cast<double>(uniform_one<float>(g.engine, 0, 1));
        data[offset] = u < value_at(offsets[i++]) ? yes : no;
      });
    });
  });
}

void random_(const Tensor& x, const OptionalGenerator& generator) {
  draw_into(x, "random_", generator, [&](const Tensor& t, GeneratorImpl& g) {
    visit_dtype(t.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      fill_serially<T>(t, [&] {
        return from_integer<T>((kOneDraw<T> ? g.engine.next32() : g.engine.next64()) % kFullRange<T>);
      });
    });
  });
}

void random_(const Tensor& x, int64_t from, std::optional<int64_t> to, const OptionalGenerator& generator,
             const char* op) {
  visit_dtype(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr bool integral = std::is_integral_v<T>;
    int64_t low = from, high;
    uint64_t range;
    if (to) {
      high = *to;
      TAPIR_CHECK_AS(ValueError, low < high, "{}: got from {} and to {}, expected from < to", op, from, high);
      if constexpr (!integral) move_bounds<T>(low, high);
      TAPIR_CHECK_AS(ValueError, low < high, "{}: got from {} and to {}, between which {} has no integer", op,
                     from, *to, x.dtype());
      range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
      high -= 1;
    } else {
      if constexpr (std::is_same_v<T, bool>) {
        high = 1;
      } else if constexpr (integral) {
        high = static_cast<int64_t>(std::numeric_limits<T>::max());
      } else {
        high = int64_t{1} << kDigits<T>;
      }
      TAPIR_CHECK_AS(ValueError, low <= high, "{}: got from {}, expected at most {}, the largest of {}", op,
                     from, high, x.dtype());
      range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;
    }
    bool fits = true;
    if constexpr (std::is_same_v<T, bool>) {
      fits = low >= 0 && high <= 1;
    } else if constexpr (integral) {
      fits = low >= static_cast<int64_t>(std::numeric_limits<T>::min()) &&
             high <= static_cast<int64_t>(std::numeric_limits<T>::max());
    } else {
      fits = std::abs(static_cast<double>(low)) <= largest(x.dtype()) &&
             std::abs(static_cast<double>(high)) <= largest(x.dtype());
    }
    TAPIR_CHECK_AS(ValueError, fits, "{}: got integers from {} to {}, which {} does not hold", op, low, high,
                   x.dtype());
    draw_into(x, op, generator, [&](const Tensor& t, GeneratorImpl& g) {
      random_run<T>(g, t, range, static_cast<uint64_t>(low));
    });
  });
}

Tensor rand(IntArrayRef sizes, DType dtype, Device device, const OptionalGenerator& generator) {
  TAPIR_CHECK_AS(DTypeError, is_floating_point(dtype), "rand: got {}, expected a floating dtype", dtype);
  Tensor x = Tensor::empty(sizes, dtype, device);
  uniform_(x, 0, 1, generator);
  return x;
}

Tensor randn(IntArrayRef sizes, DType dtype, Device device, const OptionalGenerator& generator) {
  TAPIR_CHECK_AS(DTypeError, is_floating_point(dtype), "randn: got {}, expected a floating dtype", dtype);
  Tensor x = Tensor::empty(sizes, dtype, device);
  normal_(x, 0, 1, generator);
  return x;
}

Tensor randint(int64_t low, int64_t high, IntArrayRef sizes, DType dtype, Device device,
               const OptionalGenerator& generator) {
  Tensor x = Tensor::empty(sizes, dtype, device);
  random_(x, low, high, generator, "randint");
  return x;
}

Tensor randperm(int64_t n, DType dtype, Device device, const OptionalGenerator& generator) {
  TAPIR_CHECK_AS(ValueError, n >= 0, "randperm: got n {}, expected one that is not negative", n);
  Tensor x = Tensor::empty({n}, dtype);
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr uint64_t limit = kFullRange<T>;  // floating: 2^digits is still exact
    TAPIR_CHECK_AS(ValueError, static_cast<uint64_t>(n) <= limit,
                   "randperm: {} does not hold the numbers below {}", dtype, n);
    T* const data = x.data_ptr<T>();
    for (int64_t i = 0; i < n; ++i) data[i] = from_integer<T>(static_cast<uint64_t>(i));
    GeneratorImpl& g = (generator ? *generator : default_generator(device)).impl();
    const std::lock_guard lock(g.mutex);
    for (int64_t i = 0; i + 1 < n; ++i) {
      const uint64_t left = static_cast<uint64_t>(n - i);
      const uint32_t r = g.engine.next32();
      // A 32-bit division where it will do; PyTorch's is of 64 bits with the same result.
      const int64_t j = i + static_cast<int64_t>(left >> 32 ? r : r % static_cast<uint32_t>(left));
      std::swap(data[i], data[j]);
    }
  });
  return device.is_cpu() ? x : to_device(x, device);
}

}  // namespace tapir::raw
