#include "tapir/tensor/ops/pointwise.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {

// Scalars and tensors without dimensions take part in promotion only with their category (bool < integer <
// float).
int category(DType d) { return is_floating_point(d) ? 2 : d == kBool ? 0 : 1; }

struct Promotion {
  DType with_dims = kBool, zero_dim = kBool, number = kBool;
  bool any_dims = false, any_zero = false, any_number = false;

  void add(const Operand& x) {
    if (!x.tensor) {
      const DType d = x.scalar->isFloatingPoint() ? get_default_dtype() : x.scalar->type();
      number = any_number ? promote_types(number, d) : d;
      any_number = true;
    } else if (x.tensor->dim() > 0) {
      with_dims = any_dims ? promote_types(with_dims, x.tensor->dtype()) : x.tensor->dtype();
      any_dims = true;
    } else {
      zero_dim = any_zero ? promote_types(zero_dim, x.tensor->dtype()) : x.tensor->dtype();
      any_zero = true;
    }
  }
  static DType combine(DType strong, bool has_strong, DType weak, bool has_weak) {
    if (!has_strong) return weak;
    if (!has_weak || category(weak) <= category(strong)) return strong;
    return promote_types(strong, weak);
  }
  DType result() const {
    const DType weak = combine(zero_dim, any_zero, number, any_number);
    return combine(with_dims, any_dims, weak, any_zero || any_number);
  }
};

DType compute_type(DType d) {
  if (d == kFloat64) return kFloat64;
  return is_floating_point(d) ? kFloat32 : kInt64;
}

struct Types {
  DType compute, out;
};

Types types_of(const PointwiseInfo& info, DType common) {
  switch (info.dtypes) {
    case PointwiseClass::Floating:
      if (!is_floating_point(common)) common = get_default_dtype();
      return {compute_type(common), common};
    case PointwiseClass::Compare:
    case PointwiseClass::Logical:
      return {compute_type(common), kBool};
    case PointwiseClass::Integral:
    case PointwiseClass::Numeric:
    case PointwiseClass::Select:
      break;
  }
  return {compute_type(common), common};
}

TAPIR_COLD void refuse_dtype(const PointwiseInfo& info, DType d, const char* hint) {
  throw_error<DTypeError>("{}: not defined for {}; {}", info.name, d, hint);
}

// Integers have no quotient by zero. A tensor without dimensions or with a few elements is read quickly.
void refuse_zero(const PointwiseInfo& info, const Operand& divisor) {
  bool zero;
  if (divisor.tensor) {
    const Tensor mask = contiguous(to_device(unary(Pointwise::logical_not, *divisor.tensor), kCPU));
    zero = mask.numel() && std::memchr(mask.data_ptr(), 1, static_cast<size_t>(mask.numel()));
  } else {
    zero = divisor.scalar->to_int64() == 0;
  }
  TAPIR_CHECK_AS(ValueError, !zero,
                 "{}: integer division by zero; cast to a floating-point dtype for inf or NaN", info.name);
}

// Which dtypes and values some ops refuse, as in PyTorch, and the kernel that runs for `common`.
Pointwise checked(Pointwise op, const PointwiseInfo& info, DType common, const Operand* inputs) {
  constexpr const char *kCast = "cast it with to(dtype)", *kFloat = "give a floating-point tensor";
  if (info.dtypes == PointwiseClass::Integral && is_floating_point(common))
    refuse_dtype(info, common, "cast it to an integer dtype");
  switch (op) {
    case Pointwise::neg:
    case Pointwise::bitwise_left_shift:
    case Pointwise::bitwise_right_shift:
    case Pointwise::gcd:
    case Pointwise::lcm:
      if (common == kBool) refuse_dtype(info, common, kCast);
      break;
    case Pointwise::floor_divide:
    case Pointwise::div_trunc:
    case Pointwise::remainder:
    case Pointwise::fmod:
      if (common == kBool) refuse_dtype(info, common, kCast);
      if (!is_floating_point(common)) refuse_zero(info, inputs[1]);
      break;
    case Pointwise::frac:
    case Pointwise::round_decimals:
      if (!is_floating_point(common)) refuse_dtype(info, common, kFloat);
      break;
    case Pointwise::nextafter:
      if (common != kFloat32 && common != kFloat64)
        refuse_dtype(info, common, "cast it to float32 or float64");
      break;
    case Pointwise::heaviside:
      if (inputs[0].tensor && inputs[1].tensor && inputs[0].tensor->dtype() != inputs[1].tensor->dtype())
        throw_error<DTypeError>("heaviside: input is {} and values {}; cast one with to(dtype)",
                                inputs[0].tensor->dtype(), inputs[1].tensor->dtype());
      break;
    case Pointwise::pow:
      TAPIR_CHECK_AS(ValueError,
                     is_floating_point(common) || !inputs[1].scalar || inputs[1].scalar->to_int64() >= 0,
                     "pow: {} to the negative integer power {}; cast to a floating-point dtype first", common,
                     inputs[1].scalar->to_int64());
      break;
    case Pointwise::bitwise_not:
      if (common == kBool) return Pointwise::logical_not;
      break;
    default:
      break;
  }
  return op;
}

KernelScalar kernel_scalar(const Scalar& s) { return {s.to_double(), s.to_int64()}; }

void set_params(PointwiseArgs& args, const Params& params) {
  for (int i = 0; i < kMaxPointwiseParams; ++i) args.params[i] = params.p[i];
}

TAPIR_COLD void device_mismatch(const PointwiseInfo& info, Device a, Device b) {
  throw_error<DeviceError>("{}: tensors on {} and {}; move them to one device with to(device)", info.name, a,
                           b);
}

// The device of the inputs. A CPU tensor without dimensions may join tensors of another device as a number.
Device device_of(const PointwiseInfo& info, const Operand* inputs, int n) {
  Device device = kCPU;
  bool found = false;
  for (int i = 0; i < n; ++i) {
    if (!inputs[i].tensor) continue;
    const Tensor& t = *inputs[i].tensor;
    const Device d = t.device();
    if (!found) {
      device = d;
      found = true;
    } else if (!(d == device)) {
      if (t.dim() == 0 && d.is_cpu()) continue;
      bool others_are_numbers = device.is_cpu();
      for (int j = 0; j < i && others_are_numbers; ++j)
        others_are_numbers = !inputs[j].tensor || inputs[j].tensor->dim() == 0;
      if (!others_are_numbers) device_mismatch(info, device, d);
      device = d;
    }
  }
  return device;
}

void set_operand(PointwiseArgs::Operand& o, const Operand& x, Device device) {
  if (!x.tensor) {
    o.data = nullptr;
    o.scalar = kernel_scalar(*x.scalar);
    o.dtype = kFloat64;
  } else if (!(x.tensor->device() == device)) {  // a CPU number among tensors of another device
    o.data = nullptr;
    o.scalar = kernels(kCPU).read(x.tensor->data_ptr(), x.tensor->dtype());
    o.dtype = kFloat64;
  } else {
    o.data = x.tensor->data_ptr();
    o.dtype = x.tensor->dtype();
  }
}

// Strides of `t` over the iteration sizes: 0 where it broadcasts.
void broadcast_strides(const Tensor& t, IntArrayRef sizes, int64_t* strides) {
  const Layout& l = t.layout_of();
  const int64_t extra = static_cast<int64_t>(sizes.size()) - l.dim();
  for (int64_t d = 0; d < static_cast<int64_t>(sizes.size()); ++d)
    strides[d] = d < extra || (l.sizes[d - extra] == 1 && sizes[d] != 1) ? 0 : l.strides[d - extra];
}

// Runs the kernel over `out`, whose sizes are the broadcast ones.
void launch(const PointwiseInfo& info, PointwiseArgs& args, const Tensor& out, const Operand* inputs, int n,
            Device device, const Params& params) {
  args.inputs = static_cast<uint8_t>(n);
  args.numel = out.numel();
  if (args.numel == 0) return;
  set_params(args, params);
  PointwiseArgs::Operand* ops = args.operands;
  ops[0].data = out.data_ptr();
  ops[0].dtype = out.dtype();
  const Layout& lo = out.layout_of();
  bool contiguous = true;
  // What the kernel writes: x.eq_(y) of floats, say, is converted.
  const bool gives_bool = info.dtypes == PointwiseClass::Compare || info.dtypes == PointwiseClass::Logical;
  bool direct = out.dtype() == (gives_bool ? kBool : args.compute);
  bool permuted = !lo.contiguous;
  for (int i = 0; i < n; ++i) {
    set_operand(ops[i + 1], inputs[i], device);
    if (!ops[i + 1].data) {
      // An operand is of the common dtype, whose quotients are not those of negative integers.
      if (out.dtype() == kUInt8 && !gives_bool && !is_floating_point(args.compute) &&
          ops[i + 1].scalar.integer < 0)
        ops[i + 1].scalar.integer = static_cast<uint8_t>(ops[i + 1].scalar.integer);
      continue;
    }
    const Layout& l = inputs[i].tensor->layout_of();
    contiguous = contiguous && l.sizes == lo.sizes;
    permuted = permuted || !l.contiguous;
    direct =
        direct && (ops[i + 1].dtype == args.compute || (info.dtypes == PointwiseClass::Select && i == 0));
  }
  if (contiguous && permuted) {  // the same dense order of dimensions is as good as row-major
    contiguous = lo.dense();
    for (int i = 0; i < n && contiguous; ++i)
      if (ops[i + 1].data) contiguous = inputs[i].tensor->layout_of().strides == lo.strides;
  }
  args.contiguous = contiguous;
  args.direct = contiguous && direct;
  if (!contiguous) {
    int64_t strides[kMaxPointwiseOperands][kMaxDims];
    const int64_t* in[kMaxPointwiseOperands];
    int64_t* merged[kMaxPointwiseOperands];
    int operands = 0;
    broadcast_strides(out, lo.sizes, strides[0]);
    for (int i = 0; i <= n; ++i) {
      if (i > 0 && !ops[i].data) continue;
      if (i > 0) broadcast_strides(*inputs[i - 1].tensor, lo.sizes, strides[i]);
      in[operands] = strides[i];
      merged[operands++] = ops[i].strides;
    }
    merge_dims(lo.sizes, operands, in, args.ndim, args.sizes, merged);
  }
  kernels(device).pointwise(args);
}

Dims broadcast_all(const PointwiseInfo& info, const Operand* inputs, int n) {
  Dims sizes;
  bool first = true;
  for (int i = 0; i < n; ++i) {
    if (!inputs[i].tensor) continue;
    sizes = first ? Dims(inputs[i].tensor->sizes())
                  : broadcast_sizes(sizes, inputs[i].tensor->sizes(), info.name);
    first = false;
  }
  return sizes;
}

DType common_dtype(const PointwiseInfo& info, const Operand* inputs, int n) {
  Promotion p;
  for (int i = info.dtypes == PointwiseClass::Select ? 1 : 0; i < n; ++i) p.add(inputs[i]);
  if (info.dtypes == PointwiseClass::Select && inputs[0].tensor)
    TAPIR_CHECK_AS(DTypeError, inputs[0].tensor->dtype() == kBool,
                   "{}: the condition is {}, expected bool; compare it first", info.name,
                   inputs[0].tensor->dtype());
  return p.result();
}

Tensor general(Pointwise op, const Operand* inputs, int n, const Params& params) {
  const PointwiseInfo& info = pointwise_info(op);
  const Device device = device_of(info, inputs, n);
  const DType common = common_dtype(info, inputs, n);
  const Pointwise kernel = checked(op, info, common, inputs);
  if (TAPIR_UNLIKELY(kernel != op)) return general(kernel, inputs, n, params);
  const Types types = types_of(info, common);
  Layout layout = Layout::of(broadcast_all(info, inputs, n));
  // Where an input of the result's sizes is dense in another order, the result takes its order, as in
  // PyTorch.
  for (int i = 0; i < n; ++i) {
    if (!inputs[i].tensor) continue;
    const Layout& l = inputs[i].tensor->layout_of();
    if (l.sizes == layout.sizes) {
      if (!l.contiguous && l.dense()) {
        layout = l;
        layout.offset = 0;
      }
      break;
    }
  }
  Tensor out = Tensor::from_layout(std::move(layout), types.out, device);
  PointwiseArgs args;
  args.op = op;
  args.compute = types.compute;
  launch(info, args, out, inputs, n, device, params);
  return out;
}

// A call on dense operands of one floating dtype, but for the result.
TAPIR_ALWAYS_INLINE void set_dense(PointwiseArgs& args, Pointwise op, const TensorImpl& shape, void* a,
                                   void* b, const Params& params) {
  args.op = op;
  args.compute = shape.dtype;
  args.contiguous = args.direct = true;
  args.numel = shape.layout.numel;
  args.inputs = b ? 2 : 1;
  set_params(args, params);
  args.operands[0].dtype = shape.dtype;
  args.operands[1].data = a;
  args.operands[1].dtype = shape.dtype;
  if (b) {
    args.operands[2].data = b;
    args.operands[2].dtype = shape.dtype;
  }
}

// Calls the kernel on dense operands of one floating dtype and device: the path that small ops take.
TAPIR_ALWAYS_INLINE Tensor dense_call(Pointwise op, const TensorImpl& shape, void* a, void* b,
                                      const Params& params) {
  const size_t bytes = static_cast<size_t>(shape.layout.numel) * item_size(shape.dtype);
  Tensor out(
      Ref<TensorImpl>::adopt(new TensorImpl(StorageImpl::make(bytes, shape.device), shape, shape.dtype)));
  PointwiseArgs args;
  set_dense(args, op, shape, a, b, params);
  args.operands[0].data = out.impl()->data;
  if (args.numel) kernels(shape.device).pointwise(args);
  return out;
}

bool computes_as_stored(DType d) { return d == kFloat32 || d == kFloat64; }
bool gives_its_dtype(const PointwiseInfo& info) {
  return info.dtypes == PointwiseClass::Floating || info.dtypes == PointwiseClass::Numeric;
}

}  // namespace

void merge_dims(IntArrayRef sizes, int operands, const int64_t* const* strides, int& ndim, int64_t* out_sizes,
                int64_t* const* out_strides) {
  // Order the dimensions by the first operand's stride, outermost first, so that permuted tensors walk memory
  // in order.
  int order[kMaxDims];
  int n = 0;
  for (int d = 0; d < static_cast<int>(sizes.size()); ++d)
    if (sizes[d] != 1) order[n++] = d;
  std::stable_sort(order, order + n, [&](int x, int y) {
    for (int i = 0; i < operands; ++i)
      if (strides[i][x] && strides[i][y] && strides[i][x] != strides[i][y])
        return strides[i][x] > strides[i][y];
    return false;
  });
  ndim = 0;
  for (int k = 0; k < n; ++k) {
    const int d = order[k];
    bool merges = ndim > 0;
    for (int i = 0; i < operands && merges; ++i)
      merges = out_strides[i][ndim - 1] == strides[i][d] * sizes[d];
    if (merges) {
      out_sizes[ndim - 1] *= sizes[d];
    } else {
      out_sizes[ndim++] = sizes[d];
    }
    for (int i = 0; i < operands; ++i) out_strides[i][ndim - 1] = strides[i][d];
  }
  if (ndim == 0) {
    ndim = 1;
    out_sizes[0] = 1;
    for (int i = 0; i < operands; ++i) out_strides[i][0] = 1;
  }
}

DType result_type(std::initializer_list<Operand> inputs) {
  Promotion p;
  for (const Operand& x : inputs) p.add(x);
  return p.result();
}

Tensor unary(Pointwise op, const Tensor& x, const Params& params) {
  x.dtype();  // refuses an undefined tensor
  const TensorImpl& t = *x.impl();
  if (TAPIR_LIKELY(t.layout.contiguous && computes_as_stored(t.dtype) && gives_its_dtype(pointwise_info(op))))
    return dense_call(op, t, t.data, nullptr, params);
  const Operand inputs[] = {x};
  return general(op, inputs, 1, params);
}

namespace {
// Two dense tensors of the same sizes, of one dtype that the row computes in and gives.
TAPIR_ALWAYS_INLINE bool dense_pair(Pointwise op, const TensorImpl& x, const TensorImpl& y) {
  return x.layout.contiguous && y.layout.contiguous && x.dtype == y.dtype && x.device == y.device &&
         x.layout.sizes == y.layout.sizes && computes_as_stored(x.dtype) &&
         gives_its_dtype(pointwise_info(op));
}
}  // namespace

Tensor binary(Pointwise op, Operand a, Operand b, const Params& params) {
  if (TAPIR_LIKELY(a.tensor && b.tensor && a.tensor->defined() && b.tensor->defined())) {
    const TensorImpl &x = *a.tensor->impl(), &y = *b.tensor->impl();
    if (TAPIR_LIKELY(dense_pair(op, x, y))) return dense_call(op, x, x.data, y.data, params);
  }
  const Operand inputs[] = {a, b};
  return general(op, inputs, 2, params);
}

Tensor pointwise_sum(Pointwise op, const Tensor& a, const Tensor& b, const Params& params, double scale) {
  if (a.defined() && b.defined() && a.is_cpu() && dense_pair(op, *a.impl(), *b.impl())) {
    Tensor out = Tensor::empty({}, a.dtype(), a.device());
    PointwiseArgs args;
    set_dense(args, op, *a.impl(), a.data_ptr(), b.data_ptr(), params);
    cpu_kernels.pointwise_sum({args, out.data_ptr(), scale});
    return out;
  }
  const Tensor values = contiguous(binary(op, a, b, params));
  Tensor out = Tensor::empty({}, values.dtype(), values.device());
  require(&KernelTable::reduce, out.device(),
          "sum")({Reduction::Sum, values.data_ptr(), values.dtype(), out.data_ptr(), out.dtype(), nullptr, 1,
                  values.numel(), 1, scale});
  return out;
}

Tensor ternary(Pointwise op, Operand a, Operand b, Operand c, const Params& params) {
  const Operand inputs[] = {a, b, c};
  return general(op, inputs, 3, params);
}

void check_writable(const Tensor& out, const char* op) {
  const Layout& l = out.layout_of();
  out.impl()->storage->check_changeable(op);
  if (TAPIR_UNLIKELY(!l.contiguous && !l.non_overlapping()))
    throw_error<ShapeError>(
        "{}: the tensor to write, sizes {} with strides {}, shows some elements more than once (an expanded "
        "tensor?); clone() it "
        "first",
        op, out.sizes(), out.strides());
}

namespace {
// True where writing `out` front to back could overwrite elements of `in` before they are read.
bool overlaps_partly(const Tensor& out, const Tensor& in) {
  if (out.impl()->storage.get() != in.impl()->storage.get()) return false;
  const Layout &a = out.layout_of(), &b = in.layout_of();
  if (a.offset == b.offset && a.sizes == b.sizes && a.strides == b.strides) return false;
  return a.offset < b.offset + b.extent() && b.offset < a.offset + a.extent();
}
}  // namespace

void pointwise_into(Pointwise op, const Tensor& out, std::initializer_list<Operand> list,
                    const Params& params) {
  PointwiseInfo info = pointwise_info(op);
  const Tensor none;
  Operand inputs[kMaxPointwiseOperands - 1] = {none, none, none};
  const int n = static_cast<int>(list.size());
  std::copy(list.begin(), list.end(), inputs);
  if (n > 0 && inputs[0].tensor && inputs[0].tensor->is_same(out)) info.name = info.in_place;
  Device device = out.device();
  for (int i = 0; i < n; ++i)
    if (inputs[i].tensor && !(inputs[i].tensor->device() == device) &&
        !(inputs[i].tensor->dim() == 0 && inputs[i].tensor->is_cpu()))
      device_mismatch(info, device, inputs[i].tensor->device());
  const DType common = common_dtype(info, inputs, n);
  const Pointwise kernel = checked(op, info, common, inputs);
  if (TAPIR_UNLIKELY(kernel != op)) return pointwise_into(kernel, out, list, params);
  const Types types = types_of(info, common);
  TAPIR_CHECK_AS(
      DTypeError, can_cast(types.out, out.dtype()),
      "{}: the result is {}, which cannot be stored in a tensor of {}; use the form that makes a new tensor",
      info.name, types.out, out.dtype());
  const Dims sizes = broadcast_all(info, inputs, n);
  TAPIR_CHECK_AS(ShapeError, sizes == out.layout_of().sizes,
                 "{}: the result has sizes {}, but the tensor to write has {}", info.name, IntArrayRef(sizes),
                 out.sizes());
  check_writable(out, info.name);
  Tensor copies[kMaxPointwiseOperands - 1];
  for (int i = 0; i < n; ++i) {
    if (!inputs[i].tensor || !overlaps_partly(out, *inputs[i].tensor)) continue;
    copies[i] = clone(*inputs[i].tensor);
    inputs[i].tensor = &copies[i];
  }
  PointwiseArgs args;
  args.op = op;
  args.compute = types.compute;
  launch(info, args, out, inputs, n, device, params);
  if (!out.impl()->untracked) out.impl()->storage->bump_version(info.in_place);
}

std::tuple<Tensor, Tensor> frexp(const Tensor& x) {
  TAPIR_CHECK_AS(DTypeError, x.is_floating_point(), "frexp: got a tensor of {}, expected floating point",
                 x.dtype());
  const Tensor in = to_device(contiguous(x), kCPU);
  const Tensor mantissa = Tensor::empty(x.sizes(), x.dtype()), exponent = Tensor::empty(x.sizes(), kInt32);
  int32_t* const e = exponent.data_ptr<int32_t>();
  visit_dtype(x.dtype(), [&]<class T>(TypeTag<T>) {
    if constexpr (!std::is_integral_v<T>) {
      using Real = std::conditional_t<std::is_same_v<T, double>, double, float>;
      const T* const from = in.data_ptr<T>();
      T* const m = mantissa.data_ptr<T>();
      for (int64_t i = 0; i < in.numel(); ++i) {
        const auto v = static_cast<Real>(from[i]);
        int power = 0;
        m[i] = T(std::frexp(v, &power));
        e[i] = std::isfinite(v) ? power : 0;
      }
    }
  });
  return {to_device(mantissa, x.device()), to_device(exponent, x.device())};
}

}  // namespace tapir::raw
