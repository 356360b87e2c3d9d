// Factories. `options` gives dtype, device and requires_grad; what it leaves unset is the default dtype (or
// what the values imply, where a function says so), the CPU, and no gradient. All throw ShapeError for
// negative sizes.
#pragma once

#include <functional>
#include <initializer_list>
#include <vector>

#include "tapir/autograd/node.h"

namespace tapir {

/// Uninitialised memory.
TAPIR_API Tensor empty(IntArrayRef size, const TensorOptions& options = {});
TAPIR_API Tensor zeros(IntArrayRef size, const TensorOptions& options = {});
TAPIR_API Tensor ones(IntArrayRef size, const TensorOptions& options = {});
/// Every element = value. Without a dtype: bool, int64 or the default dtype, by the kind of `value`.
TAPIR_API Tensor full(IntArrayRef size, const Scalar& value, const TensorOptions& options = {});

// With the sizes, dtype and device of `x`, where options set none; dense tensors lend their strides too.
TAPIR_API Tensor empty_like(const Tensor& x, const TensorOptions& options = {});
TAPIR_API Tensor zeros_like(const Tensor& x, const TensorOptions& options = {});
TAPIR_API Tensor ones_like(const Tensor& x, const TensorOptions& options = {});
TAPIR_API Tensor full_like(const Tensor& x, const Scalar& value, const TensorOptions& options = {});

/// start, start + step, ... below end (above it for a negative step). Without a dtype: int64 where all three
/// are integers, else the default dtype. Throws ValueError for a step of zero or of the wrong sign.
TAPIR_API Tensor arange(const Scalar& end, const TensorOptions& options = {});
TAPIR_API Tensor arange(const Scalar& start, const Scalar& end, const TensorOptions& options = {});
TAPIR_API Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step,
                        const TensorOptions& options = {});
/// `steps` values at equal distances, both ends included.
TAPIR_API Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps = 100,
                          const TensorOptions& options = {});
/// base to the power of linspace(start, end, steps), computed in float64.
TAPIR_API Tensor logspace(const Scalar& start, const Scalar& end, int64_t steps = 100, double base = 10,
                          const TensorOptions& options = {});
/// arange with the end included; of the default dtype.
TAPIR_API Tensor range(const Scalar& start, const Scalar& end, const Scalar& step = 1,
                       const TensorOptions& options = {});
/// A tensor without dimensions.
TAPIR_API Tensor scalar_tensor(const Scalar& value, const TensorOptions& options = {});
/// Uninitialised, with those strides. Throws ShapeError for negative ones.
TAPIR_API Tensor empty_strided(IntArrayRef size, IntArrayRef stride, const TensorOptions& options = {});
/// Ones on the diagonal of an n x m matrix (m = n where left out).
TAPIR_API Tensor eye(int64_t n, const TensorOptions& options = {});
TAPIR_API Tensor eye(int64_t n, int64_t m, const TensorOptions& options = {});

/// The values that tensor() takes: a number, a vector, or braces nested to any depth.
class TAPIR_API TensorValues {
 public:
  TensorValues() : sizes_{0}, dtype_(get_default_dtype()) {}
  template <class T>
  requires(requires { DTypeOf<T>::value; }) TensorValues(T number)  // NOLINT
      : dtype_(inferred(dtype_of<T>)), values_{Scalar(number)} {}
  TensorValues(std::initializer_list<TensorValues> rows);  // NOLINT
  template <class T>
  TensorValues(ArrayRef<T> v)  // NOLINT: not copied
      : sizes_{static_cast<int64_t>(v.size())},
        dtype_(inferred(dtype_of<T>)),
        array_(v.data()),
        array_dtype_(dtype_of<T>) {}
  template <class T>
  TensorValues(const std::vector<T>& v) : TensorValues(ArrayRef<T>(v)) {}  // NOLINT
  TensorValues(const std::vector<bool>& v);                                // NOLINT

  const Dims& sizes() const { return sizes_; }
  DType dtype() const { return dtype_; }
  Tensor make(DType dtype) const;

 private:
  static DType inferred(DType d) {
    return d == kInt32 ? kInt64 : d == kFloat32 || d == kFloat64 ? get_default_dtype() : d;
  }
  Dims sizes_;
  DType dtype_;
  std::vector<Scalar> values_;   // row-major, where array_ is null
  const void* array_ = nullptr;  // a vector's elements
  DType array_dtype_ = kFloat32;
};

/// A tensor of the given values: tensor(1.5), tensor({1, 2}), tensor({{1, 2}, {3, 4}}), tensor(a_vector).
/// Without a dtype: float and double give the default dtype, int and long give int64, other element types
/// themselves; mixed braces the promoted one. Throws ShapeError for rows of different sizes.
TAPIR_API Tensor tensor(const TensorValues& values, const TensorOptions& options = {});

/// A tensor over memory of the caller's, which must outlive it, or which `deleter(data)` gives back when the
/// last user is gone. Strides count elements; row-major without them.
TAPIR_API Tensor from_blob(void* data, IntArrayRef sizes, const TensorOptions& options = {});
TAPIR_API Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides,
                           const TensorOptions& options = {});
TAPIR_API Tensor from_blob(void* data, IntArrayRef sizes, const std::function<void(void*)>& deleter,
                           const TensorOptions& options = {});
TAPIR_API Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides,
                           const std::function<void(void*)>& deleter, const TensorOptions& options = {});

}  // namespace tapir
