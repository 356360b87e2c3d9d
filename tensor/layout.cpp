#include "tapir/tensor/layout.h"

#include <algorithm>

#include "tapir/tensor/error_format.h"

namespace tapir {

namespace {

int64_t checked_count(IntArrayRef sizes, const char* op) {
  int64_t n = 1;
  bool empty = false;
  for (int64_t s : sizes) {
    TAPIR_CHECK_AS(ShapeError, s >= 0, "{}: negative size in {}", op, sizes);
    if (s == 0) empty = true;
  }
  if (empty) return 0;
  for (int64_t s : sizes)
    TAPIR_CHECK_AS(ShapeError, !__builtin_mul_overflow(n, s, &n), "{}: sizes {} hold more than 2^63 elements",
                   op, sizes);
  return n;
}

bool compute_contiguous(const Layout& l) {
  if (l.numel == 0) return true;
  int64_t expected = 1;
  for (int64_t d = l.dim() - 1; d >= 0; --d) {
    if (l.sizes[d] == 1) continue;
    if (l.strides[d] != expected) return false;
    expected *= l.sizes[d];
  }
  return true;
}

void finish(Layout& l) {
  l.numel = count(l.sizes);
  l.contiguous = compute_contiguous(l);
}

int64_t wrap(int64_t d, int64_t dims, const char* op) {
  const int64_t n = std::max<int64_t>(dims, 1);
  if (d < -n || d >= n)
    throw_error<IndexError>(
        "{}: dimension {} is out of range for a tensor with {} dimension{}; expected one in [{}, {}]", op, d,
        dims, dims == 1 ? "" : "s", -n, n - 1);
  return d < 0 ? d + n : d;
}

}  // namespace

int64_t count(IntArrayRef sizes) {
  int64_t n = 1;
  for (int64_t s : sizes) n *= s;
  return n;
}

Layout Layout::of(IntArrayRef sizes) {
  Layout l;
  const int64_t n = checked_count(sizes, "tensor");
  l.sizes = Dims(sizes);
  l.strides = Dims::uninitialized(sizes.size());
  int64_t stride = 1;
  for (size_t d = sizes.size(); d-- > 0;) {
    l.strides[d] = stride;
    stride *= std::max<int64_t>(sizes[d], 1);
  }
  l.numel = n;
  return l;
}

Layout Layout::strided(IntArrayRef sizes, IntArrayRef strides, int64_t offset) {
  TAPIR_CHECK_AS(ShapeError, sizes.size() == strides.size(), "as_strided: {} sizes {} but {} strides {}",
                 sizes.size(), sizes, strides.size(), strides);
  Layout l;
  l.numel = checked_count(sizes, "as_strided");
  l.sizes = Dims(sizes);
  l.strides = Dims(strides);
  l.offset = offset;
  l.contiguous = compute_contiguous(l);
  return l;
}

int64_t Layout::wrap_dim(int64_t d, const char* op) const { return wrap(d, dim(), op); }

int64_t Layout::own_dim(int64_t d, const char* op) const {
  TAPIR_CHECK_AS(IndexError, !sizes.empty(), "{}: dimension {} of a tensor that has no dimensions", op, d);
  return wrap_dim(d, op);
}

Layout Layout::transpose(int64_t d0, int64_t d1, const char* op) const {
  d0 = wrap_dim(d0, op);
  d1 = wrap_dim(d1, op);
  Layout l = *this;
  if (d0 == d1) return l;
  std::swap(l.sizes[d0], l.sizes[d1]);
  std::swap(l.strides[d0], l.strides[d1]);
  l.contiguous = compute_contiguous(l);
  return l;
}

Layout Layout::permute(IntArrayRef dims) const {
  TAPIR_CHECK_AS(
      ShapeError, static_cast<int64_t>(dims.size()) == dim(),
      "permute: got {} dimensions {} for a tensor of sizes {}; name each of its {} dimensions once",
      dims.size(), dims, IntArrayRef(sizes), dim());
  Layout l = *this;
  uint32_t seen = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    const int64_t d = wrap_dim(dims[i], "permute");
    TAPIR_CHECK_AS(ShapeError, !(seen >> d & 1), "permute: dimension {} appears twice in {}", d, dims);
    seen |= 1u << d;
    l.sizes[i] = sizes[d];
    l.strides[i] = strides[d];
  }
  l.contiguous = compute_contiguous(l);
  return l;
}

Layout Layout::unsqueeze(int64_t d) const {
  d = wrap(d, dim() + 1, "unsqueeze");
  Layout l = *this;
  l.sizes.insert(d, 1);
  l.strides.insert(d, d < dim() ? sizes[d] * strides[d] : 1);
  return l;
}

Layout Layout::squeeze() const {
  Layout l = *this;
  for (int64_t d = dim() - 1; d >= 0; --d) {
    if (sizes[d] != 1) continue;
    l.sizes.erase(d);
    l.strides.erase(d);
  }
  return l;
}

Layout Layout::squeeze(int64_t d) const {
  d = wrap_dim(d, "squeeze");
  Layout l = *this;
  if (dim() == 0 || sizes[d] != 1) return l;
  l.sizes.erase(d);
  l.strides.erase(d);
  return l;
}

Layout Layout::select(int64_t d, int64_t index) const {
  TAPIR_CHECK_AS(IndexError, dim() > 0, "select: a tensor without dimensions has no element {}; use item()",
                 index);
  d = wrap_dim(d, "select");
  const int64_t n = sizes[d];
  TAPIR_CHECK_AS(IndexError, index >= -n && index < n,
                 "select: index {} is out of range for dimension {} of size {} (sizes {})", index, d, n,
                 IntArrayRef(sizes));
  if (index < 0) index += n;
  Layout l;
  const uint32_t rank = sizes.size() - 1;
  l.sizes = Dims::uninitialized(rank);
  l.strides = Dims::uninitialized(rank);
  l.numel = 1;
  for (uint32_t i = 0, j = 0; i <= rank; ++i) {
    if (i == d) continue;
    l.sizes[j] = sizes[i];
    l.strides[j++] = strides[i];
    l.numel *= sizes[i];
  }
  l.offset = offset + index * strides[d];
  l.contiguous = (contiguous && d == 0) || compute_contiguous(l);
  return l;
}

Layout Layout::slice(int64_t d, int64_t start, int64_t end, int64_t step) const {
  TAPIR_CHECK_AS(IndexError, dim() > 0, "slice: a tensor without dimensions cannot be sliced");
  d = wrap_dim(d, "slice");
  TAPIR_CHECK_AS(ValueError, step > 0, "slice: step {} must be positive; use flip for a reversed order",
                 step);
  const int64_t n = sizes[d];
  if (start < 0) start += n;
  if (end < 0) end += n;
  start = std::clamp<int64_t>(start, 0, n);
  end = std::clamp<int64_t>(end, start, n);
  Layout l = *this;
  l.offset += start * strides[d];
  l.sizes[d] = (end - start) / step + ((end - start) % step != 0);
  l.strides[d] = strides[d] * step;
  finish(l);
  return l;
}

Layout Layout::narrow(int64_t d, int64_t start, int64_t length) const {
  TAPIR_CHECK_AS(IndexError, dim() > 0, "narrow: a tensor without dimensions cannot be narrowed");
  d = wrap_dim(d, "narrow");
  const int64_t n = sizes[d];
  TAPIR_CHECK_AS(IndexError, start >= -n && start <= n,
                 "narrow: start {} is out of range for dimension {} of size {}", start, d, n);
  if (start < 0) start += n;
  TAPIR_CHECK_AS(IndexError, length >= 0 && length <= n - start,
                 "narrow: start {} with length {} exceeds dimension {} of size {} (sizes {})", start, length,
                 d, n, IntArrayRef(sizes));
  Layout l = *this;
  l.offset += start * strides[d];
  l.sizes[d] = length;
  finish(l);
  return l;
}

Layout Layout::expand(IntArrayRef to) const {
  const int64_t extra = static_cast<int64_t>(to.size()) - dim();
  TAPIR_CHECK_AS(ShapeError, extra >= 0, "expand: sizes {} cannot become {}, which has fewer dimensions",
                 IntArrayRef(sizes), to);
  Layout l;
  l.sizes = Dims::uninitialized(to.size());
  l.strides = Dims::uninitialized(to.size());
  l.offset = offset;
  for (int64_t i = 0; i < static_cast<int64_t>(to.size()); ++i) {
    const int64_t old = i < extra ? 1 : sizes[i - extra];
    int64_t target = to[i];
    if (target == -1) {
      TAPIR_CHECK_AS(ShapeError, i >= extra, "expand: -1 at a new leading dimension of {}; give its size",
                     to);
      target = old;
    }
    TAPIR_CHECK_AS(ShapeError, target >= 0 && (old == target || old == 1),
                   "expand: sizes {} do not broadcast to {}: dimension {} has size {}, not {} or 1",
                   IntArrayRef(sizes), to, i, old, target);
    l.sizes[i] = target;
    l.strides[i] = old == target && i >= extra ? strides[i - extra] : (target == 1 && i < extra ? 1 : 0);
  }
  checked_count(l.sizes, "expand");
  finish(l);
  return l;
}

Dims infer_size(IntArrayRef to, int64_t numel, const char* op) {
  Dims result(to);
  int64_t known = 1;
  int64_t unknown = -1;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i] == -1) {
      TAPIR_CHECK_AS(ShapeError, unknown < 0, "{}: more than one -1 in {}", op, to);
      unknown = static_cast<int64_t>(i);
    } else {
      TAPIR_CHECK_AS(ShapeError, to[i] >= 0, "{}: negative size in {}", op, to);
      TAPIR_CHECK_AS(ShapeError, !__builtin_mul_overflow(known, to[i], &known),
                     "{}: sizes {} hold more than 2^63 elements", op, to);
    }
  }
  if (unknown >= 0) {
    TAPIR_CHECK_AS(ShapeError, known != 0,
                   "{}: cannot tell what -1 stands for in {} since the other sizes hold no element", op, to);
    TAPIR_CHECK_AS(ShapeError, numel % known == 0, "{}: {} elements do not fit sizes {}", op, numel, to);
    result[unknown] = numel / known;
    known *= numel / known;
  }
  TAPIR_CHECK_AS(ShapeError, known == numel, "{}: {} elements do not fit sizes {}, which hold {}", op, numel,
                 to, known);
  return result;
}

// Walks the old dimensions from the last in runs that are mutually contiguous, and lays the new sizes over
// each run.
Layout Layout::view(IntArrayRef to, bool& possible, const char* op) const {
  possible = true;
  if (TAPIR_LIKELY(contiguous)) {  // without -1, the usual case
    Layout l;
    l.sizes = Dims::uninitialized(to.size());
    l.strides = Dims::uninitialized(to.size());
    int64_t n = 1;
    bool plain = numel > 0;
    for (size_t d = to.size(); d-- > 0 && plain;) {
      plain = to[d] > 0 && to[d] <= numel;
      l.sizes[d] = to[d];
      l.strides[d] = n;
      n *= to[d];
      plain = plain && n <= numel;
    }
    if (TAPIR_LIKELY(plain && n == numel)) {
      l.offset = offset;
      l.numel = n;
      return l;
    }
  }
  const Dims wanted = infer_size(to, numel, op);
  possible = true;
  if (contiguous) {
    Layout l = Layout::of(wanted);
    l.offset = offset;
    return l;
  }
  Layout l;
  l.sizes = wanted;
  l.strides = Dims::uninitialized(wanted.size());
  l.offset = offset;
  l.numel = numel;
  int64_t v = static_cast<int64_t>(wanted.size()) - 1;
  int64_t d = dim() - 1;
  while (d >= 0) {
    const int64_t base = strides[d];
    int64_t run = sizes[d];
    while (d > 0 && (sizes[d - 1] == 1 || strides[d - 1] == run * base)) run *= sizes[--d];
    --d;
    int64_t filled = 1;
    while (v >= 0 && (filled < run || wanted[v] == 1)) {
      l.strides[v] = base * filled;
      filled *= wanted[v--];
    }
    if (filled != run) {
      possible = false;
      return l;
    }
  }
  possible = v < 0;
  l.contiguous = compute_contiguous(l);
  return l;
}

int64_t Layout::extent() const {
  if (numel == 0) return 0;
  int64_t last = 0;
  for (int64_t d = 0; d < dim(); ++d) last += (sizes[d] - 1) * strides[d];
  return last + 1;
}

namespace {
// The dimensions with size over 1, by ascending stride.
int sorted_dims(const Layout& l, int* order) {
  int n = 0;
  for (int d = 0; d < static_cast<int>(l.dim()); ++d)
    if (l.sizes[d] != 1) order[n++] = d;
  std::sort(order, order + n, [&](int a, int b) { return l.strides[a] < l.strides[b]; });
  return n;
}
}  // namespace

bool Layout::non_overlapping() const {
  if (contiguous || numel <= 1) return true;
  int order[kMaxDims];
  const int n = sorted_dims(*this, order);
  int64_t reach = 0;  // largest index over the dimensions so far
  for (int i = 0; i < n; ++i) {
    if (strides[order[i]] <= reach) return false;
    reach += (sizes[order[i]] - 1) * strides[order[i]];
  }
  return true;
}

bool Layout::dense() const {
  if (contiguous) return true;
  int order[kMaxDims];
  const int n = sorted_dims(*this, order);
  int64_t expected = 1;
  for (int i = 0; i < n; ++i) {
    if (strides[order[i]] != expected) return false;
    expected *= sizes[order[i]];
  }
  return true;
}

Dims broadcast_sizes(IntArrayRef a, IntArrayRef b, const char* op) {
  const size_t n = std::max(a.size(), b.size());
  Dims out = Dims::uninitialized(n);
  for (size_t i = 0; i < n; ++i) {
    const int64_t x = i < n - a.size() ? 1 : a[i - (n - a.size())];
    const int64_t y = i < n - b.size() ? 1 : b[i - (n - b.size())];
    if (x != y && x != 1 && y != 1)
      throw_error<ShapeError>(
          "{}: sizes {} and {} do not broadcast: at dimension {} of the result they are {} and {}; they must "
          "be equal or 1",
          op, a, b, i, x, y);
    out[i] = x == 1 ? y : x;
  }
  return out;
}

bool is_expandable_to(IntArrayRef from, IntArrayRef to) {
  if (from.size() > to.size()) return false;
  const size_t extra = to.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i)
    if (from[i] != to[i + extra] && from[i] != 1) return false;
  return true;
}

}  // namespace tapir
