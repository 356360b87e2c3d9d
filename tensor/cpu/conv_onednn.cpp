#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tapir/tensor/cpu/conv.h"
#include "tapir/tensor/cpu/gemm_kernels.h"
#include "tapir/tensor/cpu/one_thread.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/storage.h"

// Note [Convolution in pieces]
//
// oneDNN's fast kernels want their arrays in layouts of their own. Turning whole arrays into those costs as
// much memory traffic as the convolution itself, so the work is cut into pieces of a few samples: a thread
// turns the piece it is about to use, which stays in its second-level cache, runs the kernel, and turns the
// result. Where there are too few samples to go round, the channels are cut too. oneDNN itself runs on one
// thread. How the work is cut depends on the sizes alone, and so does every sum.

namespace tapir::cpu {

namespace {

using dnnl::memory;
using Sizes = memory::dims;

constexpr int64_t kPieceBytes = 1 << 20;    // of x and y that a thread turns at a time
constexpr int64_t kManyPieces = 8;          // from here on, the channels need not be cut
constexpr int64_t kSlice = 32;              // channels at least
constexpr int64_t kPartialBytes = 4 << 20;  // of weight gradients that wait to be summed

const dnnl::engine& engine() {
  static const auto* const e = new dnnl::engine(dnnl::engine::kind::cpu, 0);  // outlives the user's statics
  return *e;
}
dnnl::stream& stream() {
  static thread_local dnnl::stream s(engine());
  return s;
}

/// The part of a convolution that one call of a primitive does: a ConvArgs of fewer samples and channels, and
/// how far samples of x and y, and output channels of w, lie apart in the whole arrays.
struct Piece {
  ConvArgs a;
  int64_t x_step, y_step, w_step;

  using Key = std::array<int64_t, 28>;
  Key key() const {
    Key k{};
    size_t i = 0;
    for (const int64_t v : {static_cast<int64_t>(a.op), a.batch, a.groups, a.in_channels, a.out_channels,
                            x_step, y_step, w_step, static_cast<int64_t>(a.bias != nullptr)})
      k[i++] = v;
    for (const auto* v : {&a.in, &a.kernel, &a.out, &a.stride, &a.padding, &a.dilation})
      for (const int64_t n : *v) k[i++] = n;
    return k;
  }
};
struct KeyHash {
  size_t operator()(const Piece::Key& k) const {
    uint64_t h = 14695981039346656037ULL;
    for (const int64_t v : k) h = (h ^ static_cast<uint64_t>(v)) * 1099511628211ULL;
    return static_cast<size_t>(h ^ (h >> 32));
  }
};

/// An array in the user's layout and in the kernel's, and the way between them.
struct Operand {
  memory::desc user, inner;
  dnnl::reorder turn;  ///< empty where the layouts are the same
  size_t scratch = 0;
  bool turns() const { return user != inner; }
  int64_t floats() const { return turns() ? static_cast<int64_t>((inner.get_size() + 63) / 64 * 16) : 0; }
};

/// A primitive with its operands, made once for each kind of piece.
struct Kernel {
  dnnl::primitive primitive;
  Operand x, w, y;
  memory::desc bias;
  int64_t scratch = 0;  ///< bytes
};

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

void connect(Operand& o, const memory::desc& user, const memory::desc& inner, bool written) {
  o.user = user;
  o.inner = inner;
  if (!o.turns()) return;
  const dnnl::reorder::primitive_desc pd(engine(), written ? inner : user, engine(), written ? user : inner,
                                         attributes());
  o.turn = dnnl::reorder(pd);
  o.scratch = pd.scratchpad_desc().get_size();
}

/// The spatial dimensions that oneDNN is told of: those of size 1 in front are left out.
size_t leading_ones(const ConvArgs& a) {
  size_t d = 0;
  while (d < kMaxSpatial - 1 && a.in[d] == 1 && a.kernel[d] == 1 && a.out[d] == 1 && a.padding[d] == 0) ++d;
  return d;
}

/// A dense layout but for the distance between samples.
memory::desc plain(Sizes sizes, int64_t step) {
  Sizes strides(sizes.size());
  int64_t n = 1;
  for (size_t i = sizes.size(); i-- > 1; n *= sizes[i]) strides[i] = n;
  strides[0] = step;
  return memory::desc(sizes, memory::data_type::f32, strides);
}
memory::desc any(const memory::desc& like) {
  return memory::desc(like.dims(), memory::data_type::f32, memory::format_tag::any);
}

std::unique_ptr<Kernel> make_kernel(const Piece& p, dnnl::algorithm how) {
  using dnnl::prop_kind;
  const ConvArgs& a = p.a;
  const size_t skip = leading_ones(a);
  Sizes x{a.batch, a.in_channels}, y{a.batch, a.out_channels}, w, stride, dilation, before, after;
  if (a.groups > 1) w.push_back(a.groups);
  w.push_back(a.out_channels / a.groups);
  w.push_back(a.in_channels / a.groups);
  for (size_t d = skip; d < kMaxSpatial; ++d) {
    x.push_back(a.in[d]);
    w.push_back(a.kernel[d]);
    y.push_back(a.out[d]);
    stride.push_back(a.stride[d]);
    dilation.push_back(a.dilation[d] - 1);
    before.push_back(a.padding[d]);
    after.push_back((a.out[d] - 1) * a.stride[d] + (a.kernel[d] - 1) * a.dilation[d] + 1 - a.in[d] -
                    a.padding[d]);
  }
  auto kernel = std::make_unique<Kernel>();
  Kernel& k = *kernel;
  const memory::desc user_x = plain(x, p.x_step), user_y = plain(y, p.y_step);
  Sizes w_strides(w.size());
  {
    int64_t n = 1;
    const size_t o = a.groups > 1 ? 1 : 0;
    for (size_t i = w.size(); i-- > o + 1; n *= w[i]) w_strides[i] = n;
    w_strides[o] = p.w_step;
    if (o) w_strides[0] = p.w_step * w[o];
  }
  const memory::desc user_w(w, memory::data_type::f32, w_strides);
  if (a.bias) k.bias = memory::desc({a.out_channels}, memory::data_type::f32, memory::format_tag::a);
  const memory::desc ax = any(user_x), aw = any(user_w), ay = any(user_y);
  const auto attr = attributes();
  bool fast = false;
  const auto finish = [&](const auto& pd, const memory::desc& ix, const memory::desc& iw,
                          const memory::desc& iy) {
    connect(k.x, user_x, ix, a.op == Conv::Data);
    connect(k.w, user_w, iw, a.op == Conv::Weight);
    connect(k.y, user_y, iy, a.op == Conv::Forward);
    fast = std::string_view(pd.impl_info_str()).find("ref") == std::string_view::npos;
    k.scratch = static_cast<int64_t>(std::max(
        {static_cast<size_t>(pd.scratchpad_desc().get_size()), k.x.scratch, k.w.scratch, k.y.scratch}));
  };
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::convolution_forward::primitive_desc forward(engine(), prop_kind::forward_training, how, ax, aw,
                                                          k.bias, ay, stride, dilation, before, after, attr);
#else
  using Forward = dnnl::convolution_forward;
  const auto described =
      a.bias ? Forward::desc(prop_kind::forward_training, how, ax, aw, k.bias, ay, stride, dilation, before,
                             after)
             : Forward::desc(prop_kind::forward_training, how, ax, aw, ay, stride, dilation, before, after);
  const Forward::primitive_desc forward(described, attr, engine());
#endif
  switch (a.op) {
    case Conv::Forward:
      k.primitive = dnnl::convolution_forward(forward);
      finish(forward, forward.src_desc(), forward.weights_desc(), forward.dst_desc());
      break;
    case Conv::Data: {
      using Data = dnnl::convolution_backward_data;
#if DNNL_VERSION_MAJOR >= 3
      const Data::primitive_desc pd(engine(), how, ax, aw, ay, stride, dilation, before, after, forward,
                                    attr);
#else
      const Data::primitive_desc pd(Data::desc(how, ax, aw, ay, stride, dilation, before, after), attr,
                                    engine(), forward);
#endif
      k.primitive = Data(pd);
      finish(pd, pd.diff_src_desc(), pd.weights_desc(), pd.diff_dst_desc());
      break;
    }
    case Conv::Weight: {
      using Weight = dnnl::convolution_backward_weights;
#if DNNL_VERSION_MAJOR >= 3
      const Weight::primitive_desc pd(engine(), how, ax, aw, k.bias, ay, stride, dilation, before, after,
                                      forward, attr);
#else
      const auto desc = a.bias ? Weight::desc(how, ax, aw, k.bias, ay, stride, dilation, before, after)
                               : Weight::desc(how, ax, aw, ay, stride, dilation, before, after);
      const Weight::primitive_desc pd(desc, attr, engine(), forward);
#endif
      k.primitive = Weight(pd);
      finish(pd, pd.src_desc(), pd.diff_weights_desc(), pd.diff_dst_desc());
      break;
    }
  }
  if (!fast) kernel.reset();
  return kernel;
}

/// Whether Winograd's minimal filtering (Lavin and Gray 2016) pays: less than half of the multiplications for
/// a kernel of 3 x 3, at four to eight times the rounding error.
bool winograd_pays(const ConvArgs& a) {
  constexpr int64_t kChannels = 32, kPlaces = 14 * 14;
  for (const auto* v : {&a.stride, &a.dilation})
    if ((*v)[1] != 1 || (*v)[2] != 1) return false;
  return a.groups == 1 && a.in[0] == 1 && a.kernel[0] == 1 && a.kernel[1] == 3 && a.kernel[2] == 3 &&
         a.in_channels >= kChannels && a.out_channels >= kChannels && a.out[1] * a.out[2] >= kPlaces;
}

/// The kernel for a kind of piece, made at its first use; null where oneDNN has none.
std::shared_ptr<const Kernel> kernel_for(const Piece& p) {
  using Cache = std::unordered_map<Piece::Key, std::shared_ptr<const Kernel>, KeyHash>;
  constexpr size_t kMost = 1024;
  static auto* const cache = new Cache;
  static auto* const mutex = new std::mutex;
  const Piece::Key key = p.key();
  {
    const std::lock_guard lock(*mutex);
    if (const auto it = cache->find(key); it != cache->end()) return it->second;
  }
  std::shared_ptr<const Kernel> kernel;
  for (const auto how : {dnnl::algorithm::convolution_winograd, dnnl::algorithm::convolution_direct}) {
    if (kernel || (how == dnnl::algorithm::convolution_winograd && !winograd_pays(p.a))) continue;
    try {
      const OneThread one;
      kernel = make_kernel(p, how);
    } catch (const dnnl::error&) {
      // No kernel for these sizes, which is remembered too.
    }
  }
  const std::lock_guard lock(*mutex);
  if (cache->size() >= kMost) cache->clear();
  return cache->emplace(key, std::move(kernel)).first->second;
}

/// Memory that the caller's thread has used last, of `floats` elements.
class Scratch {
 public:
  explicit Scratch(int64_t floats)
      : storage_(StorageImpl::make(static_cast<size_t>(floats) * sizeof(float), kCPU)),
        next_(reinterpret_cast<float*>(storage_->data())) {}
  float* take(int64_t floats) { return std::exchange(next_, next_ + floats); }

 private:
  Ref<StorageImpl> storage_;
  float* next_;
};

int64_t to_floats(int64_t bytes) { return (bytes + 63) / 64 * 16; }

/// Runs pieces; each thread has its own.
class Runner {
 public:
  explicit Runner(const Kernel& k) : k_(k), scratch_(static_cast<float*>(detail::scratch(k.scratch))) {}

  void turn(const Operand& o, float* from, float* to, bool written) {
    memory a(written ? o.inner : o.user, engine(), from), b(written ? o.user : o.inner, engine(), to);
    std::unordered_map<int, memory> args{{DNNL_ARG_FROM, a}, {DNNL_ARG_TO, b}};
    if (o.scratch) args.emplace(DNNL_ARG_SCRATCHPAD, scratch(static_cast<int64_t>(o.scratch)));
    o.turn.execute(stream(), args);
  }
  /// On arrays in the kernel's layouts.
  void run(Conv op, float* x, float* w, float* y, float* bias) {
    const bool grad_x = op == Conv::Data, grad_w = op == Conv::Weight, grad_y = op != Conv::Forward;
    std::unordered_map<int, memory> args{
        {grad_x ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, memory(k_.x.inner, engine(), x)},
        {grad_w ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, memory(k_.w.inner, engine(), w)},
        {grad_y ? DNNL_ARG_DIFF_DST : DNNL_ARG_DST, memory(k_.y.inner, engine(), y)}};
    if (bias) args.emplace(grad_w ? DNNL_ARG_DIFF_BIAS : DNNL_ARG_BIAS, memory(k_.bias, engine(), bias));
    if (k_.scratch) args.emplace(DNNL_ARG_SCRATCHPAD, scratch(k_.scratch));
    k_.primitive.execute(stream(), args);
  }

 private:
  memory scratch(int64_t bytes) {
    return memory(memory::desc({bytes}, memory::data_type::u8, memory::format_tag::a), engine(), scratch_);
  }
  const Kernel& k_;
  float* scratch_;
};

/// The largest divisor of n that is at most `most`.
int64_t divisor(int64_t n, int64_t most) {
  int64_t d = std::clamp<int64_t>(most, 1, n);
  while (n % d != 0) --d;
  return d;
}

/// Into how many slices of equal size the channels are cut so that there are `wanted`, if that leaves enough.
int64_t slices_of(int64_t channels, int64_t wanted) {
  const int64_t slices = divisor(std::max<int64_t>(1, channels / kSlice), wanted);
  return channels % slices == 0 ? slices : 1;
}

struct Arrays {
  float *x, *w, *y, *bias;
};

/// Forward and Data: pieces of `piece.a.batch` samples and of one slice of the channels that are written.
bool run_samples(const ConvArgs& a) {
  const int64_t x_size = a.in_channels * volume(a.in), y_size = a.out_channels * volume(a.out),
                w_row = a.in_channels / a.groups * volume(a.kernel),
                sample = (x_size + y_size) * static_cast<int64_t>(sizeof(float));
  // A kernel that does not stay in the cache beside a piece is read once, for all samples.
  const bool large = w_row * a.out_channels * static_cast<int64_t>(sizeof(float)) > kPieceBytes;
  const int64_t samples =
      large ? a.batch
            : divisor(a.batch, std::min(kPieceBytes / std::max<int64_t>(1, sample), a.batch / kManyPieces));
  const int64_t blocks = a.batch / samples;
  // With one group the written channels are cut, with several the groups.
  const bool forward = a.op == Conv::Forward;
  const int64_t written = forward ? a.out_channels : a.in_channels;
  int64_t slices = blocks >= kManyPieces ? 1 : slices_of(written, kManyPieces);
  if (a.groups > 1 && a.groups % slices != 0) slices = 1;

  Piece p{a, x_size, y_size, w_row};
  p.a.batch = samples;
  const bool both = a.groups > 1;  // x and y are cut
  if (both) p.a.groups = a.groups / slices;
  if (forward || both) p.a.out_channels = a.out_channels / slices;
  if (!forward || both) p.a.in_channels = a.in_channels / slices;
  const std::shared_ptr<const Kernel> kernel = kernel_for(p);
  if (!kernel) return false;
  const Kernel& k = *kernel;

  const int64_t x_slice = p.a.in_channels * volume(a.in), y_slice = p.a.out_channels * volume(a.out),
                w_slice = both || forward ? p.a.out_channels * w_row : p.a.in_channels * volume(a.kernel);
  const Operand &in = forward ? k.x : k.y, &out = forward ? k.y : k.x;
  // What is read is turned once for all slices, unless each reads a part of its own.
  const bool shared = slices > 1 && !both && in.turns();
  Scratch weights(k.w.floats() * slices), inputs(shared ? in.floats() * blocks : 0);
  float* const turned_w = weights.take(0);
  float* const turned_in = inputs.take(0);
  const Arrays all{static_cast<float*>(a.x), static_cast<float*>(a.w), static_cast<float*>(a.y),
                   static_cast<float*>(a.bias)};
  float* const read = forward ? all.x : all.y;
  const int64_t read_size = forward ? x_size : y_size;
  const int64_t preparations = (k.w.turns() ? slices : 0) + (shared ? blocks : 0);
  parallel_for(0, preparations, 1, [&](int64_t lo, int64_t hi) {
    const OneThread one;
    Runner runner(k);
    for (int64_t i = lo; i < hi; ++i) {
      const int64_t s = k.w.turns() ? i : slices + i, b = s - slices;
      if (s < slices)
        runner.turn(k.w, all.w + s * w_slice, turned_w + s * k.w.floats(), false);
      else
        runner.turn(in, read + b * samples * read_size, turned_in + b * in.floats(), false);
    }
  });
  parallel_for(0, blocks * slices, 1, [&](int64_t lo, int64_t hi) {
    const OneThread one;
    Runner runner(k);
    Scratch own((shared ? 0 : in.floats()) + out.floats());
    float* const own_in = own.take(shared ? 0 : in.floats());
    float* const own_out = own.take(0);
    for (int64_t i = lo; i < hi; ++i) {
      const int64_t b = i / slices, s = i % slices;
      float* const x = all.x + b * samples * x_size + (both || !forward ? s * x_slice : 0);
      float* const y = all.y + b * samples * y_size + (both || forward ? s * y_slice : 0);
      float* from = forward ? x : y;
      if (shared) {
        from = turned_in + b * in.floats();
      } else if (in.turns()) {
        runner.turn(in, from, own_in, false);
        from = own_in;
      }
      float* const to = forward ? y : x;
      float* const result = out.turns() ? own_out : to;
      float* const w = k.w.turns() ? turned_w + s * k.w.floats() : all.w + s * w_slice;
      runner.run(a.op, forward ? from : result, w, forward ? result : from,
                 all.bias ? all.bias + s * p.a.out_channels : nullptr);
      if (out.turns()) runner.turn(out, result, to, true);
    }
  });
  return true;
}

/// Weight: small kernels sum pieces of the batch, each for itself, and then those; large ones are cut by
/// output channels.
bool run_weight(const ConvArgs& a) {
  const int64_t x_size = a.in_channels * volume(a.in), y_size = a.out_channels * volume(a.out),
                w_row = a.in_channels / a.groups * volume(a.kernel), w_size = a.out_channels * w_row,
                w_bytes = w_size * static_cast<int64_t>(sizeof(float));
  const int64_t pieces =
      divisor(a.batch, std::min(kManyPieces, kPartialBytes / std::max<int64_t>(1, w_bytes)));
  const int64_t slices = pieces > 1 || a.groups > 1 ? 1 : slices_of(a.out_channels, kManyPieces);
  const int64_t samples = a.batch / pieces;

  Piece p{a, x_size, y_size, w_row};
  p.a.batch = samples;
  p.a.out_channels = a.out_channels / slices;
  const std::shared_ptr<const Kernel> kernel = kernel_for(p);
  if (!kernel) return false;
  const Kernel& k = *kernel;

  const Arrays all{static_cast<float*>(a.x), static_cast<float*>(a.w), static_cast<float*>(a.y),
                   static_cast<float*>(a.bias)};
  const int64_t w_slice = p.a.out_channels * w_row, y_slice = p.a.out_channels * volume(a.out);
  const bool shared = slices > 1 && k.x.turns();
  Scratch inputs(shared ? k.x.floats() : 0);
  float* const turned_x = inputs.take(0);
  if (shared) {
    const OneThread one;
    Runner(k).turn(k.x, all.x, turned_x, false);
  }
  Scratch partials(pieces > 1 ? pieces * (to_floats(w_bytes) + to_floats(a.out_channels * 4)) : 0);
  float* const sums = partials.take(pieces > 1 ? pieces * to_floats(w_bytes) : 0);
  float* const bias_sums = partials.take(0);
  parallel_for(0, pieces * slices, 1, [&](int64_t lo, int64_t hi) {
    const OneThread one;
    Runner runner(k);
    Scratch own((shared ? 0 : k.x.floats()) + k.w.floats() + k.y.floats());
    float* const own_x = own.take(shared ? 0 : k.x.floats());
    float* const own_w = own.take(k.w.floats());
    float* const own_y = own.take(0);
    for (int64_t i = lo; i < hi; ++i) {
      const int64_t piece = i / slices, s = i % slices;
      float* x = all.x + piece * samples * x_size;
      float* y = all.y + piece * samples * y_size + s * y_slice;
      if (shared) {
        x = turned_x;
      } else if (k.x.turns()) {
        runner.turn(k.x, x, own_x, false);
        x = own_x;
      }
      if (k.y.turns()) {
        runner.turn(k.y, y, own_y, false);
        y = own_y;
      }
      float* const to = pieces > 1 ? sums + piece * to_floats(w_bytes) : all.w + s * w_slice;
      float* const bias = !all.bias    ? nullptr
                          : pieces > 1 ? bias_sums + piece * to_floats(a.out_channels * 4)
                                       : all.bias + s * p.a.out_channels;
      runner.run(a.op, x, k.w.turns() ? own_w : to, y, bias);
      if (k.w.turns()) runner.turn(k.w, own_w, to, true);
    }
  });
  if (pieces == 1) return true;
  const auto add_up = [&](const float* from, int64_t step, float* to, int64_t lo, int64_t hi) {
    std::copy(from + lo, from + hi, to + lo);
    for (int64_t q = 1; q < pieces; ++q)
      for (int64_t i = lo; i < hi; ++i) to[i] += from[q * step + i];
  };
  parallel_for(0, w_size, 1 << 14,
               [&](int64_t lo, int64_t hi) { add_up(sums, to_floats(w_bytes), all.w, lo, hi); });
  if (all.bias) add_up(bias_sums, to_floats(a.out_channels * 4), all.bias, 0, a.out_channels);
  return true;
}

}  // namespace

bool conv_onednn(const ConvArgs& a) { return a.op == Conv::Weight ? run_weight(a) : run_samples(a); }

}  // namespace tapir::cpu
