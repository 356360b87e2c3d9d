// Tensor: a reference-counted handle to a strided, typed array on one device, with PyTorch's methods.
//
// The methods that compute are differentiable; autograd/functions/ defines them beside their derivatives.
// Include <tapir/tapir.h>, or the header there that declares the op, to call them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "tapir/tensor/error.h"
#include "tapir/tensor/generator.h"
#include "tapir/tensor/indexing.h"
#include "tapir/tensor/options.h"
#include "tapir/tensor/scalar.h"
#include "tapir/tensor/stream.h"
#include "tapir/tensor/tensor_impl.h"

namespace tapir {

class Tensor;
class Node;
using TensorList = ArrayRef<Tensor>;

namespace detail {
[[noreturn]] TAPIR_API TAPIR_COLD void undefined_tensor_failure();
[[noreturn]] TAPIR_API TAPIR_COLD void data_type_failure(DType wanted, DType got);
[[noreturn]] TAPIR_API TAPIR_COLD void dim_failure(const char* op, int64_t wanted, IntArrayRef got);
}  // namespace detail

/// Reads elements by index: an accessor<float, 2> gives a[i][j] without bounds checks.
template <class T, size_t N>
class TensorAccessor {
 public:
  TensorAccessor(T* data, const int64_t* sizes, const int64_t* strides)
      : data_(data), sizes_(sizes), strides_(strides) {}
  int64_t size(int64_t d) const { return sizes_[d]; }
  int64_t stride(int64_t d) const { return strides_[d]; }
  IntArrayRef sizes() const { return {sizes_, N}; }
  T* data() const { return data_; }
  decltype(auto) operator[](int64_t i) const {
    if constexpr (N == 1) {
      return (data_[i * strides_[0]]);
    } else {
      return TensorAccessor<T, N - 1>(data_ + i * strides_[0], sizes_ + 1, strides_ + 1);
    }
  }

 private:
  T* data_;
  const int64_t* sizes_;
  const int64_t* strides_;
};

/// A tensor, or no tensor (undefined) when default-constructed. Copying the handle shares the array.
class TAPIR_API Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}
  Tensor(const Tensor&) = default;
  Tensor(Tensor&&) noexcept = default;
  ~Tensor() = default;
  Tensor& operator=(const Tensor&) & = default;
  Tensor& operator=(Tensor&&) & noexcept = default;
  /// Of what an expression gives, as x[3] = 10 and x.index({0}) = y: writes into it, as fill_ and copy_ do.
  Tensor& operator=(const Tensor& values) &&;
  Tensor& operator=(const Scalar& value) &&;
  /// A new, uninitialised, contiguous tensor. No gradient, no checks beyond those of Layout::of.
  static Tensor empty(IntArrayRef sizes, DType dtype, Device device = kCPU) {
    return from_layout(Layout::of(sizes), dtype, device);
  }
  /// A new, uninitialised tensor over a contiguous layout.
  static Tensor from_layout(Layout layout, DType dtype, Device device) {
    auto storage = StorageImpl::make(static_cast<size_t>(layout.numel) * item_size(dtype), device);
    return Tensor(Ref<TensorImpl>::adopt(new TensorImpl(std::move(storage), std::move(layout), dtype)));
  }
  /// A tensor over the same storage; no gradient is recorded and it is not registered as a view.
  Tensor alias(Layout layout) const {
    return Tensor(Ref<TensorImpl>::adopt(new TensorImpl(impl_->storage, std::move(layout), impl_->dtype)));
  }

  // --- what it is ---
  bool defined() const { return static_cast<bool>(impl_); }
  void reset() { impl_.reset(); }
  TensorImpl* impl() const { return impl_.get(); }
  TensorImpl* unsafeGetTensorImpl() const { return impl_.get(); }
  const Ref<TensorImpl>& ref() const { return impl_; }
  bool is_same(const Tensor& other) const { return impl_ == other.impl_; }
  size_t use_count() const { return impl_ ? impl_->use_count() : 0; }

  IntArrayRef sizes() const { return checked().layout.sizes; }
  IntArrayRef strides() const { return checked().layout.strides; }
  int64_t size(int64_t d) const {
    const Layout& l = checked().layout;
    return l.sizes[l.own_dim(d, "size")];
  }
  int64_t stride(int64_t d) const {
    const Layout& l = checked().layout;
    return l.strides[l.own_dim(d, "stride")];
  }
  const Layout& layout_of() const { return checked().layout; }
  Layout_ layout() const { return kStrided; }
  int64_t dim() const { return checked().layout.dim(); }
  int64_t ndimension() const { return dim(); }
  int64_t numel() const { return checked().layout.numel; }
  int64_t storage_offset() const { return checked().layout.offset; }
  bool is_contiguous(MemoryFormat = MemoryFormat::Contiguous) const { return checked().layout.contiguous; }
  DType dtype() const { return checked().dtype; }
  DType scalar_type() const { return dtype(); }
  size_t element_size() const { return item_size(dtype()); }
  size_t itemsize() const { return item_size(dtype()); }
  size_t nbytes() const { return static_cast<size_t>(numel()) * itemsize(); }
  Device device() const { return checked().device; }
  int64_t get_device() const { return device().is_cpu() ? -1 : device().index(); }
  bool is_cpu() const { return device().is_cpu(); }
  bool is_cuda() const { return device().is_cuda(); }
  bool is_floating_point() const { return tapir::is_floating_point(dtype()); }
  bool is_complex() const { return false; }
  /// What there is none of in Tapir (a sparse embedding's gradient is dense to whoever looks at it).
  bool is_sparse() const { return false; }
  bool is_quantized() const { return false; }
  bool is_meta() const { return false; }
  bool is_conj() const { return false; }
  bool is_neg() const { return false; }
  Tensor conj() const { return *this; }
  Tensor resolve_conj() const { return *this; }
  Tensor resolve_neg() const { return *this; }
  /// Host memory is never page-locked: the tensor itself.
  bool is_pinned() const { return false; }
  Tensor pin_memory() const { return *this; }
  bool is_signed() const { return tapir::is_signed(dtype()); }
  TensorOptions options() const { return TensorOptions(dtype()).device(device()); }
  Storage storage() const { return Storage(checked().storage); }
  bool has_storage() const { return defined(); }
  /// Whether both show the same storage.
  bool is_alias_of(const Tensor& other) const { return storage().is_alias_of(other.storage()); }
  /// Whether both show the same part of the same storage with the same sizes and strides.
  bool is_set_to(const Tensor& other) const;

  /// Address of the first element. The typed form throws DTypeError where T is not the dtype.
  void* data_ptr() const { return checked().data; }
  template <class T>
  T* data_ptr() const {
    if (dtype_of<T> != dtype()) detail::data_type_failure(dtype_of<T>, dtype());
    return reinterpret_cast<T*>(checked().data);
  }
  template <class T>
  T* mutable_data_ptr() const {
    return data_ptr<T>();
  }
  template <class T>
  const T* const_data_ptr() const {
    return data_ptr<T>();
  }
  /// Elements of a CPU tensor with exactly N dimensions. Throws DTypeError, ShapeError.
  template <class T, size_t N>
  TensorAccessor<T, N> accessor() const {
    if (dim() != static_cast<int64_t>(N)) detail::dim_failure("accessor", N, sizes());
    return {data_ptr<T>(), layout_of().sizes.data(), layout_of().strides.data()};
  }
  /// The value of a tensor with one element. Throws ShapeError for any other count.
  Scalar item() const;
  template <class T>
  T item() const {
    return item().to<T>();
  }
  bool is_nonzero() const;
  /// Values, sizes, dtype and device as PyTorch prints them.
  std::string str() const;

  // --- autograd (defined in autograd/) ---
  bool requires_grad() const;
  const Tensor& set_requires_grad(bool r) const;
  /// Starts (or stops) recording on a leaf. Throws AutogradError for a non-leaf, DTypeError for integers.
  const Tensor& requires_grad_(bool r = true) const { return set_requires_grad(r); }
  bool is_leaf() const;
  /// The gradient accumulated by backward(); undefined where there is none.
  const Tensor& grad() const;
  /// A reference that may be assigned to. Only a leaf or a tensor that retains its gradient has one.
  Tensor& mutable_grad() const;
  Ref<Node> grad_fn() const;
  uint32_t output_nr() const { return checked().output_nr; }
  /// Computes the gradients of every leaf that this tensor was made from. `gradient` may be left out for one
  /// element.
  void backward(const Tensor& gradient = {}, std::optional<bool> retain_graph = std::nullopt,
                bool create_graph = false, std::optional<TensorList> inputs = std::nullopt) const;
  /// A non-leaf keeps its gradient in grad() from the next backward on; in-place changes carry that on. No
  /// effect on a leaf. Throws AutogradError where no gradient is required.
  void retain_grad() const;
  bool retains_grad() const;
  /// The same values, cut from the graph; shares memory and version counter.
  Tensor detach() const;
  /// Cuts this tensor itself from the graph; a leaf no longer requires a gradient. Throws AutogradError for a
  /// view.
  Tensor& detach_() const;
  /// The same memory outside autograd: changes through it are not counted.
  Tensor data() const;
  Tensor tensor_data() const { return data(); }
  Tensor variable_data() const { return data(); }
  /// Replaces the array that this handle's tensor shows, keeping its identity, and its gradient where that
  /// still fits. A graph that saved the old array counts as changed in place. Throws AutogradError for a view
  /// or the result of a recorded op, DTypeError for values without gradient where one is required.
  void set_data(const Tensor& other) const;
  /// Counts the in-place changes. Throws AutogradError for an inference tensor, which has no such count.
  uint32_t _version() const;
  /// Made in inference mode, or a view of what was: see autograd/inference_mode.h.
  bool is_inference() const { return checked().storage->is_inference(); }
  bool is_view() const { return static_cast<bool>(checked().base); }
  Tensor _base() const;
  /// Calls `hook` with the gradient of this tensor during backward; a hook that returns a tensor replaces it.
  /// Returns a handle for remove_hook.
  template <class F>
  unsigned register_hook(F&& hook) const;
  /// Calls `hook` with this leaf each time after backward has accumulated into its grad(); where `grad` is
  /// dropped or the values are changed there, at once, the gradients of a model need not all exist at a time.
  /// The handle that it gets shares values, grad() and hooks with this tensor. Throws AutogradError for a
  /// non-leaf or a tensor that requires no gradient.
  template <class F>
  unsigned register_post_accumulate_grad_hook(F&& hook) const;
  /// Takes back a hook of either kind. A handle that is not (or no longer) one of this tensor's is passed
  /// over.
  void remove_hook(unsigned handle) const;

  // --- values: what the op's declaration in autograd/functions/ documents ---
#define TAPIR_UNARY(name, ...)             \
  TAPIR_ALWAYS_INLINE Tensor name() const; \
  TAPIR_ALWAYS_INLINE Tensor& name##_() const;
#define TAPIR_PREDICATE(name, ...) TAPIR_ALWAYS_INLINE Tensor name() const;
#define TAPIR_BINARY(name, ...)                                   \
  TAPIR_ALWAYS_INLINE Tensor name(const Tensor& other) const;     \
  TAPIR_ALWAYS_INLINE Tensor name(const Scalar& other) const;     \
  TAPIR_ALWAYS_INLINE Tensor& name##_(const Tensor& other) const; \
  TAPIR_ALWAYS_INLINE Tensor& name##_(const Scalar& other) const;
#include "tapir/tensor/pointwise.def"
#define TAPIR_UNARY_ALIAS(alias, name)      \
  TAPIR_ALWAYS_INLINE Tensor alias() const; \
  TAPIR_ALWAYS_INLINE Tensor& alias##_() const;
#define TAPIR_BINARY_ALIAS(alias, name)                            \
  TAPIR_ALWAYS_INLINE Tensor alias(const Tensor& other) const;     \
  TAPIR_ALWAYS_INLINE Tensor alias(const Scalar& other) const;     \
  TAPIR_ALWAYS_INLINE Tensor& alias##_(const Tensor& other) const; \
  TAPIR_ALWAYS_INLINE Tensor& alias##_(const Scalar& other) const;
#include "tapir/tensor/pointwise_aliases.def"

  // arithmetic with scaling, powers, comparison with bounds
#define TAPIR_METHOD TAPIR_ALWAYS_INLINE
  TAPIR_METHOD Tensor add(const Tensor& other, const Scalar& alpha = 1) const;
  TAPIR_METHOD Tensor add(const Scalar& other, const Scalar& alpha = 1) const;
  TAPIR_METHOD Tensor& add_(const Tensor& other, const Scalar& alpha = 1) const;
  TAPIR_METHOD Tensor& add_(const Scalar& other, const Scalar& alpha = 1) const;
  TAPIR_METHOD Tensor sub(const Tensor& other, const Scalar& alpha = 1) const;
  TAPIR_METHOD Tensor sub(const Scalar& other, const Scalar& alpha = 1) const;
  TAPIR_METHOD Tensor& sub_(const Tensor& other, const Scalar& alpha = 1) const;
  TAPIR_METHOD Tensor& sub_(const Scalar& other, const Scalar& alpha = 1) const;
  Tensor clamp(const std::optional<Scalar>& min, const std::optional<Scalar>& max = std::nullopt) const;
  Tensor& clamp_(const std::optional<Scalar>& min, const std::optional<Scalar>& max = std::nullopt) const;
  Tensor clamp_min(const Scalar& min) const;
  Tensor clamp_max(const Scalar& max) const;
  Tensor clamp(std::nullopt_t, const std::optional<Scalar>& max = std::nullopt) const;
  Tensor& clamp_(std::nullopt_t, const std::optional<Scalar>& max = std::nullopt) const;
  Tensor clamp(const std::optional<Tensor>& min, const std::optional<Tensor>& max = std::nullopt) const;
  Tensor& clamp_(const std::optional<Tensor>& min, const std::optional<Tensor>& max = std::nullopt) const;
  Tensor clip(const std::optional<Scalar>& min, const std::optional<Scalar>& max = std::nullopt) const;
  Tensor& clip_(const std::optional<Scalar>& min, const std::optional<Scalar>& max = std::nullopt) const;
  Tensor clip(const std::optional<Tensor>& min, const std::optional<Tensor>& max = std::nullopt) const;
  Tensor& clip_(const std::optional<Tensor>& min, const std::optional<Tensor>& max = std::nullopt) const;
  Tensor& clamp_min_(const Scalar& min) const;
  Tensor& clamp_max_(const Scalar& max) const;
  Tensor clamp_min(const Tensor& min) const;
  Tensor clamp_max(const Tensor& max) const;
  Tensor& clamp_min_(const Tensor& min) const;
  Tensor& clamp_max_(const Tensor& max) const;
  Tensor nan_to_num(std::optional<double> nan = std::nullopt, std::optional<double> posinf = std::nullopt,
                    std::optional<double> neginf = std::nullopt) const;
  Tensor& nan_to_num_(std::optional<double> nan = std::nullopt, std::optional<double> posinf = std::nullopt,
                      std::optional<double> neginf = std::nullopt) const;
  Tensor subtract(const Tensor& other, const Scalar& alpha = 1) const;
  Tensor subtract(const Scalar& other, const Scalar& alpha = 1) const;
  Tensor& subtract_(const Tensor& other, const Scalar& alpha = 1) const;
  Tensor& subtract_(const Scalar& other, const Scalar& alpha = 1) const;
  Tensor rsub(const Tensor& other, const Scalar& alpha = 1) const;
  Tensor rsub(const Scalar& other, const Scalar& alpha = 1) const;
  Tensor positive() const;
  Tensor div(const Tensor& other, std::optional<std::string_view> rounding_mode) const;
  Tensor div(const Scalar& other, std::optional<std::string_view> rounding_mode) const;
  Tensor& div_(const Tensor& other, std::optional<std::string_view> rounding_mode) const;
  Tensor& div_(const Scalar& other, std::optional<std::string_view> rounding_mode) const;
  Tensor& divide_(const Tensor& other, std::optional<std::string_view> rounding_mode) const;
  Tensor& divide_(const Scalar& other, std::optional<std::string_view> rounding_mode) const;
  Tensor divide(const Tensor& other, std::optional<std::string_view> rounding_mode) const;
  Tensor divide(const Scalar& other, std::optional<std::string_view> rounding_mode) const;
  Tensor round(int64_t decimals) const;
  Tensor& round_(int64_t decimals) const;
  Tensor logit(std::optional<double> eps) const;
  Tensor& logit_(std::optional<double> eps) const;
  Tensor ldexp(const Tensor& other) const;
  Tensor& ldexp_(const Tensor& other) const;
  Tensor float_power(const Tensor& exponent) const;
  Tensor float_power(const Scalar& exponent) const;
  Tensor& float_power_(const Tensor& exponent) const;
  Tensor& float_power_(const Scalar& exponent) const;
  Tensor polygamma(int64_t n) const;
  Tensor& polygamma_(int64_t n) const;
  Tensor mvlgamma(int64_t p) const;
  Tensor& mvlgamma_(int64_t p) const;
  std::tuple<Tensor, Tensor> frexp() const;
  Tensor angle() const;
  TAPIR_METHOD Tensor where(const Tensor& condition, const Tensor& other) const;
  TAPIR_METHOD Tensor where(const Tensor& condition, const Scalar& other) const;
  TAPIR_METHOD Tensor lerp(const Tensor& end, const Scalar& weight) const;
  TAPIR_METHOD Tensor lerp(const Tensor& end, const Tensor& weight) const;
  Tensor& lerp_(const Tensor& end, const Scalar& weight) const;
  Tensor& lerp_(const Tensor& end, const Tensor& weight) const;
  TAPIR_METHOD Tensor addcmul(const Tensor& a, const Tensor& b, const Scalar& value = 1) const;
  Tensor& addcmul_(const Tensor& a, const Tensor& b, const Scalar& value = 1) const;
  TAPIR_METHOD Tensor addcdiv(const Tensor& a, const Tensor& b, const Scalar& value = 1) const;
  Tensor& addcdiv_(const Tensor& a, const Tensor& b, const Scalar& value = 1) const;
  TAPIR_METHOD Tensor masked_fill(const Tensor& mask, const Scalar& value) const;
  Tensor& masked_fill_(const Tensor& mask, const Scalar& value) const;
  TAPIR_METHOD bool equal(const Tensor& other) const;
  TAPIR_METHOD Tensor isclose(const Tensor& other, double rtol = 1e-5, double atol = 1e-8,
                              bool equal_nan = false) const;
  TAPIR_METHOD bool allclose(const Tensor& other, double rtol = 1e-5, double atol = 1e-8,
                             bool equal_nan = false) const;

  // reductions
  TAPIR_METHOD Tensor sum(std::optional<DType> dtype = std::nullopt) const;
  TAPIR_METHOD Tensor sum(IntArrayRef dim, bool keepdim = false,
                          std::optional<DType> dtype = std::nullopt) const;
  TAPIR_METHOD Tensor mean(std::optional<DType> dtype = std::nullopt) const;
  TAPIR_METHOD Tensor mean(IntArrayRef dim, bool keepdim = false,
                           std::optional<DType> dtype = std::nullopt) const;
  TAPIR_METHOD Tensor max() const;
  TAPIR_METHOD std::tuple<Tensor, Tensor> max(int64_t dim, bool keepdim = false) const;
  TAPIR_METHOD Tensor max(const Tensor& other) const;
  TAPIR_METHOD Tensor min() const;
  TAPIR_METHOD std::tuple<Tensor, Tensor> min(int64_t dim, bool keepdim = false) const;
  TAPIR_METHOD Tensor min(const Tensor& other) const;
  TAPIR_METHOD Tensor argmax(std::optional<int64_t> dim = std::nullopt, bool keepdim = false) const;
  TAPIR_METHOD Tensor argmin(std::optional<int64_t> dim = std::nullopt, bool keepdim = false) const;
  TAPIR_METHOD Tensor logsumexp(IntArrayRef dim, bool keepdim = false) const;
  TAPIR_METHOD Tensor norm(const Scalar& p = 2) const;
  TAPIR_METHOD Tensor all() const;
  TAPIR_METHOD Tensor any() const;
  TAPIR_METHOD Tensor softmax(int64_t dim, std::optional<DType> dtype = std::nullopt) const;
  TAPIR_METHOD Tensor log_softmax(int64_t dim, std::optional<DType> dtype = std::nullopt) const;

  // products
  TAPIR_METHOD Tensor matmul(const Tensor& other) const;
  TAPIR_METHOD Tensor mm(const Tensor& other) const;
  TAPIR_METHOD Tensor bmm(const Tensor& other) const;
  TAPIR_METHOD Tensor mv(const Tensor& other) const;
  TAPIR_METHOD Tensor dot(const Tensor& other) const;
  TAPIR_METHOD Tensor addmm(const Tensor& a, const Tensor& b, const Scalar& beta = 1,
                            const Scalar& alpha = 1) const;
#define TAPIR_ADD_PRODUCT(name)                                                          \
  TAPIR_METHOD Tensor name(const Tensor& a, const Tensor& b, const Scalar& beta = 1,     \
                           const Scalar& alpha = 1) const;                               \
  TAPIR_METHOD Tensor& name##_(const Tensor& a, const Tensor& b, const Scalar& beta = 1, \
                               const Scalar& alpha = 1) const;
  TAPIR_ADD_PRODUCT(addmv)
  TAPIR_ADD_PRODUCT(addr)
  TAPIR_ADD_PRODUCT(baddbmm)
  TAPIR_ADD_PRODUCT(addbmm)
#undef TAPIR_ADD_PRODUCT
  TAPIR_METHOD Tensor& addmm_(const Tensor& a, const Tensor& b, const Scalar& beta = 1,
                              const Scalar& alpha = 1) const;
  TAPIR_METHOD Tensor outer(const Tensor& other) const;
  TAPIR_METHOD Tensor ger(const Tensor& other) const;
  TAPIR_METHOD Tensor inner(const Tensor& other) const;
  TAPIR_METHOD Tensor vdot(const Tensor& other) const;
  TAPIR_METHOD Tensor kron(const Tensor& other) const;
  TAPIR_METHOD Tensor cross(const Tensor& other, std::optional<int64_t> dim = std::nullopt) const;
  TAPIR_METHOD Tensor trace() const;

  // linear algebra
  TAPIR_METHOD Tensor inverse() const;
  TAPIR_METHOD Tensor pinverse(double rcond = 1e-15) const;
  TAPIR_METHOD Tensor det() const;
  TAPIR_METHOD Tensor logdet() const;
  TAPIR_METHOD std::tuple<Tensor, Tensor> slogdet() const;
  TAPIR_METHOD Tensor matrix_power(int64_t n) const;
  TAPIR_METHOD Tensor cholesky(bool upper = false) const;
  TAPIR_METHOD Tensor cholesky_solve(const Tensor& factor, bool upper = false) const;
  TAPIR_METHOD Tensor cholesky_inverse(bool upper = false) const;
  TAPIR_METHOD std::tuple<Tensor, Tensor> qr(bool some = true) const;
  TAPIR_METHOD std::tuple<Tensor, Tensor, Tensor> svd(bool some = true, bool compute_uv = true) const;
  TAPIR_METHOD std::tuple<Tensor, Tensor> triangular_solve(const Tensor& a, bool upper = true,
                                                           bool transpose = false,
                                                           bool unitriangular = false) const;

  // views
  TAPIR_METHOD Tensor view(IntArrayRef sizes) const;
  /// The same memory read as another dtype; the last dimension shrinks or grows where the sizes of the
  /// elements differ. No gradient goes through it. Throws ShapeError where it or a stride does not divide.
  Tensor view(DType dtype) const;
  TAPIR_METHOD Tensor view_as(const Tensor& other) const;
  TAPIR_METHOD Tensor reshape(IntArrayRef sizes) const;
  TAPIR_METHOD Tensor flatten(int64_t start_dim = 0, int64_t end_dim = -1) const;
  TAPIR_METHOD Tensor unflatten(int64_t dim, IntArrayRef sizes) const;
  TAPIR_METHOD Tensor transpose(int64_t d0, int64_t d1) const;
  TAPIR_METHOD Tensor t() const;
  TAPIR_METHOD Tensor permute(IntArrayRef dims) const;
  TAPIR_METHOD Tensor unsqueeze(int64_t dim) const;
  TAPIR_METHOD Tensor squeeze() const;
  TAPIR_METHOD Tensor squeeze(int64_t dim) const;
  TAPIR_METHOD Tensor expand(IntArrayRef sizes, bool implicit = false) const;
  TAPIR_METHOD Tensor expand_as(const Tensor& other) const;
  TAPIR_METHOD Tensor select(int64_t dim, int64_t index) const;
  TAPIR_METHOD Tensor slice(int64_t dim = 0, std::optional<int64_t> start = std::nullopt,
                            std::optional<int64_t> end = std::nullopt, int64_t step = 1) const;
  TAPIR_METHOD Tensor narrow(int64_t dim, int64_t start, int64_t length) const;
  Tensor narrow(int64_t dim, const Tensor& start, int64_t length) const;
  TAPIR_METHOD Tensor as_strided(IntArrayRef sizes, IntArrayRef strides,
                                 std::optional<int64_t> storage_offset = std::nullopt) const;
  TAPIR_METHOD std::vector<Tensor> chunk(int64_t chunks, int64_t dim = 0) const;
  TAPIR_METHOD std::vector<Tensor> split(int64_t split_size, int64_t dim = 0) const;
  TAPIR_METHOD std::vector<Tensor> split(IntArrayRef split_sizes, int64_t dim = 0) const;
  TAPIR_METHOD std::vector<Tensor> unbind(int64_t dim = 0) const;
  TAPIR_METHOD Tensor operator[](int64_t index) const;
  /// By an integer tensor without dimensions. Throws IndexError for any other; index({t}) takes those.
  Tensor operator[](const Tensor& index) const;
  TAPIR_METHOD Tensor index(ArrayRef<TensorIndex> indices) const;
  TAPIR_METHOD Tensor index(std::initializer_list<TensorIndex> indices) const;
  TAPIR_METHOD Tensor& index_put_(ArrayRef<TensorIndex> indices, const Tensor& values,
                                  bool accumulate = false) const;
  TAPIR_METHOD Tensor& index_put_(ArrayRef<TensorIndex> indices, const Scalar& value) const;
  TAPIR_METHOD Tensor& index_put_(std::initializer_list<TensorIndex> indices, const Tensor& values,
                                  bool accumulate = false) const;
  TAPIR_METHOD Tensor& index_put_(std::initializer_list<TensorIndex> indices, const Scalar& value) const;

  // indexing along a dimension
  TAPIR_METHOD Tensor index_select(int64_t dim, const Tensor& index) const;
  TAPIR_METHOD Tensor gather(int64_t dim, const Tensor& index, bool sparse_grad = false) const;
  TAPIR_METHOD Tensor repeat(IntArrayRef repeats) const;

  // copies, casts, filling
  TAPIR_METHOD Tensor clone(std::optional<MemoryFormat> format = std::nullopt) const;
  TAPIR_METHOD Tensor contiguous(MemoryFormat format = MemoryFormat::Contiguous) const;
  TAPIR_METHOD Tensor& copy_(const Tensor& source, bool non_blocking = false) const;
  TAPIR_METHOD Tensor& zero_() const;
  TAPIR_METHOD Tensor& fill_(const Scalar& value) const;
  TAPIR_METHOD Tensor& fill_(const Tensor& value) const;
  TAPIR_METHOD Tensor to(DType dtype, bool non_blocking = false, bool copy = false) const;
  TAPIR_METHOD Tensor to(Device device, bool non_blocking = false, bool copy = false) const;
  TAPIR_METHOD Tensor to(DeviceType device, bool non_blocking = false, bool copy = false) const;
  TAPIR_METHOD Tensor to(Device device, DType dtype, bool non_blocking = false, bool copy = false) const;
  TAPIR_METHOD Tensor to(const TensorOptions& options, bool non_blocking = false, bool copy = false) const;
  TAPIR_METHOD Tensor to(const Tensor& like, bool non_blocking = false, bool copy = false) const;
  TAPIR_METHOD Tensor toType(DType dtype) const;
  TAPIR_METHOD Tensor type_as(const Tensor& other) const;
  TAPIR_METHOD Tensor cpu() const;
  TAPIR_METHOD Tensor cuda() const;

  // random filling, from the device's default generator where none is given
  TAPIR_METHOD Tensor& uniform_(double from = 0, double to = 1,
                                std::optional<Generator> generator = std::nullopt) const;
  TAPIR_METHOD Tensor& normal_(double mean = 0, double std = 1,
                               std::optional<Generator> generator = std::nullopt) const;
  TAPIR_METHOD Tensor& bernoulli_(double p = 0.5, std::optional<Generator> generator = std::nullopt) const;
  TAPIR_METHOD Tensor& bernoulli_(const Tensor& p, std::optional<Generator> generator = std::nullopt) const;
  TAPIR_METHOD Tensor& random_(std::optional<Generator> generator = std::nullopt) const;
  TAPIR_METHOD Tensor& random_(int64_t to, std::optional<Generator> generator = std::nullopt) const;
  TAPIR_METHOD Tensor& random_(int64_t from, int64_t to,
                               std::optional<Generator> generator = std::nullopt) const;

  TAPIR_METHOD Tensor operator-() const;
  TAPIR_METHOD Tensor& operator+=(const Tensor& other);
  TAPIR_METHOD Tensor& operator+=(const Scalar& other);
  TAPIR_METHOD Tensor& operator-=(const Tensor& other);
  TAPIR_METHOD Tensor& operator-=(const Scalar& other);
  TAPIR_METHOD Tensor& operator*=(const Tensor& other);
  TAPIR_METHOD Tensor& operator*=(const Scalar& other);
  TAPIR_METHOD Tensor& operator/=(const Tensor& other);
  TAPIR_METHOD Tensor& operator/=(const Scalar& other);
  TAPIR_METHOD Tensor operator~() const;
  TAPIR_METHOD Tensor operator!() const;
#define TAPIR_OPERATOR(symbol)                               \
  TAPIR_METHOD Tensor& operator symbol(const Tensor& other); \
  TAPIR_METHOD Tensor& operator symbol(const Scalar& other);
  TAPIR_OPERATOR(%=)
  TAPIR_OPERATOR(&=)
  TAPIR_OPERATOR(|=)
  TAPIR_OPERATOR(^=)
  TAPIR_OPERATOR(<<=)
  TAPIR_OPERATOR(>>=)
#undef TAPIR_OPERATOR
#undef TAPIR_METHOD

  // writing by index or mask
  Tensor scatter(int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor scatter(int64_t dim, const Tensor& index, const Scalar& value) const;
  Tensor scatter(int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce) const;
  Tensor scatter(int64_t dim, const Tensor& index, const Scalar& value, std::string_view reduce) const;
  Tensor& scatter_(int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor& scatter_(int64_t dim, const Tensor& index, const Scalar& value) const;
  Tensor& scatter_(int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce) const;
  Tensor& scatter_(int64_t dim, const Tensor& index, const Scalar& value, std::string_view reduce) const;
  Tensor scatter_add(int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor& scatter_add_(int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor scatter_reduce(int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                        bool include_self = true) const;
  Tensor& scatter_reduce_(int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                          bool include_self = true) const;
  Tensor take_along_dim(const Tensor& indices, std::optional<int64_t> dim = std::nullopt) const;
  Tensor index_add(int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha = 1) const;
  Tensor& index_add_(int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha = 1) const;
  Tensor index_copy(int64_t dim, const Tensor& index, const Tensor& source) const;
  Tensor& index_copy_(int64_t dim, const Tensor& index, const Tensor& source) const;
  Tensor index_fill(int64_t dim, const Tensor& index, const Scalar& value) const;
  Tensor& index_fill_(int64_t dim, const Tensor& index, const Scalar& value) const;
  Tensor index_fill(int64_t dim, const Tensor& index, const Tensor& value) const;
  Tensor& index_fill_(int64_t dim, const Tensor& index, const Tensor& value) const;
  Tensor take(const Tensor& index) const;
  Tensor put(const Tensor& index, const Tensor& source, bool accumulate = false) const;
  Tensor& put_(const Tensor& index, const Tensor& source, bool accumulate = false) const;
  Tensor masked_fill(const Tensor& mask, const Tensor& value) const;
  Tensor& masked_fill_(const Tensor& mask, const Tensor& value) const;
  Tensor masked_select(const Tensor& mask) const;
  Tensor masked_scatter(const Tensor& mask, const Tensor& source) const;
  Tensor& masked_scatter_(const Tensor& mask, const Tensor& source) const;
  Tensor nonzero() const;
  std::vector<Tensor> nonzero_numpy() const;
  Tensor argwhere() const;

  // running reductions
  Tensor cumsum(int64_t dim, std::optional<DType> dtype = std::nullopt) const;
  Tensor& cumsum_(int64_t dim, std::optional<DType> dtype = std::nullopt) const;
  Tensor cumprod(int64_t dim, std::optional<DType> dtype = std::nullopt) const;
  Tensor& cumprod_(int64_t dim, std::optional<DType> dtype = std::nullopt) const;
  std::tuple<Tensor, Tensor> cummax(int64_t dim) const;
  std::tuple<Tensor, Tensor> cummin(int64_t dim) const;
  Tensor logcumsumexp(int64_t dim) const;
  Tensor diff(int64_t n = 1, int64_t dim = -1, const std::optional<Tensor>& prepend = std::nullopt,
              const std::optional<Tensor>& append = std::nullopt) const;

  // sorting and selecting
  std::tuple<Tensor, Tensor> sort(int64_t dim = -1, bool descending = false) const;
  std::tuple<Tensor, Tensor> sort(std::optional<bool> stable, int64_t dim = -1,
                                  bool descending = false) const;
  Tensor argsort(int64_t dim = -1, bool descending = false) const;
  Tensor argsort(bool stable, int64_t dim, bool descending) const;
  Tensor msort() const;
  std::tuple<Tensor, Tensor> topk(int64_t k, int64_t dim = -1, bool largest = true, bool sorted = true) const;
  std::tuple<Tensor, Tensor> kthvalue(int64_t k, int64_t dim = -1, bool keepdim = false) const;
  std::tuple<Tensor, Tensor> median(int64_t dim, bool keepdim = false) const;
  std::tuple<Tensor, Tensor> nanmedian(int64_t dim, bool keepdim = false) const;
  std::tuple<Tensor, Tensor> mode(int64_t dim = -1, bool keepdim = false) const;
  Tensor quantile(double q, std::optional<int64_t> dim = std::nullopt, bool keepdim = false,
                  std::string_view interpolation = "linear") const;
  Tensor quantile(const Tensor& q, std::optional<int64_t> dim = std::nullopt, bool keepdim = false,
                  std::string_view interpolation = "linear") const;
  Tensor nanquantile(double q, std::optional<int64_t> dim = std::nullopt, bool keepdim = false,
                     std::string_view interpolation = "linear") const;
  Tensor nanquantile(const Tensor& q, std::optional<int64_t> dim = std::nullopt, bool keepdim = false,
                     std::string_view interpolation = "linear") const;
  Tensor bincount(const std::optional<Tensor>& weights = std::nullopt, int64_t minlength = 0) const;
  Tensor histc(int64_t bins = 100, const Scalar& min = 0, const Scalar& max = 0) const;

  // products, variances, counts
  Tensor prod(std::optional<DType> dtype = std::nullopt) const;
  Tensor prod(int64_t dim, bool keepdim = false, std::optional<DType> dtype = std::nullopt) const;
  Tensor var(bool unbiased) const;
  Tensor var(int dim) const;
  Tensor var(IntArrayRef dim, bool unbiased, bool keepdim = false) const;
  Tensor var(OptionalIntArrayRef dim = std::nullopt, std::optional<int64_t> correction = std::nullopt,
             bool keepdim = false) const;
  Tensor std(bool unbiased) const;
  Tensor std(int dim) const;
  Tensor std(IntArrayRef dim, bool unbiased, bool keepdim = false) const;
  Tensor std(OptionalIntArrayRef dim = std::nullopt, std::optional<int64_t> correction = std::nullopt,
             bool keepdim = false) const;
  Tensor count_nonzero(IntArrayRef dim = {}) const;
  Tensor nansum(IntArrayRef dim = {}, bool keepdim = false, std::optional<DType> dtype = std::nullopt) const;
  Tensor nanmean(IntArrayRef dim = {}, bool keepdim = false, std::optional<DType> dtype = std::nullopt) const;

  // more reductions
  Tensor amax(IntArrayRef dim = {}, bool keepdim = false) const;
  Tensor amin(IntArrayRef dim = {}, bool keepdim = false) const;
  std::tuple<Tensor, Tensor> aminmax(std::optional<int64_t> dim = std::nullopt, bool keepdim = false) const;
  Tensor median() const;
  Tensor nanmedian() const;
  Tensor norm(const std::optional<Scalar>& p, IntArrayRef dim, bool keepdim = false) const;
  Tensor norm(const std::optional<Scalar>& p, DType dtype) const;
  Tensor norm(const std::optional<Scalar>& p, IntArrayRef dim, bool keepdim, DType dtype) const;
  Tensor all(int64_t dim, bool keepdim = false) const;
  Tensor any(int64_t dim, bool keepdim = false) const;

  // more views
  Tensor diagonal(int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1) const;
  Tensor unfold(int64_t dim, int64_t size, int64_t step) const;

  // rearranging
  Tensor flip(IntArrayRef dims) const;
  Tensor fliplr() const;
  Tensor flipud() const;
  Tensor roll(IntArrayRef shifts, IntArrayRef dims = {}) const;
  Tensor rot90(int64_t k = 1, IntArrayRef dims = {0, 1}) const;
  Tensor tile(IntArrayRef dims) const;
  Tensor repeat_interleave(const Tensor& repeats, std::optional<int64_t> dim = std::nullopt,
                           std::optional<int64_t> output_size = std::nullopt) const;
  Tensor repeat_interleave(int64_t repeats, std::optional<int64_t> dim = std::nullopt,
                           std::optional<int64_t> output_size = std::nullopt) const;
  Tensor tril(int64_t diagonal = 0) const;
  Tensor& tril_(int64_t diagonal = 0) const;
  Tensor triu(int64_t diagonal = 0) const;
  Tensor& triu_(int64_t diagonal = 0) const;
  Tensor diag(int64_t diagonal = 0) const;
  Tensor diagflat(int64_t offset = 0) const;
  Tensor diag_embed(int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1) const;
  std::vector<Tensor> tensor_split(int64_t sections, int64_t dim = 0) const;
  std::vector<Tensor> tensor_split(IntArrayRef indices, int64_t dim = 0) const;
  std::vector<Tensor> tensor_split(const Tensor& indices_or_sections, int64_t dim = 0) const;
  std::vector<Tensor> hsplit(int64_t sections) const;
  std::vector<Tensor> hsplit(IntArrayRef indices) const;
  std::vector<Tensor> vsplit(int64_t sections) const;
  std::vector<Tensor> vsplit(IntArrayRef indices) const;
  std::vector<Tensor> dsplit(int64_t sections) const;
  std::vector<Tensor> dsplit(IntArrayRef indices) const;
  std::vector<Tensor> split_with_sizes(IntArrayRef split_sizes, int64_t dim = 0) const;
  std::vector<Tensor> unsafe_chunk(int64_t chunks, int64_t dim = 0) const;      ///< chunk
  std::vector<Tensor> unsafe_split(int64_t split_size, int64_t dim = 0) const;  ///< split
  Tensor movedim(IntArrayRef source, IntArrayRef destination) const;
  Tensor moveaxis(IntArrayRef source, IntArrayRef destination) const;
  Tensor swapaxes(int64_t axis0, int64_t axis1) const;
  Tensor swapdims(int64_t dim0, int64_t dim1) const;
  Tensor broadcast_to(IntArrayRef sizes) const;
  Tensor ravel() const;

  // further distributions
  Tensor& exponential_(double lambda = 1, std::optional<Generator> generator = std::nullopt) const;
  Tensor& geometric_(double p, std::optional<Generator> generator = std::nullopt) const;
  Tensor& cauchy_(double median = 0, double sigma = 1,
                  std::optional<Generator> generator = std::nullopt) const;
  Tensor& log_normal_(double mean = 1, double std = 2,
                      std::optional<Generator> generator = std::nullopt) const;
  Tensor bernoulli(std::optional<Generator> generator = std::nullopt) const;
  Tensor bernoulli(double p, std::optional<Generator> generator = std::nullopt) const;
  Tensor multinomial(int64_t num_samples, bool replacement = false,
                     std::optional<Generator> generator = std::nullopt) const;

  // another layout for this tensor itself, whose memory stays (autograd/functions/restride.cpp)
  Tensor& transpose_(int64_t d0, int64_t d1) const;
  Tensor& t_() const;
  Tensor& swapaxes_(int64_t axis0, int64_t axis1) const;
  Tensor& swapdims_(int64_t dim0, int64_t dim1) const;
  Tensor& squeeze_() const;
  Tensor& squeeze_(int64_t dim) const;
  Tensor& unsqueeze_(int64_t dim) const;
  Tensor& as_strided_(IntArrayRef sizes, IntArrayRef strides,
                      std::optional<int64_t> storage_offset = std::nullopt) const;
  /// Row-major with new sizes: the elements that are there stay, further ones are uninitialised. Where the
  /// memory is too small the tensor gets memory of its own, while views of it keep the old one. Throws
  /// AutogradError for a tensor that is recorded, ValueError for a view whose memory is too small.
  const Tensor& resize_(IntArrayRef sizes, std::optional<MemoryFormat> format = std::nullopt) const;
  const Tensor& resize_as_(const Tensor& other, std::optional<MemoryFormat> format = std::nullopt) const;

  // as the tensor, or a part replaced
  Tensor new_empty(IntArrayRef sizes, const TensorOptions& options = {}) const;
  Tensor new_zeros(IntArrayRef sizes, const TensorOptions& options = {}) const;
  Tensor new_ones(IntArrayRef sizes, const TensorOptions& options = {}) const;
  Tensor new_full(IntArrayRef sizes, const Scalar& value, const TensorOptions& options = {}) const;
  Tensor new_empty_strided(IntArrayRef size, IntArrayRef stride, const TensorOptions& options = {}) const;
  Tensor as_strided_scatter(const Tensor& src, IntArrayRef size, IntArrayRef stride,
                            std::optional<int64_t> storage_offset = std::nullopt) const;
  Tensor index_put(ArrayRef<TensorIndex> indices, const Tensor& values, bool accumulate = false) const;
  Tensor index_reduce(int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                      bool include_self = true) const;
  Tensor& index_reduce_(int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                        bool include_self = true) const;
  Tensor select_scatter(const Tensor& src, int64_t dim, int64_t index) const;
  Tensor slice_scatter(const Tensor& src, int64_t dim = 0, std::optional<int64_t> start = std::nullopt,
                       std::optional<int64_t> end = std::nullopt, int64_t step = 1) const;
  Tensor diagonal_scatter(const Tensor& src, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1) const;
  Tensor& fill_diagonal_(const Scalar& value, bool wrap = false) const;
  Tensor renorm(const Scalar& p, int64_t dim, const Scalar& maxnorm) const;
  Tensor& renorm_(const Scalar& p, int64_t dim, const Scalar& maxnorm) const;
  Tensor dist(const Tensor& other, const Scalar& p = 2) const;
  Tensor cov(int64_t correction = 1, const std::optional<Tensor>& fweights = std::nullopt,
             const std::optional<Tensor>& aweights = std::nullopt) const;
  Tensor corrcoef() const;
  Tensor reshape_as(const Tensor& other) const;
  Tensor sum_to_size(IntArrayRef sizes) const;
  Tensor mT() const;        ///< the last two dimensions exchanged
  Tensor mH() const;        ///< mT
  Tensor adjoint() const;   ///< mT
  Tensor matrix_H() const;  ///< mT of a matrix
  Tensor numpy_T() const;   ///< the dimensions in reverse order
  bool is_same_size(const Tensor& other) const { return sizes() == other.sizes(); }

 private:
  // An in-place op changes what the handle refers to, not the handle: as in libtorch it is const.
  Tensor& self() const { return const_cast<Tensor&>(*this); }
  const TensorImpl& checked() const {
    if (TAPIR_UNLIKELY(!impl_)) detail::undefined_tensor_failure();
    return *impl_;
  }
  Ref<TensorImpl> impl_;
};

using Variable = Tensor;

/// Prints a tensor as PyTorch does; declared for any output stream.
template <class Stream>
requires requires(Stream& s, std::string text) { s.write(text.data(), 1); }
Stream& operator<<(Stream& stream, const Tensor& t) {
  const std::string text = t.str();
  stream.write(text.data(), static_cast<std::ptrdiff_t>(text.size()));
  return stream;
}

}  // namespace tapir
