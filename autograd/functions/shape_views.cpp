// The functions of shape.h that give views.
#include <algorithm>

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/shape.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

std::vector<Tensor> tensor_split(const Tensor& x, IntArrayRef indices, int64_t dim) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() > 0, "tensor_split: a tensor without dimensions cannot be split");
  std::vector<Tensor> parts;
  int64_t start = 0;
  for (int64_t end : indices) {
    parts.push_back(slice(x, dim, start, end));
    start = end;
  }
  parts.push_back(slice(x, dim, start));
  return parts;
}
std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int64_t dim) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() > 0, "tensor_split: a tensor without dimensions cannot be split");
  TAPIR_CHECK_AS(ValueError, sections > 0, "tensor_split: {} sections; expected one or more", sections);
  const int64_t n = x.size(dim);
  std::vector<Tensor> parts;
  int64_t start = 0;
  for (int64_t i = 0; i < sections; ++i) {
    const int64_t length = n / sections + (i < n % sections);
    parts.push_back(narrow(x, dim, start, length));
    start += length;
  }
  return parts;
}
std::vector<Tensor> tensor_split(const Tensor& x, const Tensor& given, int64_t dim) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(DTypeError, given.dtype() == kInt64, "tensor_split: indices of {}, expected int64",
                 given.dtype());
  TAPIR_CHECK_AS(ShapeError, given.dim() <= 1,
                 "tensor_split: indices of sizes {}, expected at most one dimension", given.sizes());
  if (given.dim() == 0) return tensor_split(x, raw::item(given).to_int64(), dim);
  const Tensor indices = raw::contiguous(raw::to_device(given, kCPU));
  return tensor_split(x, IntArrayRef(indices.data_ptr<int64_t>(), static_cast<size_t>(indices.numel())), dim);
}

namespace {
/// The dimension that hsplit (0), vsplit (1) or dsplit (2) splits.
int64_t split_dim(const Tensor& x, int which) {
  static constexpr const char* kNames[] = {"hsplit", "vsplit", "dsplit"};
  TAPIR_CHECK_AS(ShapeError, x.dim() >= which + 1, "{}: got sizes {}, expected {} or more dimensions",
                 kNames[which], x.sizes(), which + 1);
  return which == 0 ? (x.dim() == 1 ? 0 : 1) : which == 1 ? 0 : 2;
}
std::vector<Tensor> split_evenly(const Tensor& x, int64_t sections, int which) {
  const int64_t d = split_dim(x, which);
  TAPIR_CHECK_AS(ValueError, sections > 0 && x.size(d) % sections == 0,
                 "split: {} sections do not divide dimension {} of sizes {}; use tensor_split", sections, d,
                 x.sizes());
  return tensor_split(x, sections, d);
}
}  // namespace

#define TAPIR_SPLIT(name, which)                                   \
  std::vector<Tensor> name(const Tensor& x, int64_t sections) {    \
    CallSite site(TAPIR_HERE);                                     \
    return split_evenly(x, sections, which);                       \
  }                                                                \
  std::vector<Tensor> name(const Tensor& x, IntArrayRef indices) { \
    CallSite site(TAPIR_HERE);                                     \
    return tensor_split(x, indices, split_dim(x, which));          \
  }
TAPIR_SPLIT(hsplit, 0)
TAPIR_SPLIT(vsplit, 1)
TAPIR_SPLIT(dsplit, 2)
#undef TAPIR_SPLIT

std::vector<Tensor> split_with_sizes(const Tensor& x, IntArrayRef split_sizes, int64_t dim) {
  CallSite site(TAPIR_HERE);
  return split(x, split_sizes, dim);
}

Tensor movedim(const Tensor& x, IntArrayRef source, IntArrayRef destination) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, source.size() == destination.size(), "movedim: {} and {} differ in length",
                 source, destination);
  const Layout& l = x.layout_of();
  Dims order = Dims::filled(static_cast<size_t>(l.dim()), -1);
  uint32_t taken = 0;
  for (size_t i = 0; i < source.size(); ++i) {
    const int64_t from = l.wrap_dim(source[i], "movedim"), to = l.wrap_dim(destination[i], "movedim");
    if (l.dim() == 0) continue;
    TAPIR_CHECK_AS(ValueError, !((taken >> from) & 1) && order[to] < 0,
                   "movedim: {} to {} names a dimension twice", source, destination);
    taken |= uint32_t{1} << from;
    order[to] = from;
  }
  int64_t next = 0;
  for (int64_t& d : order) {
    if (d >= 0) continue;
    while ((taken >> next) & 1) ++next;
    d = next++;
  }
  return permute(x, order);
}
Tensor moveaxis(const Tensor& x, IntArrayRef source, IntArrayRef destination) {
  CallSite site(TAPIR_HERE);
  return movedim(x, source, destination);
}
Tensor swapaxes(const Tensor& x, int64_t axis0, int64_t axis1) {
  CallSite site(TAPIR_HERE);
  return transpose(x, axis0, axis1);
}
Tensor swapdims(const Tensor& x, int64_t dim0, int64_t dim1) {
  CallSite site(TAPIR_HERE);
  return transpose(x, dim0, dim1);
}
Tensor broadcast_to(const Tensor& x, IntArrayRef sizes) {
  CallSite site(TAPIR_HERE);
  return expand(x, sizes);
}
std::vector<Tensor> broadcast_tensors(TensorList tensors) {
  CallSite site(TAPIR_HERE);
  Dims sizes;
  for (const Tensor& t : tensors) sizes = broadcast_sizes(sizes, t.sizes(), "broadcast_tensors");
  std::vector<Tensor> all;
  for (const Tensor& t : tensors) all.push_back(expand(t, sizes));
  return all;
}
Tensor ravel(const Tensor& x) {
  CallSite site(TAPIR_HERE);
  return reshape(x, {-1});
}
Tensor atleast_1d(const Tensor& x) {
  CallSite site(TAPIR_HERE);
  return x.dim() == 0 ? reshape(x, {1}) : x;
}
Tensor atleast_2d(const Tensor& x) {
  CallSite site(TAPIR_HERE);
  return x.dim() == 0 ? reshape(x, {1, 1}) : x.dim() == 1 ? unsqueeze(x, 0) : x;
}
Tensor atleast_3d(const Tensor& x) {
  CallSite site(TAPIR_HERE);
  if (x.dim() == 2) return unsqueeze(x, -1);
  return x.dim() == 0 ? reshape(x, {1, 1, 1}) : x.dim() == 1 ? unsqueeze(unsqueeze(x, 0), -1) : x;
}

namespace {
std::vector<Tensor> of_each(TensorList tensors, Tensor (*f)(const Tensor&)) {
  std::vector<Tensor> out;
  for (const Tensor& t : tensors) out.push_back(f(t));
  return out;
}
}  // namespace
std::vector<Tensor> atleast_1d(TensorList tensors) { return of_each(tensors, &atleast_1d); }
std::vector<Tensor> atleast_2d(TensorList tensors) { return of_each(tensors, &atleast_2d); }
std::vector<Tensor> atleast_3d(TensorList tensors) { return of_each(tensors, &atleast_3d); }

// --- methods ---

std::vector<Tensor> Tensor::unsafe_chunk(int64_t chunks, int64_t dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::chunk(*this, chunks, dim);
}
std::vector<Tensor> Tensor::unsafe_split(int64_t split_size, int64_t dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::split(*this, split_size, dim);
}
Tensor Tensor::narrow(int64_t dim, const Tensor& start, int64_t length) const {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, start.dim() == 0, "narrow: start has sizes {}, expected none", start.sizes());
  TAPIR_CHECK_AS(DTypeError, is_integral(start.dtype()), "narrow: start is of {}, expected an integer",
                 start.dtype());
  return tapir::narrow(*this, dim, raw::item(start).to_int64(), length);
}

Tensor Tensor::flip(IntArrayRef dims) const {
  CallSite site(TAPIR_HERE);
  return tapir::flip(*this, dims);
}
Tensor Tensor::fliplr() const {
  CallSite site(TAPIR_HERE);
  return tapir::fliplr(*this);
}
Tensor Tensor::flipud() const {
  CallSite site(TAPIR_HERE);
  return tapir::flipud(*this);
}
Tensor Tensor::roll(IntArrayRef shifts, IntArrayRef dims) const {
  CallSite site(TAPIR_HERE);
  return tapir::roll(*this, shifts, dims);
}
Tensor Tensor::rot90(int64_t k, IntArrayRef dims) const {
  CallSite site(TAPIR_HERE);
  return tapir::rot90(*this, k, dims);
}
Tensor Tensor::tile(IntArrayRef dims) const {
  CallSite site(TAPIR_HERE);
  return tapir::tile(*this, dims);
}
Tensor Tensor::repeat_interleave(const Tensor& repeats, std::optional<int64_t> dim,
                                 std::optional<int64_t> output_size) const {
  CallSite site(TAPIR_HERE);
  return tapir::repeat_interleave(*this, repeats, dim, output_size);
}
Tensor Tensor::repeat_interleave(int64_t repeats, std::optional<int64_t> dim,
                                 std::optional<int64_t> output_size) const {
  CallSite site(TAPIR_HERE);
  return tapir::repeat_interleave(*this, repeats, dim, output_size);
}
Tensor Tensor::tril(int64_t diagonal) const {
  CallSite site(TAPIR_HERE);
  return tapir::tril(*this, diagonal);
}
Tensor& Tensor::tril_(int64_t diagonal) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "tril_", [&](const Tensor& x) { return tapir::tril(x, diagonal); });
  return self();
}
Tensor Tensor::triu(int64_t diagonal) const {
  CallSite site(TAPIR_HERE);
  return tapir::triu(*this, diagonal);
}
Tensor& Tensor::triu_(int64_t diagonal) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "triu_", [&](const Tensor& x) { return tapir::triu(x, diagonal); });
  return self();
}
Tensor Tensor::diag(int64_t diagonal) const {
  CallSite site(TAPIR_HERE);
  return tapir::diag(*this, diagonal);
}
Tensor Tensor::diagflat(int64_t offset) const {
  CallSite site(TAPIR_HERE);
  return tapir::diagflat(*this, offset);
}
Tensor Tensor::diag_embed(int64_t offset, int64_t dim1, int64_t dim2) const {
  CallSite site(TAPIR_HERE);
  return tapir::diag_embed(*this, offset, dim1, dim2);
}
std::vector<Tensor> Tensor::tensor_split(int64_t sections, int64_t dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::tensor_split(*this, sections, dim);
}
std::vector<Tensor> Tensor::tensor_split(IntArrayRef indices, int64_t dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::tensor_split(*this, indices, dim);
}
std::vector<Tensor> Tensor::tensor_split(const Tensor& indices_or_sections, int64_t dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::tensor_split(*this, indices_or_sections, dim);
}
std::vector<Tensor> Tensor::hsplit(int64_t sections) const {
  CallSite site(TAPIR_HERE);
  return tapir::hsplit(*this, sections);
}
std::vector<Tensor> Tensor::hsplit(IntArrayRef indices) const {
  CallSite site(TAPIR_HERE);
  return tapir::hsplit(*this, indices);
}
std::vector<Tensor> Tensor::vsplit(int64_t sections) const {
  CallSite site(TAPIR_HERE);
  return tapir::vsplit(*this, sections);
}
std::vector<Tensor> Tensor::vsplit(IntArrayRef indices) const {
  CallSite site(TAPIR_HERE);
  return tapir::vsplit(*this, indices);
}
std::vector<Tensor> Tensor::dsplit(int64_t sections) const {
  CallSite site(TAPIR_HERE);
  return tapir::dsplit(*this, sections);
}
std::vector<Tensor> Tensor::dsplit(IntArrayRef indices) const {
  CallSite site(TAPIR_HERE);
  return tapir::dsplit(*this, indices);
}
std::vector<Tensor> Tensor::split_with_sizes(IntArrayRef split_sizes, int64_t dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::split_with_sizes(*this, split_sizes, dim);
}
Tensor Tensor::movedim(IntArrayRef source, IntArrayRef destination) const {
  CallSite site(TAPIR_HERE);
  return tapir::movedim(*this, source, destination);
}
Tensor Tensor::moveaxis(IntArrayRef source, IntArrayRef destination) const {
  CallSite site(TAPIR_HERE);
  return tapir::moveaxis(*this, source, destination);
}
Tensor Tensor::swapaxes(int64_t axis0, int64_t axis1) const {
  CallSite site(TAPIR_HERE);
  return tapir::swapaxes(*this, axis0, axis1);
}
Tensor Tensor::swapdims(int64_t dim0, int64_t dim1) const {
  CallSite site(TAPIR_HERE);
  return tapir::swapdims(*this, dim0, dim1);
}
Tensor Tensor::broadcast_to(IntArrayRef sizes) const {
  CallSite site(TAPIR_HERE);
  return tapir::broadcast_to(*this, sizes);
}
Tensor Tensor::ravel() const {
  CallSite site(TAPIR_HERE);
  return tapir::ravel(*this);
}

}  // namespace tapir
