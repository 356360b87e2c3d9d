#include "tapir/nn/pooling.h"

#include <cmath>
#include <ostream>

#include "tapir/autograd/functions/activation.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/pool.h"
#include "tapir/autograd/functions/random.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"

namespace tapir::nn {

namespace functional {

namespace {

/// nullopt as -1, which keeps the size.
template <size_t D>
Dims sizes_of(const ExpandingArrayWithOptionalElem<D>& output_size) {
  Dims sizes;
  for (const auto& s : *output_size) sizes.push_back(s.value_or(-1));
  return sizes;
}

template <size_t D>
Dims unpooled(const char* op, const Tensor& input, const MaxUnpoolFuncOptions<D>& o) {
  TAPIR_CHECK_AS(ShapeError,
                 input.dim() == static_cast<int64_t>(D) + 1 || input.dim() == static_cast<int64_t>(D) + 2,
                 "{}: input has sizes {}, expected {} or {} dimensions", op, input.sizes(), D + 1, D + 2);
  Dims sizes;
  for (size_t d = 0; d < D; ++d)
    sizes.push_back((input.size(static_cast<int64_t>(d) - static_cast<int64_t>(D)) - 1) * o.stride()[d] +
                    o.kernel_size()[d] - 2 * o.padding()[d]);
  if (!o.output_size()) return sizes;
  const auto& wanted = *o.output_size();
  TAPIR_CHECK_AS(ValueError, wanted.size() == D || wanted.size() == static_cast<size_t>(input.dim()),
                 "{}: output_size {}, expected {} spatial sizes, or all {} of the output", op,
                 IntArrayRef(wanted), D, input.dim());
  for (size_t d = 0; d < D; ++d) {
    const int64_t size = wanted[wanted.size() - D + d];
    TAPIR_CHECK_AS(ValueError, size > sizes[d] - o.stride()[d] && size < sizes[d] + o.stride()[d],
                   "{}: output size {} in spatial dimension {}, expected more than {} and less than {}", op,
                   size, d, sizes[d] - o.stride()[d], sizes[d] + o.stride()[d]);
    sizes[d] = size;
  }
  return sizes;
}

template <size_t D>
Dims fractional_sizes(const char* op, const Tensor& input, const FractionalMaxPoolOptions<D>& o) {
  TAPIR_CHECK_AS(ValueError, o.output_size().has_value() != o.output_ratio().has_value(),
                 "{}: expected either output_size or output_ratio, got {}", op,
                 o.output_size() ? "both" : "neither");
  TAPIR_CHECK_AS(ShapeError,
                 input.dim() == static_cast<int64_t>(D) + 1 || input.dim() == static_cast<int64_t>(D) + 2,
                 "{}: input has sizes {}, expected {} or {} dimensions", op, input.sizes(), D + 1, D + 2);
  Dims sizes;
  for (size_t d = 0; d < D; ++d) {
    const double ratio = o.output_size() ? 0 : (*o.output_ratio())[d];
    TAPIR_CHECK_AS(ValueError, o.output_size() || (ratio > 0 && ratio < 1),
                   "{}: output_ratio {}, expected a number between 0 and 1", op, ratio);
    const auto in = static_cast<double>(input.size(static_cast<int64_t>(d) - static_cast<int64_t>(D)));
    sizes.push_back(o.output_size() ? (*o.output_size())[d] : static_cast<int64_t>(in * ratio));
  }
  return sizes;
}
template <size_t D>
Tensor samples_of(const Tensor& input, const FractionalMaxPoolOptions<D>& o) {
  if (o._random_samples().defined()) return o._random_samples();
  const bool batched = input.dim() == static_cast<int64_t>(D) + 2;
  return rand({batched ? input.size(0) : 1, input.size(batched ? 1 : 0), static_cast<int64_t>(D)},
              input.options());
}

/// From the means of x^p over windows of `elements`.
Tensor lp_norm(const Tensor& means, double elements, double p) {
  return pow(mul(mul(sign(means), relu(abs(means))), Scalar(elements)), Scalar(1 / p));
}

}  // namespace

#define TAPIR_POOL(D)                                                                                        \
  Tensor max_pool##D##d(const Tensor& input, const MaxPool##D##dFuncOptions& o) {                            \
    CallSite site(TAPIR_HERE);                                                                               \
    return tapir::max_pool##D##d(input, o.kernel_size(), o.stride(), o.padding(), o.dilation(),              \
                                 o.ceil_mode());                                                             \
  }                                                                                                          \
  std::tuple<Tensor, Tensor> max_pool##D##d_with_indices(const Tensor& input,                                \
                                                         const MaxPool##D##dFuncOptions& o) {                \
    CallSite site(TAPIR_HERE);                                                                               \
    return tapir::max_pool##D##d_with_indices(input, o.kernel_size(), o.stride(), o.padding(), o.dilation(), \
                                              o.ceil_mode());                                                \
  }                                                                                                          \
  Tensor avg_pool##D##d(const Tensor& input, const AvgPool##D##dFuncOptions& o) {                            \
    CallSite site(TAPIR_HERE);                                                                               \
    return tapir::avg_pool##D##d(input, o.kernel_size(), o.stride(), o.padding(), o.ceil_mode(),             \
                                 o.count_include_pad(), o.divisor_override());                               \
  }                                                                                                          \
  Tensor adaptive_avg_pool##D##d(const Tensor& input, const AdaptiveAvgPool##D##dFuncOptions& o) {           \
    CallSite site(TAPIR_HERE);                                                                               \
    return tapir::adaptive_avg_pool##D##d(input, sizes_of(o.output_size()));                                 \
  }                                                                                                          \
  std::tuple<Tensor, Tensor> adaptive_max_pool##D##d_with_indices(                                           \
      const Tensor& input, const AdaptiveMaxPool##D##dFuncOptions& o) {                                      \
    CallSite site(TAPIR_HERE);                                                                               \
    return tapir::adaptive_max_pool##D##d(input, sizes_of(o.output_size()));                                 \
  }                                                                                                          \
  Tensor adaptive_max_pool##D##d(const Tensor& input, const AdaptiveMaxPool##D##dFuncOptions& o) {           \
    CallSite site(TAPIR_HERE);                                                                               \
    return std::get<0>(tapir::adaptive_max_pool##D##d(input, sizes_of(o.output_size())));                    \
  }                                                                                                          \
  Tensor max_unpool##D##d(const Tensor& input, const Tensor& indices, const MaxUnpool##D##dFuncOptions& o) { \
    CallSite site(TAPIR_HERE);                                                                               \
    return tapir::max_unpool##D##d(input, indices, unpooled("max_unpool" #D "d", input, o));                 \
  }
TAPIR_POOL(1)
TAPIR_POOL(2)
TAPIR_POOL(3)
#undef TAPIR_POOL

#define TAPIR_FRACTIONAL(D)                                                                            \
  std::tuple<Tensor, Tensor> fractional_max_pool##D##d_with_indices(                                   \
      const Tensor& input, const FractionalMaxPool##D##dFuncOptions& o) {                              \
    CallSite site(TAPIR_HERE);                                                                         \
    const Dims sizes = fractional_sizes("fractional_max_pool" #D "d", input, o);                       \
    return tapir::fractional_max_pool##D##d(input, o.kernel_size(), sizes, samples_of(input, o));      \
  }                                                                                                    \
  Tensor fractional_max_pool##D##d(const Tensor& input, const FractionalMaxPool##D##dFuncOptions& o) { \
    CallSite site(TAPIR_HERE);                                                                         \
    return std::get<0>(fractional_max_pool##D##d_with_indices(input, o));                              \
  }
TAPIR_FRACTIONAL(2)
TAPIR_FRACTIONAL(3)
#undef TAPIR_FRACTIONAL

Tensor lp_pool1d(const Tensor& input, const LPPool1dFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  const Tensor means =
      tapir::avg_pool1d(pow(input, Scalar(o.norm_type())), o.kernel_size(), o.stride(), 0, o.ceil_mode());
  return lp_norm(means, static_cast<double>(o.kernel_size()[0]), o.norm_type());
}
Tensor lp_pool2d(const Tensor& input, const LPPool2dFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  const Tensor means =
      tapir::avg_pool2d(pow(input, Scalar(o.norm_type())), o.kernel_size(), o.stride(), 0, o.ceil_mode());
  return lp_norm(means, static_cast<double>(o.kernel_size()[0] * o.kernel_size()[1]), o.norm_type());
}

}  // namespace functional

namespace detail {

namespace {

void print(std::ostream& stream, const char* name, IntArrayRef numbers) {
  stream << name << "=[";
  for (size_t i = 0; i < numbers.size(); ++i) stream << (i ? ", " : "") << numbers[i];
  stream << ']';
}
template <size_t D>
void show(std::ostream& s, const MaxPoolOptions<D>& o) {
  print(s, "kernel_size", o.kernel_size());
  print(s, ", stride", o.stride());
  print(s, ", padding", o.padding());
  print(s, ", dilation", o.dilation());
  s << ", ceil_mode=" << o.ceil_mode();
}
template <size_t D>
void show(std::ostream& s, const AvgPoolOptions<D>& o) {
  print(s, "kernel_size", o.kernel_size());
  print(s, ", stride", o.stride());
  print(s, ", padding", o.padding());
}
template <size_t D>
void show_sizes(std::ostream& s, const ExpandingArrayWithOptionalElem<D>& sizes) {
  s << "output_size=[";
  for (size_t i = 0; i < D; ++i) {
    s << (i ? ", " : "");
    (*sizes)[i] ? s << *(*sizes)[i] : s << "None";
  }
  s << ']';
}
template <size_t D>
void show(std::ostream& s, const AdaptiveAvgPoolOptions<D>& o) {
  show_sizes<D>(s, o.output_size());
}
template <size_t D>
void show(std::ostream& s, const AdaptiveMaxPoolOptions<D>& o) {
  show_sizes<D>(s, o.output_size());
}
template <size_t D>
void show(std::ostream& s, const MaxUnpoolOptions<D>& o) {
  print(s, "kernel_size", o.kernel_size());
  print(s, ", stride", o.stride());
  print(s, ", padding", o.padding());
}
template <size_t D>
void show(std::ostream& s, const LPPoolOptions<D>& o) {
  s << "norm_type=" << o.norm_type();
  print(s, ", kernel_size", o.kernel_size());
  print(s, ", stride", o.stride());
  s << ", ceil_mode=" << o.ceil_mode();
}
template <size_t D>
void show(std::ostream&, const FractionalMaxPoolOptions<D>&) {}  // libtorch shows none of them

template <class Layer>
constexpr const char* kName = "";

}  // namespace

template <class Options_, class Derived>
void PoolImpl<Options_, Derived>::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "tapir::nn::" << kName<Derived> << '(';
  show(stream, options);
  stream << ')';
}

#define TAPIR_PRINTS(Name, D)                                 \
  namespace {                                                 \
  template <>                                                 \
  constexpr const char* kName<Name##D##dImpl> = #Name #D "d"; \
  }                                                           \
  template class PoolImpl<Name##Options<D>, Name##D##dImpl>;
#define TAPIR_ALL_PRINT(D)         \
  TAPIR_PRINTS(MaxPool, D)         \
  TAPIR_PRINTS(AvgPool, D)         \
  TAPIR_PRINTS(AdaptiveAvgPool, D) \
  TAPIR_PRINTS(AdaptiveMaxPool, D) \
  TAPIR_PRINTS(MaxUnpool, D)
TAPIR_ALL_PRINT(1)
TAPIR_ALL_PRINT(2)
TAPIR_ALL_PRINT(3)
TAPIR_PRINTS(LPPool, 1)
TAPIR_PRINTS(LPPool, 2)
TAPIR_PRINTS(FractionalMaxPool, 2)
TAPIR_PRINTS(FractionalMaxPool, 3)
#undef TAPIR_PRINTS
#undef TAPIR_ALL_PRINT

}  // namespace detail

}  // namespace tapir::nn
