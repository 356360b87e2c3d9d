#include "tapir/nn/init.h"

#include <cmath>
#include <vector>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/random.h"

namespace tapir::nn::init {

Tensor uniform_(Tensor tensor, double low, double high) {
  raw::uniform_(tensor, low, high);
  return tensor;
}
Tensor normal_(Tensor tensor, double mean, double std) {
  raw::normal_(tensor, mean, std);
  return tensor;
}
Tensor constant_(Tensor tensor, Scalar value) {
  raw::fill(tensor, value);
  return tensor;
}
Tensor ones_(Tensor tensor) { return constant_(std::move(tensor), 1); }
Tensor zeros_(Tensor tensor) { return constant_(std::move(tensor), 0); }

Tensor eye_(Tensor matrix) {
  TAPIR_CHECK_AS(ShapeError, matrix.dim() == 2, "eye_: got sizes {}, expected two dimensions",
                 matrix.sizes());
  raw::copy_into(matrix, raw::eye(matrix.size(0), matrix.size(1), matrix.dtype(), matrix.device()));
  return matrix;
}

Tensor dirac_(Tensor tensor) {
  TAPIR_CHECK_AS(ShapeError, tensor.dim() >= 3 && tensor.dim() <= 5,
                 "dirac_: got sizes {}, expected three to five dimensions", tensor.sizes());
  raw::fill(tensor, 0);
  const int64_t n = std::min(tensor.size(0), tensor.size(1));
  for (int64_t i = 0; i < n; ++i) {
    Layout at = tensor.layout_of().select(0, i).select(0, i);
    while (at.dim() > 0) at = at.select(0, at.sizes[0] / 2);
    raw::fill(tensor.alias(at), 1);
  }
  return tensor;
}
Tensor sparse_(Tensor tensor, double sparsity, double std) {
  TAPIR_CHECK_AS(ShapeError, tensor.dim() == 2, "sparse_: got sizes {}, expected two dimensions",
                 tensor.sizes());
  TAPIR_CHECK_AS(ValueError, sparsity >= 0 && sparsity <= 1, "sparse_: sparsity is {}, expected 0 to 1",
                 sparsity);
  const int64_t rows = tensor.size(0), columns = tensor.size(1);
  const auto zeros = static_cast<int64_t>(std::ceil(sparsity * static_cast<double>(rows)));
  raw::normal_(tensor, 0, std);
  for (int64_t j = 0; j < columns; ++j) {
    const Tensor order = raw::randperm(rows);
    const int64_t* const row = order.data_ptr<int64_t>();
    for (int64_t i = 0; i < zeros; ++i)
      raw::fill(tensor.alias(tensor.layout_of().select(0, row[i]).select(0, j)), 0);
  }
  return tensor;
}

double calculate_gain(Nonlinearity nonlinearity, double param) {
  switch (nonlinearity) {
    case Nonlinearity::Tanh:
      return 5.0 / 3;
    case Nonlinearity::ReLU:
      return std::sqrt(2.0);
    case Nonlinearity::LeakyReLU:
      return std::sqrt(2.0 / (1 + param * param));
    case Nonlinearity::SELU:
      return 3.0 / 4;
    case Nonlinearity::Linear:
    case Nonlinearity::Sigmoid:
    case Nonlinearity::GELU:
      break;
  }
  return 1;
}

std::pair<int64_t, int64_t> calculate_fan_in_and_fan_out(const Tensor& tensor) {
  TAPIR_CHECK_AS(ShapeError, tensor.dim() >= 2,
                 "calculate_fan_in_and_fan_out: got sizes {}, expected at least two dimensions",
                 tensor.sizes());
  const int64_t kernel = count(tensor.sizes().slice(2));
  return {tensor.size(1) * kernel, tensor.size(0) * kernel};
}

namespace {

double xavier_std(const Tensor& tensor, double gain) {
  const auto [in, out] = calculate_fan_in_and_fan_out(tensor);
  return gain * std::sqrt(2.0 / static_cast<double>(in + out));
}

double kaiming_std(const Tensor& tensor, double a, FanMode mode, Nonlinearity nonlinearity) {
  const auto [in, out] = calculate_fan_in_and_fan_out(tensor);
  return calculate_gain(nonlinearity, a) / std::sqrt(static_cast<double>(mode == FanMode::FanIn ? in : out));
}

}  // namespace

Tensor xavier_uniform_(Tensor tensor, double gain) {
  const double bound = std::sqrt(3.0) * xavier_std(tensor, gain);
  return uniform_(std::move(tensor), -bound, bound);
}
Tensor xavier_normal_(Tensor tensor, double gain) {
  const double std = xavier_std(tensor, gain);
  return normal_(std::move(tensor), 0, std);
}
Tensor kaiming_uniform_(Tensor tensor, double a, FanMode mode, Nonlinearity nonlinearity) {
  if (tensor.numel() == 0) return tensor;
  const double bound = std::sqrt(3.0) * kaiming_std(tensor, a, mode, nonlinearity);
  return uniform_(std::move(tensor), -bound, bound);
}
Tensor kaiming_normal_(Tensor tensor, double a, FanMode mode, Nonlinearity nonlinearity) {
  if (tensor.numel() == 0) return tensor;
  const double std = kaiming_std(tensor, a, mode, nonlinearity);
  return normal_(std::move(tensor), 0, std);
}

Tensor orthogonal_(Tensor tensor, double gain) {
  TAPIR_CHECK_AS(ShapeError, tensor.dim() >= 2, "orthogonal_: got sizes {}, expected at least two dimensions",
                 tensor.sizes());
  if (tensor.numel() == 0) return tensor;
  const int64_t rows = tensor.size(0), columns = tensor.numel() / rows;
  const Tensor start = Tensor::empty({rows, columns}, tensor.dtype(), kCPU);
  raw::normal_(start, 0, 1);
  Tensor q = raw::cast(start, kFloat64);
  if (q.is_same(start)) q = raw::clone(start);
  // Gram and Schmidt's process, done twice for orthogonality to the last digit, on the fewer of rows and
  // columns. Its triangular factor has a positive diagonal, which makes the result unique.
  double* const data = q.data_ptr<double>();
  const bool by_rows = rows < columns;
  const int64_t vectors = by_rows ? rows : columns, length = by_rows ? columns : rows;
  const int64_t step = by_rows ? 1 : columns, next = by_rows ? columns : 1;
  const auto dot = [&](int64_t a, int64_t b) {
    double sum = 0;
    for (int64_t k = 0; k < length; ++k) sum += data[a * next + k * step] * data[b * next + k * step];
    return sum;
  };
  for (int64_t i = 0; i < vectors; ++i) {
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t j = 0; j < i; ++j) {
        const double projection = dot(i, j);
        for (int64_t k = 0; k < length; ++k)
          data[i * next + k * step] -= projection * data[j * next + k * step];
      }
    }
    const double norm = std::sqrt(dot(i, i));
    for (int64_t k = 0; k < length; ++k) data[i * next + k * step] /= norm;
  }
  for (int64_t i = 0; i < q.numel(); ++i) data[i] *= gain;
  raw::copy_into(tensor, q.alias(Layout::of(tensor.sizes())));
  return tensor;
}

}  // namespace tapir::nn::init
