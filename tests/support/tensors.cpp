#include "support/tensors.h"

#include <sstream>

using namespace tapir;

std::string difference(const Tensor& got, const Tensor& expected, double rtol, double atol) {
  std::ostringstream text;
  text.precision(17);
  if (!got.defined() || !expected.defined()) {
    if (got.defined() != expected.defined())
      text << (got.defined() ? "a tensor" : "undefined") << " instead of "
           << (expected.defined() ? "a tensor" : "undefined");
    return text.str();
  }
  if (!(got.sizes() == expected.sizes())) {
    text << "sizes " << shape_str(got.sizes()) << ", expected " << shape_str(expected.sizes());
    return text.str();
  }
  if (got.dtype() != expected.dtype()) {
    text << dtype_name(got.dtype()) << ", expected " << dtype_name(expected.dtype());
    return text.str();
  }
  NoGradGuard no_grad;
  if (!is_floating_point(got.dtype())) {
    const Tensor a = got.cpu().to(kInt64).contiguous(), b = expected.cpu().to(kInt64).contiguous();
    for (int64_t i = 0; i < a.numel(); ++i)
      if (a.data_ptr<int64_t>()[i] != b.data_ptr<int64_t>()[i])
        text << "element " << i << ": " << a.data_ptr<int64_t>()[i] << ", expected "
             << b.data_ptr<int64_t>()[i] << "\n";
    return text.str();
  }
  const Tensor a = got.cpu().to(kFloat64).contiguous(), b = expected.cpu().to(kFloat64).contiguous();
  int shown = 0;
  for (int64_t i = 0; i < a.numel() && shown < 8; ++i) {
    const double x = a.data_ptr<double>()[i], y = b.data_ptr<double>()[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (std::isfinite(x) && std::isfinite(y) && std::abs(x - y) <= atol + rtol * std::abs(y)) continue;
    text << "element " << i << ": " << x << ", expected " << y << "\n";
    ++shown;
  }
  return text.str();
}
