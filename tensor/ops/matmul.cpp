#include "tapir/tensor/ops/matmul.h"

#include <algorithm>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {

void check_types(const char* op, const Tensor& a, const Tensor& b) {
  TAPIR_CHECK_AS(DTypeError, a.dtype() == b.dtype(),
                 "{}: got {} and {}, expected the same dtype; cast one with to(dtype)", op, a.dtype(),
                 b.dtype());
  TAPIR_CHECK_AS(DTypeError, a.dtype() != kBool, "{}: bool has no product; cast it with to(dtype)", op);
  TAPIR_CHECK_AS(DeviceError, a.device() == b.device(),
                 "{}: tensors on {} and {}; move them to one device with to(device)", op, a.device(),
                 b.device());
}

TAPIR_COLD void bad_shapes(const char* op, const Tensor& a, const Tensor& b, const char* expected) {
  throw_error<ShapeError>("{}: sizes {} and {} do not fit; expected {}", op, a.sizes(), b.sizes(), expected);
}

/// The last two dimensions of a tensor, or a vector seen as a matrix, as gemm takes them.
struct Matrix {
  Tensor owner;  ///< a copy, where one was needed
  const void* data;
  bool trans = false;
  int64_t ld = 1;
};

bool rows_lie_together(int64_t rows, int64_t cols, int64_t row_stride, int64_t col_stride) {
  return (col_stride == 1 || cols == 1) && (row_stride >= cols || rows == 1);
}

/// Matrix (rows, cols) of elements at x.data + i * row_stride + j * col_stride.
bool as_matrix(Matrix& m, int64_t rows, int64_t cols, int64_t row_stride, int64_t col_stride) {
  if (rows_lie_together(rows, cols, row_stride, col_stride)) {
    m.trans = false;
    m.ld = rows == 1 ? cols : row_stride;
  } else if (rows_lie_together(cols, rows, col_stride, row_stride)) {
    m.trans = true;
    m.ld = cols == 1 ? rows : col_stride;
  } else {
    return false;
  }
  m.ld = std::max<int64_t>(m.ld, 1);
  return true;
}

Matrix matrix_of(const Tensor& x) {
  Matrix m;
  const Layout& l = x.layout_of();
  if (TAPIR_LIKELY(as_matrix(m, l.sizes[0], l.sizes[1], l.strides[0], l.strides[1]))) {
    m.data = x.data_ptr();
  } else {
    m.owner = clone_contiguous(x);
    m.data = m.owner.data_ptr();
    m.ld = std::max<int64_t>(l.sizes[1], 1);
  }
  return m;
}

/// c = alpha * a b + beta * c + bias for row-major c with rows `ldc` apart.
void multiply(const char* op, const Tensor& c, int64_t ldc, const Tensor& a, const Tensor& b, double beta,
              double alpha, const Tensor* bias = nullptr) {
  const int64_t m = a.layout_of().sizes[0], k = a.layout_of().sizes[1], n = b.layout_of().sizes[1];
  if (m == 0 || n == 0) return;
  const Matrix x = matrix_of(a), y = matrix_of(b);
  require(&KernelTable::gemm, c.device(),
          op)({c.dtype(), x.trans, y.trans, m, n, k, alpha, beta, x.data, x.ld, y.data, y.ld, c.data_ptr(),
               ldc, bias ? bias->data_ptr() : nullptr, 1, 0, 0, 0});
}

void check_mm(const char* op, const Tensor& a, const Tensor& b) {
  check_types(op, a, b);
  if (TAPIR_UNLIKELY(a.dim() != 2 || b.dim() != 2 || a.layout_of().sizes[1] != b.layout_of().sizes[0]))
    bad_shapes(op, a, b, "(m, k) and (k, n)");
}

/// A vector as a matrix.
Tensor as_row(const Tensor& v) { return v.alias(v.layout_of().unsqueeze(0)); }
Tensor as_column(const Tensor& v) { return v.alias(v.layout_of().unsqueeze(1)); }

/// Strides of the batch dimensions of x, broadcast to `batch`.
void batch_strides(const Tensor& x, const Dims& batch, int64_t* strides) {
  const Layout& l = x.layout_of();
  const int64_t extra = static_cast<int64_t>(batch.size()) - (l.dim() - 2);
  for (int64_t i = 0; i < static_cast<int64_t>(batch.size()); ++i)
    strides[i] = i < extra || l.sizes[i - extra] == 1 ? 0 : l.strides[i - extra];
}

/// x with its matrices as gemm takes them.
Tensor gemm_ready(const Tensor& x, Matrix& m) {
  const Layout& l = x.layout_of();
  const int64_t d = l.dim();
  if (as_matrix(m, l.sizes[d - 2], l.sizes[d - 1], l.strides[d - 2], l.strides[d - 1])) return x;
  Tensor copy = clone_contiguous(x);
  m.ld = std::max<int64_t>(l.sizes[d - 1], 1);
  return copy;
}

/// a (..., m, k) x b (..., k, n) -> (batch..., m, n), both with two dimensions or more.
Tensor batched(const char* op, const Tensor& a_in, const Tensor& b_in) {
  Matrix x, y;
  const Tensor a = gemm_ready(a_in, x), b = gemm_ready(b_in, y);
  const Layout &la = a.layout_of(), &lb = b.layout_of();
  const int64_t m = la.sizes[la.dim() - 2], k = la.sizes[la.dim() - 1], n = lb.sizes[lb.dim() - 1];
  const Dims batch = broadcast_sizes(IntArrayRef(la.sizes.data(), la.sizes.size() - 2),
                                     IntArrayRef(lb.sizes.data(), lb.sizes.size() - 2), op);
  Dims sizes = batch;
  sizes.push_back(m);
  sizes.push_back(n);
  Tensor out = Tensor::empty(sizes, a.dtype(), a.device());
  if (out.numel() == 0) return out;
  // Batch dimensions that both operands walk with one stride make one call; the others are a loop around it.
  int64_t strides[2][kMaxDims];
  batch_strides(a, batch, strides[0]);
  batch_strides(b, batch, strides[1]);
  int64_t merged = 1, stride_a = 0, stride_b = 0;
  int64_t outer_dims = static_cast<int64_t>(batch.size());
  while (outer_dims > 0) {
    const int64_t d = outer_dims - 1;
    if (batch[d] != 1) {
      if (merged == 1) {
        stride_a = strides[0][d];
        stride_b = strides[1][d];
      } else if (strides[0][d] != stride_a * merged || strides[1][d] != stride_b * merged) {
        break;
      }
      merged *= batch[d];
    }
    --outer_dims;
  }
  int64_t calls = 1;
  for (int64_t d = 0; d < outer_dims; ++d) calls *= batch[d];
  const auto gemm = require(&KernelTable::gemm, a.device(), op);
  const auto item = static_cast<int64_t>(a.itemsize());
  for (int64_t call = 0; call < calls; ++call) {
    int64_t at_a = 0, at_b = 0, rest = call;
    for (int64_t d = outer_dims - 1; d >= 0; --d) {
      const int64_t i = rest % batch[d];
      rest /= batch[d];
      at_a += i * strides[0][d];
      at_b += i * strides[1][d];
    }
    gemm({out.dtype(), x.trans, y.trans, m, n, k, 1, 0, a.impl()->data + at_a * item, x.ld,
          b.impl()->data + at_b * item, y.ld, out.impl()->data + call * merged * m * n * item, n, nullptr,
          merged, stride_a, stride_b, m * n});
  }
  return out;
}

/// The dimensions of x but the last as one, without a copy; false where the strides do not allow that.
bool fold_rows(const Tensor& x, Tensor& folded) {
  const Layout& l = x.layout_of();
  const int64_t k = l.sizes[l.dim() - 1];
  bool possible;
  Layout to = l.view({k == 0 ? count(IntArrayRef(l.sizes.data(), l.sizes.size() - 1)) : l.numel / k, k},
                     possible, "matmul");
  if (possible) folded = x.alias(std::move(to));
  return possible;
}

Dims with_last(const Tensor& x, int64_t n) {
  Dims sizes = x.layout_of().sizes;
  sizes[sizes.size() - 1] = n;
  return sizes;
}

}  // namespace

Tensor mm(const Tensor& a, const Tensor& b) {
  check_mm("mm", a, b);
  const int64_t n = b.layout_of().sizes[1];
  Tensor c = Tensor::empty({a.layout_of().sizes[0], n}, a.dtype(), a.device());
  multiply("mm", c, n, a, b, 0, 1);
  return c;
}

void addmm_into(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha,
                const char* op) {
  check_mm(op, a, b);
  check_types(op, c, a);
  const Layout& l = c.layout_of();
  TAPIR_CHECK_AS(ShapeError, l.dim() == 2 && l.sizes[0] == a.size(0) && l.sizes[1] == b.size(1),
                 "{}: the product of {} and {} does not fit a tensor of sizes {}", op, a.sizes(), b.sizes(),
                 c.sizes());
  check_writable(c, op);
  const double x = alpha.to_double(), y = beta.to_double();
  if (rows_lie_together(l.sizes[0], l.sizes[1], l.strides[0], l.strides[1])) {
    multiply(op, c, l.sizes[0] == 1 ? std::max<int64_t>(l.sizes[1], 1) : l.strides[0], a, b, y, x);
  } else if (rows_lie_together(l.sizes[1], l.sizes[0], l.strides[1], l.strides[0])) {  // C^T = B^T A^T
    multiply(op, c, l.sizes[1] == 1 ? std::max<int64_t>(l.sizes[0], 1) : l.strides[1],
             b.alias(b.layout_of().transpose(0, 1)), a.alias(a.layout_of().transpose(0, 1)), y, x);
  } else {
    Tensor work = clone_contiguous(c);
    multiply(op, work, l.sizes[1], a, b, y, x);
    return copy_into(c, work);
  }
  mark_changed(c, op);
}

Tensor addmm(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  check_mm("addmm", a, b);
  check_types("addmm", c, a);
  const int64_t m = a.layout_of().sizes[0], n = b.layout_of().sizes[1];
  const double x = alpha.to_double(), y = beta.to_double();
  TAPIR_CHECK_AS(ShapeError, is_expandable_to(c.sizes(), IntArrayRef({m, n})),
                 "addmm: a tensor of sizes {} does not broadcast to the product's, [{}, {}]", c.sizes(), m,
                 n);
  Tensor out = Tensor::empty({m, n}, a.dtype(), a.device());
  if (c.dim() == 1 && c.size(0) == n && y == 1 && c.is_contiguous()) {
    multiply("addmm", out, n, a, b, 0, x, &c);
  } else {
    if (y != 0) copy_into(out, c);
    multiply("addmm", out, n, a, b, y, x);
  }
  return out;
}

Tensor bmm(const Tensor& a, const Tensor& b) {
  check_types("bmm", a, b);
  if (a.dim() != 3 || b.dim() != 3 || a.size(0) != b.size(0) || a.size(2) != b.size(1))
    bad_shapes("bmm", a, b, "(B, m, k) and (B, k, n)");
  return batched("bmm", a, b);
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_types("matmul", a, b);
  const int64_t da = a.dim(), db = b.dim();
  if (da == 0 || db == 0) bad_shapes("matmul", a, b, "one dimension or more each");
  if (a.size(-1) != b.size(db == 1 ? 0 : db - 2))
    bad_shapes("matmul", a, b, db == 1 ? "(..., k) and (k)" : "(..., m, k) and (..., k, n)");
  if (da == 2 && db == 2) return mm(a, b);
  if (da == 1 && db == 1) return mm(as_row(a), as_column(b)).alias(Layout::of({}));
  if (db == 1) {  // (..., m, k) x (k)
    Tensor y = matmul(a, as_column(b));
    return y.alias(y.layout_of().squeeze(-1));
  }
  if (da == 1) {  // (k) x (..., k, n)
    Tensor y = matmul(as_row(a), b);
    return y.alias(y.layout_of().squeeze(-2));
  }
  Tensor folded;
  if (db == 2 && fold_rows(a, folded)) return mm(folded, b).alias(Layout::of(with_last(a, b.size(1))));
  return batched("matmul", a, b);
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  check_types("linear", x, w);
  if (bias.defined()) check_types("linear", x, bias);
  const Layout& lw = w.layout_of();
  if (TAPIR_UNLIKELY(x.dim() == 0 || lw.dim() == 0 || lw.dim() > 2 || x.size(-1) != lw.sizes[lw.dim() - 1]))
    bad_shapes("linear", x, w, "(..., in_features) and (out_features, in_features)");
  if (lw.dim() == 1) {
    Tensor y = matmul(x, w);
    return bias.defined() ? binary(Pointwise::add, y, bias, {{Scalar(1)}}) : y;
  }
  const int64_t n = lw.sizes[0];
  TAPIR_CHECK_AS(ShapeError, !bias.defined() || (bias.dim() <= 1 && (bias.numel() == n)),
                 "linear: bias has sizes {}, expected [{}]", bias.sizes(), n);
  const Tensor b = bias.defined() ? contiguous(bias) : Tensor();
  Tensor rows;
  if (x.dim() == 2)
    rows = x;
  else if (!fold_rows(x, rows))
    fold_rows(clone_contiguous(x), rows);
  Tensor out = Tensor::empty(with_last(x, n), x.dtype(), x.device());
  multiply("linear", out, n, rows, w.alias(lw.transpose(0, 1)), 0, 1, bias.defined() ? &b : nullptr);
  return out;
}

}  // namespace tapir::raw
