// Writing by index, without gradient. Of several values for one place the last stays, in row-major order of
// the index; sums are formed in that order too. All throw IndexError for an index out of range and ShapeError
// where sizes do not fit, before anything is changed.
#pragma once

#include "tapir/tensor/kernels.h"
#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// dst[..index[..i..]..] meets src[..i..] as `mode` says; index nowhere larger than src, nor than dst but
/// along `dim`. Counts as a change of dst. Throws DTypeError where the dtypes differ.
TAPIR_API void scatter_into(const Tensor& dst, int64_t dim, const Tensor& index, const Tensor& src,
                            ScatterMode mode, const char* op);
/// The same with `value` for every element of src.
TAPIR_API void scatter_into(const Tensor& dst, int64_t dim, const Tensor& index, const Scalar& value,
                            ScatterMode mode, const char* op);
/// dst[.., index[i], ..] = src[.., i, ..] along `dim`. Counts as a change of dst.
TAPIR_API void put_rows(const Tensor& dst, int64_t dim, const Tensor& index, const Tensor& src,
                        const char* op);

}  // namespace tapir::raw
