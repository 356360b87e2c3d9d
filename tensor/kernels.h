// The kernel table: one typed function pointer per kernel, one table per device. Kernels get checked
// arguments and know nothing of Tensor; tensor/ops/ checks, allocates and calls them.
#pragma once

#include <cstdint>

#include "tapir/tensor/array_ref.h"
#include "tapir/tensor/device.h"
#include "tapir/tensor/dtype.h"
#include "tapir/tensor/rnn_mode.h"

namespace tapir {

/// The pointwise kernels, in the order of pointwise.def.
enum class Pointwise : uint16_t {
#define TAPIR_UNARY(name, ...) name,
#define TAPIR_PREDICATE(name, ...) name,
#define TAPIR_BINARY(name, ...) name,
#define TAPIR_KERNEL(name, ...) name,
#include "tapir/tensor/pointwise.def"
  kCount
};
inline constexpr int kPointwiseCount = static_cast<int>(Pointwise::kCount);

/// What a row of pointwise.def computes in and gives; see there.
enum class PointwiseClass : uint8_t { Floating, Numeric, Compare, Integral, Logical, Select };

struct PointwiseInfo {
  const char* name;
  const char* in_place;  ///< "mul_"
  uint8_t arity;
  PointwiseClass dtypes;
};
inline constexpr PointwiseInfo kPointwiseInfo[] = {
#define TAPIR_UNARY(name, functor, dtypes) {#name, #name "_", 1, PointwiseClass::dtypes},
#define TAPIR_PREDICATE(name, functor, dtypes) {#name, #name "_", 1, PointwiseClass::dtypes},
#define TAPIR_BINARY(name, functor, dtypes) {#name, #name "_", 2, PointwiseClass::dtypes},
#define TAPIR_KERNEL(name, functor, arity, dtypes) {#name, #name "_", arity, PointwiseClass::dtypes},
#include "tapir/tensor/pointwise.def"
};
/// Row of the table for error messages, dtype rules and tests.
constexpr const PointwiseInfo& pointwise_info(Pointwise op) { return kPointwiseInfo[static_cast<int>(op)]; }

/// A number given to a kernel, in both kinds.
struct KernelScalar {
  double real;
  int64_t integer;
};

inline constexpr int kMaxPointwiseOperands = 4;  ///< the output and up to three inputs
inline constexpr int kMaxPointwiseParams = 3;

/// A pointwise call. Operand 0 is the output. Either `contiguous`: every operand is a dense run of `numel`
/// elements or a scalar; or strided: sizes and strides hold the iteration space, outermost first, dimensions
/// merged where possible.
struct PointwiseArgs {
  struct Operand {
    void* data;                 ///< null for a scalar
    DType dtype;                ///< as stored; converted to `compute` on load, from it on store
    KernelScalar scalar;        ///< the value of an operand without data
    int64_t strides[kMaxDims];  ///< in elements; set where !contiguous
  };
  Pointwise op;
  DType compute;  ///< kFloat32, kFloat64 or kInt64
  uint8_t inputs;
  bool contiguous;
  /// contiguous, and every operand with data is stored in `compute` (the output may be bool for Compare and
  /// Logical)
  bool direct;
  int ndim;
  int64_t numel;
  KernelScalar params[kMaxPointwiseParams];
  int64_t sizes[kMaxDims];
  Operand operands[kMaxPointwiseOperands];
};

/// dst[i] = cast(src[i]) over an iteration space as in PointwiseArgs (merged, outermost first; strides in
/// elements).
struct CopyArgs {
  void* dst;
  const void* src;
  DType dst_dtype, src_dtype;
  int ndim;
  int64_t numel;
  int64_t sizes[kMaxDims];
  int64_t dst_strides[kMaxDims];
  int64_t src_strides[kMaxDims];
};

enum class Reduction : uint8_t {
  Sum,
  Prod,
  Max,
  Min,
  ArgMax,
  ArgMin,
  MaxIndex,
  MinIndex,
  LogSumExp,
  All,
  Any,
  NormTwo
};

/// Reduces a contiguous (outer, reduced, inner) array over its middle dimension into a contiguous (outer,
/// inner) one. MaxIndex and MinIndex write the value to `out` and its first index to `indices`; NaN wins.
/// Sums accumulate half types in float, and floats in a blocked order whose error grows with log n. `scale`
/// multiplies a sum (mean: 1/n).
struct ReduceArgs {
  Reduction op;
  const void* in;
  DType dtype;  ///< of `in`
  void* out;
  DType out_dtype;  ///< Sum, Prod: the dtype it is asked in; ArgMax, ArgMin: kInt64; All, Any: kBool; else as
                    ///< dtype
  int64_t* indices;
  int64_t outer, reduced, inner;
  double scale;
};

/// *out = scale times the sum over all elements of a pointwise call that is `direct`, of kFloat32 or
/// kFloat64; operand 0 is left out: the values are never held whole.
struct PointwiseSumArgs {
  const PointwiseArgs& call;
  void* out;  ///< one value of call.compute
  double scale;
};

/// Softmax over the middle dimension of a contiguous (outer, n, inner) array of a floating dtype; in may
/// equal out.
struct SoftmaxArgs {
  bool log;  ///< the logarithm of the softmax
  DType dtype;
  const void* in;
  void* out;
  int64_t outer, n, inner;
};
/// grad_in = softmax: y * (g - sum(g * y)); log: g - exp(y) * sum(g)
struct SoftmaxBackwardArgs {
  bool log;
  DType dtype;
  const void* grad_out;
  const void* out;  ///< the result of the forward
  void* grad_in;
  int64_t outer, n, inner;
};

/// Cross-entropy of logits with class indices, fused: log_softmax and nll_loss over (n, classes), both
/// contiguous.
///   losses[i] = -weight[target[i]] * log_softmax(logits)[i][target[i]], 0 where target[i] == ignore_index
/// with label smoothing as PyTorch defines it. `log_probs` receives the log-softmax where not null.
/// Returns through *bad_row the first row with a target outside [0, classes), or -1.
struct CrossEntropyArgs {
  DType dtype;
  const void* logits;
  const int64_t* targets;
  const void* weight;  ///< per class, of `dtype`, or null
  void* losses;        ///< (n)
  void* log_probs;     ///< (n, classes)
  double* weight_sum;  ///< sum of weight[target[i]] over rows that are not ignored
  int64_t* bad_row;
  int64_t n, classes, ignore_index;
  double label_smoothing;
};
/// grad_logits[i][c] = g_i * w_i * (exp(log_probs[i][c]) - [c == target[i]]), g_i = grad[i * grad_stride] *
/// scale
struct CrossEntropyBackwardArgs {
  DType dtype;
  const void* grad;  ///< of `dtype`: one value (grad_stride 0) or one per row (1)
  int64_t grad_stride;
  double scale;
  const void* log_probs;
  const int64_t* targets;
  const void* weight;
  void* grad_logits;
  int64_t n, classes, ignore_index;
  double label_smoothing;
};

/// out[i] = src[index[i]] in rows of `row` elements of any dtype (index_select along a dimension of a
/// contiguous (outer, count, row) source; embedding with outer == 1). Indices were checked.
struct IndexRowsArgs {
  const void* src;
  const int64_t* index;
  void* out;
  size_t item;  ///< bytes per element
  int64_t outer, count, n, row;
};
/// dst[o][index[i]] = src[o][i], in ascending i: of several rows for one place the last stays.
struct PutRowsArgs {
  void* dst;
  const int64_t* index;
  const void* src;
  size_t item;
  int64_t outer, count, n, row;
};
/// dst[o][index[i]] += src[o][i], the transpose of IndexRows, in ascending i. `skip`: an index to leave out,
/// or -1. With `from` it is row from[i] of src (outer == 1), and with `factor` that row times factor[i].
struct AddRowsArgs {
  DType dtype;
  void* dst;
  const int64_t* index;
  const void* src;
  int64_t outer, count, n, row, skip;
  const int64_t* from = nullptr;
  const void* factor = nullptr;  ///< of `dtype`
};
/// out[i] = the sum over j of a[a_index[i]][j] * b[b_index[i]][j], rows of `row` elements of a floating
/// dtype.
struct DotRowsArgs {
  DType dtype;
  const void* a;
  const int64_t* a_index;
  const void* b;
  const int64_t* b_index;
  void* out;  ///< (n)
  int64_t n, row;
};
/// out[o][i][j] = src[o][index[o][i][j]][j] on contiguous (outer, count, inner) and (outer, n, inner) arrays
/// of the sizes that the op has brought together.
struct GatherArgs {
  DType dtype;
  const void* src;
  const int64_t* index;
  void* out;
  int64_t outer, count, n, inner;
};
/// How a scattered value meets the one in its place. Minimum and Maximum let NaN win.
enum class ScatterMode : uint8_t { Set, Add, Multiply, Minimum, Maximum };
/// The transpose of gather: dst[o][index[o][i][j]][j] meets src[o][i][j], in ascending i; Add may form sums
/// of parts first, which depend on the sizes alone. Where src is null, `value` stands for each of its
/// elements.
struct ScatterArgs {
  ScatterMode mode;
  DType dtype;
  void* dst;
  const int64_t* index;
  const void* src;
  KernelScalar value;
  int64_t outer, count, n, inner;
};

/// Mean and sum of squared deviations from it, over the middle dimension of a contiguous (outer, n, inner)
/// array of a floating dtype, by two passes in blocks that are merged as Chan, Golub and LeVeque do.
/// variance[o][j] = squares / (n - correction), its root where `root`; NaN or inf where that divides by zero.
struct MomentsArgs {
  DType dtype;
  const void* in;
  void* mean;      ///< (outer, inner), or null
  void* variance;  ///< (outer, inner)
  int64_t outer, n, inner;
  double correction;
  bool root;
};

enum class Scan : uint8_t { Sum, Prod, Max, Min, LogSumExp };
/// out[o][i][j] = in[o][0][j] op ... op in[o][i][j], contiguous (outer, n, inner) arrays of one dtype. Max
/// and Min write also the place of the last element that holds the value; NaN wins. LogSumExp: floating
/// dtypes.
struct ScanArgs {
  Scan op;
  DType dtype;
  const void* in;
  void* out;
  int64_t* indices;  ///< Max, Min
  int64_t outer, n, inner;
};

/// Sorts along the middle dimension of a contiguous (outer, n, inner) array: the first k values in order, and
/// the places they had. Equal values keep their order. NaN counts as larger than every number, and equals
/// itself.
struct SortArgs {
  DType dtype;
  const void* in;
  void* values;      ///< (outer, k, inner)
  int64_t* indices;  ///< (outer, k, inner)
  int64_t outer, n, inner, k;
  bool descending;
  bool in_order;  ///< false: the k values may come in any order
};
/// The k-th smallest (from 0) along the middle dimension, and a place where it is. NaN counts as above;
/// `nan_wins`: where there is one, it and its first place are the result.
/// `skip_nan`: k-th is the lower median of the numbers that are not NaN, whatever k.
struct SelectArgs {
  DType dtype;
  const void* in;
  void* values;      ///< (outer, inner)
  int64_t* indices;  ///< (outer, inner)
  int64_t outer, n, inner, k;
  bool nan_wins, skip_nan;
};

/// C = alpha * op(A) op(B) + beta * C + bias, row-major. beta == 0 does not read C. bias (n) or null.
struct GemmArgs {
  DType dtype;
  bool trans_a, trans_b;
  int64_t m, n, k;
  double alpha, beta;
  const void* a;
  int64_t lda;
  const void* b;
  int64_t ldb;
  void* c;
  int64_t ldc;
  const void* bias;
  // a batch of products, each `stride` elements from the last
  int64_t batch;
  int64_t stride_a, stride_b, stride_c;
};

/// What LAPACK does to each matrix of a batch. Matrices are column-major and dense, one after the other;
/// (rows, columns) are given for each.
enum class Lapack : uint8_t {
  Lu,        ///< a (m, n) = P L U in place, with `pivots` (min(m, n)), which count from 1
  LuSolve,   ///< b (n, k) = A^-1 b, with `transpose` A^-T b; a (n, n) and `pivots` as from Lu
  LogDet,    ///< s = sign of the determinant of a (n, n), b = log of its magnitude; a is overwritten
  Det,       ///< s = determinant of a (n, n); a is overwritten
  Cholesky,  ///< a (n, n) = L L^T from its lower triangle; the part above L becomes 0
  Qr,        ///< a (m, n): R on and above the diagonal, 0 below; b (m, k): the first columns of Q
  Svd,       ///< of a (m, n), overwritten: s descending, b = U, c = V^T, both of full size with `full`,
             ///< else (m, min) and (min, n); null b and c: s alone
  Eigh,      ///< of a (n, n), of which it reads the lower (`upper`: upper) triangle: s ascending, and
             ///< with `vectors` the eigenvectors as columns of a
  SolveTriangular,  ///< b (n, k) = A^-1 b for a (n, n), of which it reads one triangle
  LeastSquares      ///< b (max(m, n), k): its first n rows become argmin |A x - b|; a (m, n) is overwritten
};
/// How LeastSquares finds the rank: not at all (a has full rank), by QR with pivoting, or by singular values.
enum class LeastSquaresDriver : uint8_t { Gels, Gelsy, Gelsd, Gelss };
struct LapackArgs {
  Lapack op;
  DType dtype;  ///< kFloat32 or kFloat64
  int64_t batch, m, n, k;
  void* a;
  void* b = nullptr;
  void* c = nullptr;
  void* s = nullptr;
  int32_t* pivots = nullptr;
  /// Per matrix, 0 where all went well. Lu: i where U[i - 1][i - 1] is 0. Cholesky: i where the leading minor
  /// of order i is not positive. Svd, Eigh, LeastSquares: positive where it did not converge. Svd: negative
  /// where a value is not finite; LeastSquares and Eigh give NaN then.
  int32_t* info;
  bool upper = false, transpose = false, unit = false, full = false, vectors = false;
  LeastSquaresDriver driver = LeastSquaresDriver::Gelsy;
  double rcond = 0;
  int64_t* rank = nullptr;  ///< LeastSquares: per matrix, but for Gels
};

/// The pointwise part of a recurrent cell; gates lie as in PyTorch, each row (gates * hidden):
///   LSTM  i, f, g, o:  c' = sigmoid(f) c + sigmoid(i) tanh(g),  h' = sigmoid(o) tanh(c')
///   GRU   r, z, n:     h' = (1 - z) n + z h,  r, z = sigmoid(x + s),  n = tanh(x + r s),
///                      where x is the input's part of a gate and s the state's
///   else               h' = tanh or ReLU of the one gate
struct RnnCellArgs {
  RnnMode mode;
  DType dtype;
  void* gates;              ///< in: pre-activations; out: activations, which backward reads; may be h_out
                            ///< where the gate is h'
  const void* state_gates;  ///< GRU: the state's part of the pre-activations (gates holds the input's)
  const void* state;        ///< (batch, hidden): LSTM c, GRU h; else unused
  void* h_out;              ///< (batch, hidden)
  void* c_out;              ///< (batch, hidden): LSTM
  void* saved;              ///< (batch, hidden): LSTM tanh(c'), GRU the state's part of n; which backward
                            ///< reads; may be null
  int64_t batch, hidden;
};
struct RnnCellBackwardArgs {
  RnnMode mode;
  DType dtype;
  const void* gates;       ///< activations
  const void* saved;       ///< as the forward left it
  const void* state;       ///< as in the forward
  const void* grad_h;      ///< null: zeros
  const void* grad_c;      ///< LSTM; null: zeros
  void* grad_gates;        ///< (batch, gates * hidden), of the pre-activations; GRU: of the input's part
  void* grad_state_gates;  ///< GRU: of the state's part
  void* grad_state;        ///< (batch, hidden), or null: LSTM of c; GRU of h other than through the
                           ///< gates; else null
  bool add_grad_state;     ///< GRU: adds to grad_state, otherwise writes it
  int64_t batch, hidden;
};

/// The optimizers' updates; the formulas, with their states and factors, are in updates.def.
#define TAPIR_UPDATES(X) \
  X(Sgd) X(Adam) X(Adamax) X(NAdam) X(RAdam) X(Adagrad) X(Adadelta) X(RMSprop) X(Asgd) X(Rprop)
enum class Update : uint8_t {
#define TAPIR_UPDATE(Name) Name,
  TAPIR_UPDATES(TAPIR_UPDATE)
#undef TAPIR_UPDATE
};
inline constexpr int kMaxUpdateStates = 3, kMaxUpdateFactors = 8;

/// One parameter's part of an update: contiguous arrays of n elements of a floating dtype.
struct UpdateTensor {
  DType dtype;
  bool maximize = false;  ///< g = -grad, else g = grad
  bool flag = false;      ///< a choice that the formula has
  int64_t n;
  void* param;
  const void* grad;
  void* states[kMaxUpdateStates] = {};     ///< in the formula's order; null for one that is not in use
  double factors[kMaxUpdateFactors] = {};  ///< in the formula's order
  double weight_decay = 0;                 ///< g += weight_decay * param, before the formula
};
/// One formula over many parameters in one pass.
struct UpdateArgs {
  Update op;
  const UpdateTensor* tensors;
  int64_t count;
};

/// Normalises the rows of a contiguous (rows, n) array: y = (x - mean) * rstd * weight + bias with rstd = 1 /
/// sqrt(var + eps), var the mean of (x - mean)^2. Element j of row r takes entry ((r mod groups) * n + j) /
/// inner of weight and bias: layer norm has groups = inner = 1; group norm of (N, C, d...) has rows = N *
/// groups, inner the size of d.
struct RowNormArgs {
  DType dtype;
  const void* in;
  const void* weight;  ///< groups * n / inner values, or null
  const void* bias;    ///< the same
  void* out;
  void* mean;  ///< (rows), of `dtype`, float32 for half types
  void* rstd;
  int64_t rows, n, groups, inner;
  double eps;
};
/// Gradients of the above; those that are null are not wanted. Sums over rows are taken in a fixed order.
struct RowNormBackwardArgs {
  DType dtype;
  const void* grad_out;
  const void* in;
  const void* mean;
  const void* rstd;
  const void* weight;
  void* grad_in;
  void* grad_weight;
  void* grad_bias;
  int64_t rows, n, groups, inner;
};

/// Connectionist temporal classification (Graves et al. 2006) of log-probabilities (time, batch, classes),
/// contiguous. The target of batch b is targets[offsets[b] ...], target_lengths[b] classes other than
/// `blank`.
struct CtcArgs {
  DType dtype;  ///< kFloat32 or kFloat64
  const void* log_probs;
  const int64_t* targets;
  const int64_t* offsets;
  const int64_t* input_lengths;
  const int64_t* target_lengths;
  void* losses;       ///< (batch): -log p(target)
  double* log_alpha;  ///< (batch, time, 2 * longest + 1)
  int64_t time, batch, classes, longest, blank;
};
/// grad_in of log_probs for the gradient `grad` (batch) of the losses; with zero_infinity a target that
/// cannot be reached gives zeros.
struct CtcBackwardArgs {
  CtcArgs forward;
  const void* grad;
  void* grad_in;
  bool zero_infinity;
};

/// Scaled dot-product attention, out = dropout(softmax(q k^T * scale + mask)) v, for each of `batch` *
/// `heads` problems, by tiles and an online softmax: the scores are never held whole (Rabe and Staats 2021;
/// Dao et al. 2022).
struct AttentionArgs {
  DType dtype;    ///< kFloat32 or kFloat64
  const void* q;  ///< rows of `depth` values; q_strides: elements from one batch, head, row to the next
  const void* k;
  const void* v;  ///< rows of `width` values
  int64_t q_strides[3], k_strides[3], v_strides[3], out_strides[3];
  void* out;      ///< rows of `width` values
  void* log_sum;  ///< (batch, heads, queries): log of the sum of exp of a row's scores, which backward reads
  const void* mask;         ///< added to the scores, of `dtype`; or null
  int64_t mask_strides[4];  ///< of batch, head, query and key; 0 where it broadcasts
  const uint8_t* keep;      ///< (batch, heads, queries, keys), which weights dropout keeps; or null
  double keep_scale;        ///< what the kept ones are multiplied with
  bool causal;              ///< query i sees keys 0 to i only
  double scale;
  int64_t batch, heads, queries, keys, depth, width;
};
/// Gradients of the above, with the strides that are given beside them; grad_mask is contiguous (batch,
/// heads, queries, keys), or null.
struct AttentionBackwardArgs {
  AttentionArgs forward;
  const void* grad_out;
  void* grad_q;
  void* grad_k;
  void* grad_v;
  int64_t grad_out_strides[3], grad_q_strides[3], grad_k_strides[3], grad_v_strides[3];
  void* grad_mask;
};

inline constexpr int kMaxSpatial = 3;
/// Which of the three arrays of a convolution is computed from the other two.
enum class Conv : uint8_t {
  Forward,  ///< y = x * w + bias
  Data,     ///< x from y and w: the gradient of Forward by x, and the transposed convolution
  Weight    ///< w from x and y: the gradient by w; bias receives that by the bias
};
/// Convolution, as cross-correlation, of contiguous arrays:
///   y[n][o][p] = bias[o] + sum over c, k of x[n][c][p * stride - padding + k * dilation] * w[o][c][k]
/// x (batch, in_channels, in...), w (out_channels, in_channels / groups, kernel...), y (batch, out_channels,
/// out...); output channel o sees the input channels of its group alone. Spatial sizes stand at the end of
/// their arrays, 1 in front of them where there are fewer than three.
struct ConvArgs {
  Conv op;
  DType dtype;
  int64_t batch, groups, in_channels, out_channels;
  int64_t in[kMaxSpatial], kernel[kMaxSpatial], out[kMaxSpatial];
  int64_t stride[kMaxSpatial], padding[kMaxSpatial], dilation[kMaxSpatial];
  void *x, *w, *y;  ///< the one that `op` names is written
  void* bias;       ///< (out_channels), or null; Forward reads it, Weight writes it, Data knows none
};

/// y = B x along the middle dimension of a contiguous (outer, in, inner) array, into (outer, out, inner): row
/// p of B holds weights[offset[p]], ..., weights[offset[p + 1] - 1] from column begin[p] on, and zeros.
struct BandedArgs {
  DType dtype;
  const void* x;
  void* y;
  const int64_t* begin;   ///< (out)
  const int64_t* offset;  ///< (out + 1)
  const double* weights;
  int64_t outer, in, out, inner;
};

/// The largest element of each window of each plane of a contiguous (planes, in...) array, and its row-major
/// place in the plane; the first of equal ones, and NaN wins. The window at place p of dimension d holds
/// count[d][p] elements from begin[d][p] on, step[d] apart. `own_windows`: each plane has a begin of its own,
/// out[d] further on.
struct MaxPoolArgs {
  DType dtype;
  const void* x;
  void* y;
  int64_t* indices;
  int64_t planes;
  int64_t in[kMaxSpatial], out[kMaxSpatial], step[kMaxSpatial];
  const int64_t* begin[kMaxSpatial];
  const int64_t* count[kMaxSpatial];
  bool own_windows;
};

/// How grid_sample reads between the elements, and what it finds outside of them; the numbers are PyTorch's.
enum class GridMode : uint8_t { Linear, Nearest, Cubic };
enum class GridPadding : uint8_t { Zeros, Border, Reflection };
/// y[n][c][p] = x[n][c] at the place that grid[n][p] gives, x (batch, channels, in...), y (batch, channels,
/// places), grid (batch, places, spatial), all contiguous and of one dtype: float32, float64 or a half type.
/// Coordinate i of a place is for dimension spatial - 1 - i; -1 and 1 are the centres of the first and last
/// elements where `aligned`, else their outer edges. NaN stands for -1.
struct GridSampleArgs {
  GridMode mode;  ///< Cubic: spatial == 2
  GridPadding padding;
  bool aligned;
  DType dtype;
  int spatial;  ///< 2 or 3
  int64_t batch, channels, places;
  int64_t in[kMaxSpatial];  ///< `spatial` sizes
  const void* x;
  const void* grid;
  void* y;
};
/// The gradients of x and grid; those that are null are not wanted. grid's is 0 where the padding holds a
/// place back, and for Nearest.
struct GridSampleBackwardArgs {
  GridSampleArgs forward;
  const void* grad_y;
  void* grad_x;
  void* grad_grid;
};

/// Normalises the channels of a contiguous (batch, channels, inner) array: y = (x - mean) * rstd * weight +
/// bias with one mean and rstd = 1 / sqrt(variance + eps) for each channel. `training`: they are computed,
/// variance as the mean of (x - mean)^2, else mean and variance are read.
struct BatchNormArgs {
  DType dtype;
  const void* in;
  const void* weight;  ///< (channels), or null
  const void* bias;    ///< the same
  void* out;
  void* mean;      ///< (channels), of `dtype`, float32 for half types
  void* variance;  ///< the same
  void* rstd;      ///< written
  int64_t batch, channels, inner;
  double eps;
  bool training;
};
/// Gradients of the above; those that are null are not wanted. `training`: through mean and variance too.
struct BatchNormBackwardArgs {
  DType dtype;
  const void* grad_out;
  const void* in;
  const void* mean;
  const void* rstd;
  const void* weight;
  void* grad_in;
  void* grad_weight;
  void* grad_bias;
  int64_t batch, channels, inner;
  bool training;
};

/// The kernels of one device.
struct KernelTable {
  void (*pointwise)(const PointwiseArgs&);
  void (*copy)(const CopyArgs&);
  void (*fill)(void* data, DType dtype, int64_t n, KernelScalar value);
  void (*reduce)(const ReduceArgs&);
  void (*pointwise_sum)(const PointwiseSumArgs&);
  void (*softmax)(const SoftmaxArgs&);
  void (*softmax_backward)(const SoftmaxBackwardArgs&);
  void (*cross_entropy)(const CrossEntropyArgs&);
  void (*cross_entropy_backward)(const CrossEntropyBackwardArgs&);
  void (*index_rows)(const IndexRowsArgs&);
  void (*add_rows)(const AddRowsArgs&);
  void (*dot_rows)(const DotRowsArgs&);
  void (*put_rows)(const PutRowsArgs&);
  void (*gather)(const GatherArgs&);
  void (*scatter)(const ScatterArgs&);
  void (*moments)(const MomentsArgs&);
  void (*scan)(const ScanArgs&);
  void (*sort)(const SortArgs&);
  void (*select)(const SelectArgs&);
  void (*gemm)(const GemmArgs&);
  void (*lapack)(const LapackArgs&);
  void (*rnn_cell)(const RnnCellArgs&);
  void (*rnn_cell_backward)(const RnnCellBackwardArgs&);
  void (*row_norm)(const RowNormArgs&);
  void (*row_norm_backward)(const RowNormBackwardArgs&);
  void (*ctc)(const CtcArgs&);
  void (*ctc_backward)(const CtcBackwardArgs&);
  void (*attention)(const AttentionArgs&);
  void (*attention_backward)(const AttentionBackwardArgs&);
  void (*batch_norm)(const BatchNormArgs&);
  void (*batch_norm_backward)(const BatchNormBackwardArgs&);
  void (*conv)(const ConvArgs&);
  /// The columns y (batch, in_channels, kernel..., out...) of x: y[n][c][k][p] is x[n][c][p * stride -
  /// padding
  /// + k * dilation], zero outside of x (Forward); or x as the sum of what columns y say of it (Data). w,
  /// bias, groups and out_channels have no part in it.
  void (*columns)(const ConvArgs&);
  void (*banded)(const BandedArgs&);
  void (*max_pool)(const MaxPoolArgs&);
  void (*grid_sample)(const GridSampleArgs&);
  void (*grid_sample_backward)(const GridSampleBackwardArgs&);
  void (*update)(const UpdateArgs&);
  /// The value of the one element at `data`, as a double and an int64 (waits for the device).
  KernelScalar (*read)(const void* data, DType dtype);
};

extern TAPIR_API const KernelTable cpu_kernels;
namespace detail {
TAPIR_API const KernelTable& other_kernels(Device device);
}
/// The table of a device; entries that a device lacks are null and named by ops as DeviceError. Throws
/// DeviceError where the build or the machine has no such device.
inline const KernelTable& kernels(Device device) {
  return TAPIR_LIKELY(device.is_cpu()) ? cpu_kernels : detail::other_kernels(device);
}

}  // namespace tapir
