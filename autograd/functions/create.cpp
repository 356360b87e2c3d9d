#include "tapir/autograd/functions/create.h"

#include <algorithm>
#include <cmath>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"

namespace tapir {

namespace {

Tensor finish(Tensor t, const TensorOptions& options) {
  if (options.requires_grad()) t.set_requires_grad(true);
  return t;
}

DType kind_of(const Scalar& s) { return s.isFloatingPoint() ? get_default_dtype() : s.type(); }

TensorOptions like(const Tensor& x, const TensorOptions& options) {
  TensorOptions o = options;
  if (!o.has_dtype()) o = o.dtype(x.dtype());
  if (!o.has_device()) o = o.device(x.device());
  return o;
}

}  // namespace

Tensor empty(IntArrayRef size, const TensorOptions& options) {
  return finish(Tensor::empty(size, options.dtype(), options.device()), options);
}
Tensor zeros(IntArrayRef size, const TensorOptions& options) {
  return finish(raw::zeros(size, options.dtype(), options.device()), options);
}
Tensor ones(IntArrayRef size, const TensorOptions& options) {
  return finish(raw::full(size, 1, options.dtype(), options.device()), options);
}
Tensor full(IntArrayRef size, const Scalar& value, const TensorOptions& options) {
  return finish(
      raw::full(size, value, options.has_dtype() ? options.dtype() : kind_of(value), options.device()),
      options);
}

Tensor empty_like(const Tensor& x, const TensorOptions& options) {
  const TensorOptions o = like(x, options);
  Layout layout = x.layout_of();
  if (!layout.contiguous && !layout.dense()) layout = Layout::of(x.sizes());
  layout.offset = 0;
  return finish(Tensor::from_layout(std::move(layout), o.dtype(), o.device()), o);
}
Tensor full_like(const Tensor& x, const Scalar& value, const TensorOptions& options) {
  Tensor y = empty_like(x, TensorOptions(options).requires_grad(false));
  raw::fill(y, value, "full_like");
  return finish(std::move(y), options);
}
Tensor zeros_like(const Tensor& x, const TensorOptions& options) { return full_like(x, 0, options); }
Tensor ones_like(const Tensor& x, const TensorOptions& options) { return full_like(x, 1, options); }

Tensor arange(const Scalar& end, const TensorOptions& options) { return arange(0, end, 1, options); }
Tensor arange(const Scalar& start, const Scalar& end, const TensorOptions& options) {
  return arange(start, end, 1, options);
}
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, const TensorOptions& options) {
  const bool real = start.isFloatingPoint() || end.isFloatingPoint() || step.isFloatingPoint();
  const DType dtype = options.has_dtype() ? options.dtype() : real ? get_default_dtype() : kInt64;
  return finish(raw::arange(start, end, step, dtype, options.device()), options);
}
Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, const TensorOptions& options) {
  return finish(raw::linspace(start, end, steps, options.dtype(), options.device()), options);
}
Tensor logspace(const Scalar& start, const Scalar& end, int64_t steps, double base,
                const TensorOptions& options) {
  const Tensor exponents = raw::linspace(start, end, steps, kFloat64, kCPU);
  double* p = exponents.data_ptr<double>();
  for (int64_t i = 0; i < steps; ++i) p[i] = std::pow(base, p[i]);
  return finish(raw::to_device(raw::cast(exponents, options.dtype()), options.device()), options);
}
Tensor range(const Scalar& start, const Scalar& end, const Scalar& step, const TensorOptions& options) {
  const double by = step.to_double(), length = (end.to_double() - start.to_double()) / by;
  TAPIR_CHECK_AS(ValueError, by != 0 && length >= 0 && length < 0x1p62,
                 "range: from {} to {} by {} is no range", start.to_double(), end.to_double(), by);
  const Tensor y = raw::arange(0, static_cast<int64_t>(length) + 1, 1, kFloat64, kCPU);
  double* p = y.data_ptr<double>();
  for (int64_t i = 0; i < y.numel(); ++i) p[i] = start.to_double() + p[i] * by;
  return finish(raw::to_device(raw::cast(y, options.dtype()), options.device()), options);
}
Tensor scalar_tensor(const Scalar& value, const TensorOptions& options) {
  return finish(raw::full({}, value, options.dtype(), options.device()), options);
}
Tensor empty_strided(IntArrayRef size, IntArrayRef stride, const TensorOptions& options) {
  const Layout layout = Layout::strided(size, stride, 0);
  for (int64_t s : stride)
    TAPIR_CHECK_AS(ShapeError, s >= 0, "empty_strided: strides {}, expected none below 0", stride);
  Tensor y = Tensor::empty({layout.extent()}, options.dtype(), options.device()).alias(layout);
  return finish(std::move(y), options);
}
Tensor eye(int64_t n, const TensorOptions& options) { return eye(n, n, options); }
Tensor eye(int64_t n, int64_t m, const TensorOptions& options) {
  return finish(raw::eye(n, m, options.dtype(), options.device()), options);
}

// --- from values ---

TensorValues::TensorValues(std::initializer_list<TensorValues> rows)
    : sizes_{static_cast<int64_t>(rows.size())}, dtype_(get_default_dtype()) {
  if (rows.size() == 0) return;
  const Dims& inner = rows.begin()->sizes_;
  TAPIR_CHECK_AS(ShapeError, inner.size() < static_cast<size_t>(kMaxDims),
                 "tensor: the braces are nested deeper than {} dimensions", kMaxDims);
  for (int64_t s : inner) sizes_.push_back(s);
  dtype_ = rows.begin()->dtype_;
  for (const TensorValues& row : rows) {
    TAPIR_CHECK_AS(ShapeError, row.sizes_ == inner,
                   "tensor: a row has sizes {} but the first one has {}; rows must agree",
                   IntArrayRef(row.sizes_), IntArrayRef(inner));
    dtype_ = promote_types(dtype_, row.dtype_);
    if (!row.array_) {
      values_.insert(values_.end(), row.values_.begin(), row.values_.end());
      continue;
    }
    visit_dtype(row.array_dtype_, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* p = static_cast<const T*>(row.array_);
      for (int64_t i = 0; i < count(row.sizes_); ++i) values_.push_back(Scalar(p[i]));
    });
  }
}

TensorValues::TensorValues(const std::vector<bool>& v)
    : sizes_{static_cast<int64_t>(v.size())}, dtype_(kBool), values_(v.begin(), v.end()) {}

Tensor TensorValues::make(DType dtype) const {
  const DType stored = array_ ? array_dtype_ : dtype_;
  Tensor t = Tensor::empty(sizes_, array_ ? stored : dtype);
  visit_dtype(t.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* to = static_cast<T*>(t.data_ptr());
    if (array_) {
      std::copy_n(static_cast<const T*>(array_), t.numel(), to);
    } else {
      for (const Scalar& s : values_) *to++ = s.cast<T>();
    }
  });
  return raw::cast(t, dtype);
}

Tensor tensor(const TensorValues& values, const TensorOptions& options) {
  Tensor t = values.make(options.has_dtype() ? options.dtype() : values.dtype());
  return finish(raw::to_device(t, options.device()), options);
}

// --- over memory of the caller's ---

Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides,
                 const std::function<void(void*)>& deleter, const TensorOptions& options) {
  Layout layout = Layout::strided(sizes, strides, 0);
  for (int64_t s : strides) TAPIR_CHECK_AS(ValueError, s >= 0, "from_blob: negative stride in {}", strides);
  TAPIR_CHECK_AS(ValueError, data != nullptr || layout.numel == 0,
                 "from_blob: the address is null, but sizes {} hold elements", sizes);
  auto storage = StorageImpl::wrap(data, static_cast<size_t>(layout.extent()) * item_size(options.dtype()),
                                   options.device(), deleter);
  return finish(
      Tensor(Ref<TensorImpl>::adopt(new TensorImpl(std::move(storage), std::move(layout), options.dtype()))),
      options);
}
Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides, const TensorOptions& options) {
  return from_blob(data, sizes, strides, std::function<void(void*)>(), options);
}
Tensor from_blob(void* data, IntArrayRef sizes, const std::function<void(void*)>& deleter,
                 const TensorOptions& options) {
  return from_blob(data, sizes, Layout::of(sizes).strides, deleter, options);
}
Tensor from_blob(void* data, IntArrayRef sizes, const TensorOptions& options) {
  return from_blob(data, sizes, std::function<void(void*)>(), options);
}

}  // namespace tapir
