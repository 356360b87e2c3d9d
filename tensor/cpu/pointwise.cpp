// Runs a pointwise kernel over operands of any layout and dtype: what is not a contiguous run of the compute
// type is gathered, converted and scattered in blocks that stay in the L1 cache.
#include <algorithm>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "tapir/tensor/cpu/convert.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/loops.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/cpu/strided.h"
#include "tapir/tensor/error_format.h"

namespace tapir::cpu {

namespace {

constexpr int64_t kBlock = 512;
constexpr int kMaxInputs = kMaxPointwiseOperands - 1;

struct Loops {
  const PointwiseLoop* of_float;
  const PointwiseLoop* of_double;
  const PointwiseLoop* of_int;
};
const Loops& loops() {
  static const Loops table{float_loops(), double_loops(), int_loops()};
  return table;
}
const PointwiseLoop* scalar_loops(DType compute) {
  return compute == kFloat32 ? scalar_float_loops() : scalar_double_loops();
}

TAPIR_COLD void no_loop(const PointwiseArgs& args) {
  throw_error<InternalError>("{}: has no CPU kernel that computes in {}", pointwise_info(args.op).name,
                             args.compute);
}

PointwiseLoop loop_of(const PointwiseArgs& args) {
  const Loops& t = loops();
  const PointwiseLoop* rows = args.compute == kFloat32   ? t.of_float
                              : args.compute == kFloat64 ? t.of_double
                                                         : t.of_int;
  PointwiseLoop loop = rows[static_cast<int>(args.op)];
  if (TAPIR_UNLIKELY(!loop) && args.compute != kInt64)
    loop = scalar_loops(args.compute)[static_cast<int>(args.op)];
  if (TAPIR_UNLIKELY(!loop)) no_loop(args);
  return loop;
}

// Elements below which another thread does not pay: about 5 µs of work.
int64_t grain_of(const PointwiseArgs& args) {
  const int64_t grain = [&] {
    switch (args.op) {
      case Pointwise::exp:
      case Pointwise::expm1:
      case Pointwise::log:
      case Pointwise::log1p:
      case Pointwise::sin:
      case Pointwise::cos:
      case Pointwise::tanh:
      case Pointwise::sigmoid:
      case Pointwise::exp2:
      case Pointwise::log2:
      case Pointwise::log10:
      case Pointwise::xlogy:
        return 16384;
      case Pointwise::tan:
      case Pointwise::sinh:
      case Pointwise::cosh:
      case Pointwise::asin:
      case Pointwise::acos:
      case Pointwise::atan:
      case Pointwise::asinh:
      case Pointwise::acosh:
      case Pointwise::atanh:
      case Pointwise::sinc:
      case Pointwise::logit:
      case Pointwise::logaddexp:
      case Pointwise::logaddexp2:
        return 8192;
      case Pointwise::erf:
      case Pointwise::pow:
        return 4096;
      default:
        return args.compute != kInt64 && scalar_loops(args.compute)[static_cast<int>(args.op)] ? 1024 : 32768;
    }
  }();
  return args.compute == kFloat32 ? grain : grain / 2;
}

DType output_type(const PointwiseArgs& args) {
  const PointwiseClass c = pointwise_info(args.op).dtypes;
  return c == PointwiseClass::Compare || c == PointwiseClass::Logical ? kBool : args.compute;
}
DType input_type(const PointwiseArgs& args, int k) {
  return k == 0 && pointwise_info(args.op).dtypes == PointwiseClass::Select ? kBool : args.compute;
}

// A power with one of these exponents throughout, as PyTorch computes it.
PointwiseArgs with_simple_power(const PointwiseArgs& args) {
  PointwiseArgs simple = args;
  const double exponent = args.operands[2].scalar.real;
  const bool floating = args.compute != kInt64;
  if (exponent == 2) {
    simple.op = Pointwise::square;
  } else if (floating && exponent == 0.5) {
    simple.op = Pointwise::sqrt;
  } else if (floating && exponent == -1) {
    simple.op = Pointwise::reciprocal;
  } else if (floating && exponent == -0.5) {
    simple.op = Pointwise::rsqrt;
  } else {
    return simple;
  }
  simple.inputs = 1;
  return simple;
}

struct Inputs {
  const void* data[kMaxInputs];
  int64_t step[kMaxInputs];
  KernelValue value[kMaxInputs];
};

// An output of this size and more does not stay in any cache: it is written past them, which saves reading it
// first.
constexpr int64_t kStreamBytes = int64_t{32} << 20;

// dst and bytes are multiples of 16.
void stream_out(const std::byte* src, std::byte* dst, int64_t bytes) {
#if defined(__SSE2__)
  for (int64_t i = 0; i < bytes; i += 16)
    _mm_stream_si128(reinterpret_cast<__m128i*>(dst + i),
                     _mm_load_si128(reinterpret_cast<const __m128i*>(src + i)));
#else
  std::memcpy(dst, src, static_cast<size_t>(bytes));
#endif
}

// One stretch of a huge call: in blocks that are computed in the L1 cache and streamed out from there.
void stream(PointwiseLoop loop, int64_t n, int inputs, const Inputs& in, std::byte* out, int64_t item,
            const KernelScalar* params) {
  alignas(64) std::byte block[8192];
  const int64_t whole = static_cast<int64_t>(sizeof(block)) / item;
  const void* data[kMaxInputs];
  for (int k = 0; k < inputs; ++k) data[k] = in.data[k];
  for (int64_t i = 0; i < n; i += whole) {
    const int64_t m = std::min(whole, n - i);
    if (m == whole) {
      loop(m, data, in.step, block, params);
      stream_out(block, out + i * item, m * item);
    } else {
      loop(m, data, in.step, out + i * item, params);
    }
    for (int k = 0; k < inputs; ++k)
      data[k] = static_cast<const std::byte*>(data[k]) + whole * in.step[k] * item;
  }
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

bool streams_out(const PointwiseArgs& args) {
#if defined(__SSE2__)
  const PointwiseArgs::Operand& out = args.operands[0];
  if (args.numel * static_cast<int64_t>(item_size(out.dtype)) < kStreamBytes) return false;
  if (out.dtype != args.compute || reinterpret_cast<uintptr_t>(out.data) % 16 != 0) return false;
  if (pointwise_info(args.op).dtypes == PointwiseClass::Select) return false;
  for (int k = 1; k <= args.inputs; ++k)
    if (args.operands[k].data == out.data) return false;  // in place, it is read anyway
  return true;
#else
  (void)args;
  return false;
#endif
}

void direct(const PointwiseArgs& args, PointwiseLoop loop) {
  Inputs in;
  for (int k = 0; k < args.inputs; ++k) {
    const PointwiseArgs::Operand& o = args.operands[k + 1];
    in.data[k] = o.data;
    in.step[k] = 1;
    if (!o.data) {
      in.value[k] = kernel_value(o.scalar, input_type(args, k));
      in.data[k] = &in.value[k];
      in.step[k] = 0;
    }
  }
  const PointwiseArgs::Operand& out = args.operands[0];
  if (TAPIR_LIKELY(args.numel <= 4096)) return loop(args.numel, in.data, in.step, out.data, args.params);
  const bool streaming = streams_out(args);
  parallel_for(0, args.numel, grain_of(args), [&](int64_t begin, int64_t end) {
    Inputs part = in;
    for (int k = 0; k < args.inputs; ++k)
      part.data[k] = static_cast<const std::byte*>(in.data[k]) +
                     begin * in.step[k] * static_cast<int64_t>(item_size(input_type(args, k)));
    const auto item = static_cast<int64_t>(item_size(out.dtype));
    std::byte* to = static_cast<std::byte*>(out.data) + begin * item;
    if (streaming) {
      stream(loop, end - begin, args.inputs, part, to, item, args.params);
    } else {
      loop(end - begin, part.data, in.step, to, args.params);
    }
  });
}

struct Stream {  // an operand as the walker sees it
  std::byte* data;
  const int64_t* strides;
  Conversion convert;  // from the stored to the wanted dtype; for the output, the reverse
  int64_t item;        // bytes per element, as stored
  bool converts, dense;
};

struct Walk {
  const PointwiseArgs& args;
  PointwiseLoop loop;
  int ndim;
  const int64_t* sizes;
  bool all_dense;
  bool by_rows;  // blocks are parts of rows; otherwise runs of elements across rows
  int64_t inner, blocks_per_row, blocks;
  Stream streams[kMaxPointwiseOperands];
  Inputs fixed;  // operands that are one element throughout have step 0

  void run(int64_t first, int64_t last) const;
};

struct Buffers {
  alignas(64) std::byte raw[kBlock * 8];
  alignas(64) std::byte wanted[kBlock * 8];
};

void Walk::run(int64_t first, int64_t last) const {
  Buffers buffers[kMaxPointwiseOperands];
  int64_t index[kMaxDims];
  for (int64_t b = first; b < last; ++b) {
    int64_t start, n;
    if (by_rows) {
      const int64_t row = blocks_per_row == 1 ? b : b / blocks_per_row;
      const int64_t at = (b - row * blocks_per_row) * kBlock;
      start = row * inner + at;
      n = std::min(kBlock, inner - at);
    } else {
      start = b * kBlock;
      n = std::min(kBlock, args.numel - start);
    }
    if (!all_dense) unravel(start, ndim, sizes, index);
    const void* data[kMaxInputs];
    int64_t step[kMaxInputs];
    for (int k = 0; k < args.inputs; ++k) {
      step[k] = fixed.step[k];
      if (step[k] == 0) {
        data[k] = &fixed.value[k];
        continue;
      }
      const Stream& s = streams[k + 1];
      Buffers& buffer = buffers[k + 1];
      const std::byte* from;
      int64_t count = n;
      if (s.dense) {
        from = s.data + start * s.item;
      } else if (by_rows && s.strides[ndim - 1] <= 1 && s.strides[ndim - 1] >= 0) {
        from = s.data + offset_of(ndim, index, s.strides) * s.item;
        if (s.strides[ndim - 1] == 0) {
          step[k] = 0;
          count = 1;
        }
      } else {
        gather_block(static_cast<size_t>(s.item), s.data, ndim, sizes, s.strides, index, n, buffer.raw);
        from = buffer.raw;
      }
      if (s.converts) {
        s.convert(count, from, buffer.wanted);
        from = buffer.wanted;
      }
      data[k] = from;
    }
    const Stream& s = streams[0];
    std::byte* to = nullptr;
    if (s.dense) {
      to = s.data + start * s.item;
    } else if (by_rows && s.strides[ndim - 1] == 1) {
      to = s.data + offset_of(ndim, index, s.strides) * s.item;
    }
    if (to && !s.converts) {
      loop(n, data, step, to, args.params);
      continue;
    }
    loop(n, data, step, buffers[0].wanted, args.params);
    const std::byte* result = buffers[0].wanted;
    if (s.converts) {
      s.convert(n, result, to ? to : buffers[0].raw);
      result = buffers[0].raw;
    }
    if (!to) scatter_block(static_cast<size_t>(s.item), s.data, ndim, sizes, s.strides, index, n, result);
  }
}

TAPIR_NOINLINE void general(const PointwiseArgs& args, PointwiseLoop loop) {
  static constexpr int64_t kUnit[] = {1};
  Walk w{args,
         loop,
         args.contiguous ? 1 : args.ndim,
         args.contiguous ? &args.numel : args.sizes,
         true,
         false,
         0,
         0,
         0,
         {},
         {}};
  w.inner = w.sizes[w.ndim - 1];
  for (int k = 0; k <= args.inputs; ++k) {
    const PointwiseArgs::Operand& o = args.operands[k];
    const DType wanted = k == 0 ? output_type(args) : input_type(args, k - 1);
    Stream& s = w.streams[k];
    if (k > 0) {
      w.fixed.step[k - 1] = 1;
      if (!o.data) {
        w.fixed.step[k - 1] = 0;
        w.fixed.value[k - 1] = kernel_value(o.scalar, wanted);
        continue;
      }
    }
    s.data = static_cast<std::byte*>(o.data);
    s.strides = args.contiguous ? kUnit : o.strides;
    s.item = static_cast<int64_t>(item_size(o.dtype));
    s.converts = o.dtype != wanted;
    if (s.converts) s.convert = k == 0 ? conversion(wanted, o.dtype) : conversion(o.dtype, wanted);
    if (k > 0 && std::all_of(s.strides, s.strides + w.ndim, [](int64_t x) { return x == 0; })) {
      w.fixed.step[k - 1] = 0;
      if (s.converts) {
        s.convert(1, s.data, &w.fixed.value[k - 1]);
      } else {
        std::memcpy(&w.fixed.value[k - 1], s.data, static_cast<size_t>(s.item));
      }
      continue;
    }
    s.dense = args.contiguous || is_dense(w.ndim, w.sizes, s.strides);
    w.all_dense = w.all_dense && s.dense;
  }
  w.by_rows = !w.all_dense && w.inner >= 64;
  if (w.by_rows) {
    w.blocks_per_row = (w.inner + kBlock - 1) / kBlock;
    w.blocks = args.numel / w.inner * w.blocks_per_row;
  } else {
    w.blocks = (args.numel + kBlock - 1) / kBlock;
  }
  if (args.numel <= 4096) return w.run(0, w.blocks);
  const int64_t elements = std::max<int64_t>(1, args.numel / w.blocks);
  parallel_for(0, w.blocks, std::max<int64_t>(1, grain_of(args) / (2 * elements)),
               [&](int64_t first, int64_t last) { w.run(first, last); });
}

}  // namespace

void pointwise(const PointwiseArgs& args) {
  if (TAPIR_UNLIKELY(args.numel == 0)) return;
  if (TAPIR_UNLIKELY(args.op == Pointwise::pow && !args.operands[2].data)) {
    const PointwiseArgs simple = with_simple_power(args);
    if (simple.op != args.op) return pointwise(simple);
  }
  const PointwiseLoop loop = loop_of(args);
  if (TAPIR_LIKELY(args.direct)) {
    direct(args, loop);
  } else {
    general(args, loop);
  }
}

}  // namespace tapir::cpu
