// Reductions on the CPU. The pieces that work is cut into depend on the sizes alone, never on the number of
// threads, so that a sum is the same number every time.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/cpu/reduce_rows.h"
#include "tapir/tensor/error.h"
#include "tapir/tensor/scalar.h"

namespace tapir::cpu {
namespace {

using rows::kBlock;
using rows::reduce_kernels;
using rows::ReduceKernels;

constexpr int64_t kGrain = 32768;   // elements below which a second thread does not pay
constexpr int64_t kPart = 32768;    // a longer row is reduced in parts of this many elements
constexpr int64_t kPartRows = 256;  // more rows than this are reduced in parts when columns are summed
constexpr int64_t kColumns = 1024;  // columns of one piece of work

int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Sums of blocks in a binary tree: the error grows with the logarithm of their number.
template <class A>
class PairwiseSum {
 public:
  void add(A x) {
    int level = 0;
    for (uint64_t c = count_++; c & 1; c >>= 1) x = level_[level++] + x;
    level_[level] = x;
  }
  A total() const {
    A sum = 0;
    for (int level = 0; (count_ >> level) != 0; ++level)
      if ((count_ >> level) & 1) sum = level_[level] + sum;
    return sum;
  }

 private:
  uint64_t count_ = 0;
  A level_[48];
};

/// x as an element of A; a floating number out of an integer's range saturates.
template <class A, class T>
A as(T x) {
  if constexpr (std::is_same_v<A, int64_t> && !std::is_integral_v<T>)
    return Scalar(static_cast<double>(x)).to_int64();
  else
    return static_cast<A>(x);
}

template <class A>
void store(void* out, DType dtype, int64_t i, A value) {
  visit_dtype(dtype, [&]<class Tag>(Tag) {
    using U = typename Tag::type;
    static_cast<U*>(out)[i] = Scalar(value).cast<U>();
  });
}

template <class T>
bool is_nan(T x) {
  if constexpr (std::is_integral_v<T>)
    return false;
  else
    return x != x;
}
/// Whether x takes the place of a best value found before it: NaN beats numbers, the first of equals stays.
template <bool kMin, class T>
bool beats(T x, T best) {
  return (kMin ? x < best : x > best) || (is_nan(x) && !is_nan(best));
}

// --- sums of float and double ---

template <class T>
T sum_row(const ReduceKernels<T>& k, bool squares, const T* p, int64_t n) {
  const auto sum = squares ? k.sum_squares : k.sum;
  if (TAPIR_LIKELY(n <= kBlock)) return sum(p, n);
  PairwiseSum<T> total;
  for (int64_t i = 0; i < n; i += kBlock) total.add(sum(p + i, std::min(kBlock, n - i)));
  return total.total();
}

template <class T>
void sum_rows(const ReduceKernels<T>& k, bool squares, const T* in, T* out, int64_t outer, int64_t n) {
  const int64_t parts = div_up(n, kPart);
  if (TAPIR_LIKELY(parts <= 1)) {
    parallel_for(0, outer, std::max<int64_t>(1, kGrain / std::max<int64_t>(n, 1)),
                 [&](int64_t lo, int64_t hi) {
                   for (int64_t i = lo; i < hi; ++i) out[i] = sum_row(k, squares, in + i * n, n);
                 });
    return;
  }
  std::vector<T> partial(static_cast<size_t>(outer * parts));
  parallel_for(0, outer * parts, 1, [&](int64_t lo, int64_t hi) {
    for (int64_t t = lo; t < hi; ++t) {
      const int64_t row = t / parts, begin = (t % parts) * kPart;
      partial[static_cast<size_t>(t)] = sum_row(k, squares, in + row * n + begin, std::min(kPart, n - begin));
    }
  });
  for (int64_t i = 0; i < outer; ++i) {
    PairwiseSum<T> total;
    for (int64_t part = 0; part < parts; ++part) total.add(partial[static_cast<size_t>(i * parts + part)]);
    out[i] = total.total();
  }
}

template <class T>
void sum_columns(const ReduceKernels<T>& k, bool squares, const T* in, T* out, int64_t outer, int64_t n,
                 int64_t cols) {
  const int64_t parts = div_up(n, kPartRows), blocks = div_up(cols, kColumns);
  std::vector<T> partial(static_cast<size_t>(parts > 1 ? outer * parts * cols : 0));
  T* to = parts > 1 ? partial.data() : out;
  const auto sum = squares ? k.sum_squares_columns : k.sum_columns;
  const int64_t work = std::min(n, kPartRows) * std::min(cols, kColumns);
  parallel_for(0, outer * parts * blocks, std::max<int64_t>(1, kGrain / work), [&](int64_t lo, int64_t hi) {
    for (int64_t t = lo; t < hi; ++t) {
      const int64_t j = (t % blocks) * kColumns, piece = t / blocks;  // piece: (outer, parts)
      const int64_t o = piece / parts, r = (piece % parts) * kPartRows;
      sum(in + (o * n + r) * cols + j, std::min(kPartRows, n - r), cols, std::min(kColumns, cols - j),
          to + piece * cols + j);
    }
  });
  if (parts > 1) sum_columns(k, false, partial.data(), out, outer, parts, cols);
}

template <class T>
void sum_floats(const ReduceArgs& a, bool squares) {
  const ReduceKernels<T>& k = reduce_kernels<T>();
  const T* in = static_cast<const T*>(a.in);
  T* out = static_cast<T*>(a.out);
  const int64_t count = a.outer * a.inner;
  if (a.reduced == 0)
    std::fill(out, out + count, T(0));
  else if (a.inner == 1)
    sum_rows(k, squares, in, out, a.outer, a.reduced);
  else
    sum_columns(k, squares, in, out, a.outer, a.reduced, a.inner);
  if (squares) {
    for (int64_t i = 0; i < count; ++i) out[i] = std::sqrt(out[i]);
  } else if (a.scale != 1) {
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(static_cast<double>(out[i]) * a.scale);
  }
}

// --- sums of every other pair of dtypes, accumulated in A ---

/// What sums of A gather in: integers wrap around.
template <class A>
using Gathered = std::conditional_t<std::is_same_v<A, int64_t>, uint64_t, A>;

template <class T, class A>
A sum_row_in(const T* p, int64_t n) {
  using G = Gathered<A>;
  PairwiseSum<G> total;
  for (int64_t i = 0; i < n; i += kBlock) {
    const int64_t end = std::min(n, i + kBlock);
    G lanes[16] = {};
    int64_t j = i;
    for (; j + 16 <= end; j += 16)
      for (int64_t l = 0; l < 16; ++l) lanes[l] += static_cast<G>(as<A>(p[j + l]));
    for (int64_t l = 0; j < end; ++j, ++l) lanes[l] += static_cast<G>(as<A>(p[j]));
    for (int64_t width = 8; width > 0; width /= 2)
      for (int64_t l = 0; l < width; ++l) lanes[l] += lanes[l + width];
    total.add(lanes[0]);
  }
  return static_cast<A>(total.total());
}

template <class T, class A>
void sum_in(const ReduceArgs& a) {
  const T* in = static_cast<const T*>(a.in);
  const auto finish = [&](int64_t i, A value) {
    if constexpr (std::is_same_v<A, int64_t>)
      store(a.out, a.out_dtype, i, a.scale == 1 ? Scalar(value).to_int64() : as<A>(double(value) * a.scale));
    else
      store(a.out, a.out_dtype, i, static_cast<A>(static_cast<double>(value) * a.scale));
  };
  if (a.inner == 1) {
    parallel_for(0, a.outer, std::max<int64_t>(1, kGrain / std::max<int64_t>(a.reduced, 1)),
                 [&](int64_t lo, int64_t hi) {
                   for (int64_t i = lo; i < hi; ++i)
                     finish(i, sum_row_in<T, A>(in + i * a.reduced, a.reduced));
                 });
    return;
  }
  constexpr int64_t kWidth = 256;
  const int64_t blocks = div_up(a.inner, kWidth), work = a.reduced * std::min(a.inner, kWidth);
  parallel_for(0, a.outer * blocks, std::max<int64_t>(1, kGrain / std::max<int64_t>(work, 1)),
               [&](int64_t lo, int64_t hi) {
                 for (int64_t t = lo; t < hi; ++t) {
                   const int64_t o = t / blocks, j = (t % blocks) * kWidth,
                                 width = std::min(kWidth, a.inner - j);
                   Gathered<A> total[kWidth] = {}, part[kWidth];
                   for (int64_t begin = 0; begin < a.reduced; begin += 64) {
                     std::fill(part, part + width, Gathered<A>(0));
                     for (int64_t r = begin; r < std::min(a.reduced, begin + 64); ++r) {
                       const T* p = in + (o * a.reduced + r) * a.inner + j;
                       for (int64_t c = 0; c < width; ++c) part[c] += static_cast<Gathered<A>>(as<A>(p[c]));
                     }
                     for (int64_t c = 0; c < width; ++c) total[c] += part[c];
                   }
                   for (int64_t c = 0; c < width; ++c) finish(o * a.inner + j + c, static_cast<A>(total[c]));
                 }
               });
}

void sum(const ReduceArgs& a) {
  if (a.dtype == kFloat32 && a.out_dtype == kFloat32) return sum_floats<float>(a, false);
  if (a.dtype == kFloat64 && a.out_dtype == kFloat64) return sum_floats<double>(a, false);
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    if (a.out_dtype == kFloat64)
      sum_in<T, double>(a);
    else if (is_floating_point(a.out_dtype))
      sum_in<T, float>(a);
    else
      sum_in<T, int64_t>(a);
  });
}

// --- max, min and where they are ---

template <class T, bool kMin>
T best_of_row(const T* p, int64_t n) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    return (kMin ? reduce_kernels<T>().min : reduce_kernels<T>().max)(p, n);
  } else if constexpr (std::is_integral_v<T>) {
    T best = p[0];
    for (int64_t i = 1; i < n; ++i) best = kMin ? std::min(best, p[i]) : std::max(best, p[i]);
    return best;
  } else {
    T best = p[0];
    for (int64_t i = 1; i < n; ++i)
      if (beats<kMin>(float(p[i]), float(best))) best = p[i];
    return best;
  }
}

template <class T>
int64_t find_in_row(const T* p, int64_t n, T value) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    return reduce_kernels<T>().find(p, n, value);
  } else {
    const bool nan = is_nan(value);
    int64_t i = 0;
    while (i + 1 < n && !(nan ? is_nan(p[i]) : p[i] == value)) ++i;
    return i;
  }
}

/// Where results of best() go: values, indices, or both.
template <class T>
struct BestOut {
  T* values;
  int64_t* indices;
};

template <class T, bool kMin>
void best_rows(const ReduceArgs& a, BestOut<T> out) {
  const T* in = static_cast<const T*>(a.in);
  const int64_t n = a.reduced, parts = div_up(n, kPart);
  std::unique_ptr<T[]> partial;
  if (parts > 1) {
    partial.reset(new T[static_cast<size_t>(a.outer * parts)]);
    T* to = partial.get();
    parallel_for(0, a.outer * parts, 1, [&](int64_t lo, int64_t hi) {
      for (int64_t t = lo; t < hi; ++t) {
        const int64_t begin = (t % parts) * kPart;
        to[t] = best_of_row<T, kMin>(in + (t / parts) * n + begin, std::min(kPart, n - begin));
      }
    });
  }
  parallel_for(0, a.outer, std::max<int64_t>(1, kGrain / n), [&](int64_t lo, int64_t hi) {
    for (int64_t i = lo; i < hi; ++i) {
      const T* p = in + i * n;
      int64_t begin = 0, length = n;
      T best;
      if (parts > 1) {
        const T* each = partial.get() + i * parts;
        const int64_t part = find_in_row(each, parts, best = best_of_row<T, kMin>(each, parts));
        begin = part * kPart;
        length = std::min(kPart, n - begin);
      } else {
        best = best_of_row<T, kMin>(p, n);
      }
      if (out.values) out.values[i] = best;
      if (out.indices) out.indices[i] = begin + find_in_row(p + begin, length, best);
    }
  });
}

template <class T, bool kMin>
void best_columns(const ReduceArgs& a, BestOut<T> out) {
  const T* in = static_cast<const T*>(a.in);
  constexpr int64_t kWidth = 256;
  const int64_t blocks = div_up(a.inner, kWidth), work = a.reduced * std::min(a.inner, kWidth);
  parallel_for(0, a.outer * blocks, std::max<int64_t>(1, kGrain / work), [&](int64_t lo, int64_t hi) {
    for (int64_t t = lo; t < hi; ++t) {
      const int64_t o = t / blocks, j = (t % blocks) * kWidth, width = std::min(kWidth, a.inner - j);
      const T* p = in + o * a.reduced * a.inner + j;
      const int64_t at = o * a.inner + j;
      if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
        if (!out.indices) {
          const auto& k = reduce_kernels<T>();
          (kMin ? k.min_columns : k.max_columns)(p, a.reduced, a.inner, width, out.values + at);
          continue;
        }
      }
      T best[kWidth];
      int64_t index[kWidth] = {};
      std::copy(p, p + width, best);
      for (int64_t r = 1; r < a.reduced; ++r) {
        const T* row = p + r * a.inner;
        for (int64_t c = 0; c < width; ++c) {
          const bool better = beats<kMin>(row[c], best[c]);
          best[c] = better ? row[c] : best[c];
          index[c] = better ? r : index[c];
        }
      }
      if (out.values) std::copy(best, best + width, out.values + at);
      if (out.indices) std::copy(index, index + width, out.indices + at);
    }
  });
}

template <bool kMin>
void best(const ReduceArgs& a) {
  if (a.outer == 0 || a.inner == 0) return;
  TAPIR_INTERNAL_CHECK(a.reduced > 0);
  const bool only_index = a.op == Reduction::ArgMax || a.op == Reduction::ArgMin;
  const bool only_value = a.op == Reduction::Max || a.op == Reduction::Min;
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    BestOut<T> out{only_index ? nullptr : static_cast<T*>(a.out),
                   only_value ? nullptr : (only_index ? static_cast<int64_t*>(a.out) : a.indices)};
    if (a.inner == 1)
      best_rows<T, kMin>(a, out);
    else
      best_columns<T, kMin>(a, out);
  });
}

// --- logsumexp, and half types through float ---

template <class T>
void logsumexp(const ReduceArgs& a) {
  const ReduceKernels<T>& k = reduce_kernels<T>();
  const T* in = static_cast<const T*>(a.in);
  T* out = static_cast<T*>(a.out);
  if (a.reduced == 0) {
    std::fill(out, out + a.outer * a.inner, -std::numeric_limits<T>::infinity());
  } else if (a.inner == 1) {
    parallel_for(0, a.outer, std::max<int64_t>(1, kGrain / 8 / a.reduced), [&](int64_t lo, int64_t hi) {
      for (int64_t i = lo; i < hi; ++i) out[i] = k.logsumexp(in + i * a.reduced, a.reduced);
    });
  } else {
    constexpr int64_t kWidth = 64;
    const int64_t blocks = div_up(a.inner, kWidth), work = a.reduced * std::min(a.inner, kWidth);
    parallel_for(0, a.outer * blocks, std::max<int64_t>(1, kGrain / 8 / work), [&](int64_t lo, int64_t hi) {
      for (int64_t t = lo; t < hi; ++t) {
        const int64_t o = t / blocks, j = (t % blocks) * kWidth;
        k.logsumexp_columns(in + o * a.reduced * a.inner + j, a.reduced, a.inner,
                            std::min(kWidth, a.inner - j), out + o * a.inner + j);
      }
    });
  }
}

/// Runs a kernel for float on a copy of half-type data.
template <class T, class F>
void through_float(const ReduceArgs& a, F run) {
  std::vector<float> in(static_cast<size_t>(a.outer * a.reduced * a.inner));
  std::vector<float> out(static_cast<size_t>(a.outer * a.inner));
  const T* source = static_cast<const T*>(a.in);
  for (size_t i = 0; i < in.size(); ++i) in[i] = source[i];
  ReduceArgs b = a;
  b.in = in.data();
  b.out = out.data();
  b.dtype = b.out_dtype = kFloat32;
  run(b);
  for (size_t i = 0; i < out.size(); ++i) static_cast<T*>(a.out)[i] = T(out[i]);
}

template <class F>
void floating(const ReduceArgs& a, F run) {
  switch (a.dtype) {
    case kFloat32:
      return run.template operator()<float>(a);
    case kFloat64:
      return run.template operator()<double>(a);
    case kFloat16:
      return through_float<Half>(a, [&](const ReduceArgs& b) { run.template operator()<float>(b); });
    case kBFloat16:
      return through_float<BFloat16>(a, [&](const ReduceArgs& b) { run.template operator()<float>(b); });
    default:
      TAPIR_INTERNAL_CHECK(!"a floating dtype");
  }
}

// --- all, any ---

template <class T>
bool truth(T x) {
  if constexpr (std::is_integral_v<T>)
    return x != T(0);
  else
    return x != 0;
}

/// Whether a value with truth `wanted` occurs in a row.
template <class T>
bool occurs(const T* p, int64_t n, bool wanted) {
  if constexpr (std::is_same_v<T, bool>) {
    return n > 0 && std::memchr(p, wanted, static_cast<size_t>(n)) != nullptr;
  } else {
    for (int64_t i = 0; i < n; i += 256) {
      bool found = false;
      for (int64_t j = i; j < std::min(n, i + 256); ++j) found |= truth(p[j]) == wanted;
      if (found) return true;
    }
    return false;
  }
}

/// any: a true value occurs; all: no false value occurs.
void quantify(const ReduceArgs& a, bool any) {
  bool* out = static_cast<bool*>(a.out);
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    const T* in = static_cast<const T*>(a.in);
    const int64_t work = std::max<int64_t>(1, a.reduced * a.inner);
    parallel_for(0, a.outer, std::max<int64_t>(1, kGrain / work), [&](int64_t lo, int64_t hi) {
      for (int64_t o = lo; o < hi; ++o) {
        if (a.inner == 1) {
          out[o] = occurs(in + o * a.reduced, a.reduced, any) == any;
          continue;
        }
        bool* to = out + o * a.inner;
        std::fill(to, to + a.inner, !any);
        for (int64_t r = 0; r < a.reduced; ++r) {
          const T* p = in + (o * a.reduced + r) * a.inner;
          for (int64_t c = 0; c < a.inner; ++c) to[c] = truth(p[c]) == any ? any : to[c];
        }
      }
    });
  });
}

}  // namespace

void reduce(const ReduceArgs& a) {
  if (a.outer == 0 || a.inner == 0) return;
  switch (a.op) {
    case Reduction::Sum:
      return sum(a);
    case Reduction::Prod:
      return prod(a);
    case Reduction::NormTwo:
      return floating(a, []<class T>(const ReduceArgs& b) { sum_floats<T>(b, true); });
    case Reduction::LogSumExp:
      return floating(a, []<class T>(const ReduceArgs& b) { logsumexp<T>(b); });
    case Reduction::Max:
    case Reduction::ArgMax:
    case Reduction::MaxIndex:
      return best<false>(a);
    case Reduction::Min:
    case Reduction::ArgMin:
    case Reduction::MinIndex:
      return best<true>(a);
    case Reduction::All:
      return quantify(a, false);
    case Reduction::Any:
      return quantify(a, true);
  }
}

}  // namespace tapir::cpu
