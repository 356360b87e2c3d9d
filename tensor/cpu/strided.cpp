#include "tapir/tensor/cpu/strided.h"

namespace tapir::cpu {

void gather_block(size_t item, const void* base, int ndim, const int64_t* sizes, const int64_t* strides,
                  const int64_t* start, int64_t n, void* dst) {
  visit_item(item, [&](auto unit) {
    using U = decltype(unit);
    U* out = static_cast<U*>(dst);
    const int64_t inner = strides[ndim - 1];
    for_row_pieces(ndim, sizes, strides, start, n, [&](int64_t offset, int64_t m) {
      copy_run(m, static_cast<const U*>(base) + offset, inner, out, 1);
      out += m;
    });
  });
}

void scatter_block(size_t item, void* base, int ndim, const int64_t* sizes, const int64_t* strides,
                   const int64_t* start, int64_t n, const void* src) {
  visit_item(item, [&](auto unit) {
    using U = decltype(unit);
    const U* in = static_cast<const U*>(src);
    const int64_t inner = strides[ndim - 1];
    for_row_pieces(ndim, sizes, strides, start, n, [&](int64_t offset, int64_t m) {
      copy_run(m, in, 1, static_cast<U*>(base) + offset, inner);
      in += m;
    });
  });
}

}  // namespace tapir::cpu
