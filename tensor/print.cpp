#include "tapir/tensor/print.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

namespace {

std::mutex options_mutex;
PrintOptions& options_storage() {
  static PrintOptions options;
  return options;
}

// Prints the elements of one tensor, in the width that the widest of them needs.
class Printer {
 public:
  Printer(const Tensor& t, const PrintOptions& o)
      : options_(o), t_(t), summarize_(t.numel() > o.threshold), floating_(t.is_floating_point()) {
    // The width is that of the elements that will be shown.
    double low = INFINITY, high = 0;
    bool integers = true;
    for_each_shown(0, 0, [&](int64_t at) {
      if (!floating_) {
        width_ = std::max(width_, text(at).size());
        return;
      }
      const double v = real(at);
      if (!std::isfinite(v)) return;
      integers = integers && v == std::ceil(v);
      if (v == 0) return;
      low = std::min(low, std::abs(v));
      high = std::max(high, std::abs(v));
    });
    if (!floating_) return;
    int_mode_ = integers;
    if (high > 0) {
      sci_mode_ = high / low > 1000 || high > 1e8 || (!integers && low < 1e-4);
      if (options_.sci_mode) sci_mode_ = *options_.sci_mode;
      for_each_shown(0, 0, [&](int64_t at) {
        const double v = real(at);
        if (std::isfinite(v) && v != 0) width_ = std::max(width_, text(at).size());
      });
    } else {
      int_mode_ = true;
    }
  }

  std::string all(size_t indent) { return dimension(0, 0, indent); }

 private:
  int64_t size(int64_t d) const { return t_.layout_of().sizes[d]; }
  int64_t stride(int64_t d) const { return t_.layout_of().strides[d]; }
  bool cut(int64_t d) const { return summarize_ && size(d) > 2 * options_.edgeitems; }

  // Elements are at `at`, counted from the first one.
  double real(int64_t at) const {
    return visit_dtype(t_.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      return static_cast<double>(static_cast<const T*>(t_.data_ptr())[at]);
    });
  }
  std::string text(int64_t at) const {
    if (!floating_) {
      if (t_.dtype() == kBool) return static_cast<const bool*>(t_.data_ptr())[at] ? "True" : "False";
      return visit_dtype(t_.dtype(), [&](auto tag) -> std::string {
        using T = typename decltype(tag)::type;
        return fmt::format("{}", static_cast<int64_t>(static_cast<const T*>(t_.data_ptr())[at]));
      });
    }
    const double v = real(at);
    if (std::isnan(v)) return "nan";
    if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
    if (sci_mode_) return fmt::format("{:.{}e}", v, options_.precision);
    if (int_mode_) return fmt::format("{:.0f}.", v);
    return fmt::format("{:.{}f}", v, options_.precision);
  }
  std::string padded(int64_t at) const {
    const std::string s = text(at);
    return std::string(width_ > s.size() ? width_ - s.size() : 0, ' ') + s;
  }

  template <class F>
  void for_each_shown(int64_t d, int64_t at, const F& f) const {
    if (d == t_.dim()) return f(at);
    for (int64_t i = 0; i < size(d); ++i) {
      if (cut(d) && i == options_.edgeitems) i = size(d) - options_.edgeitems;
      for_each_shown(d + 1, at + i * stride(d), f);
    }
  }

  std::string dimension(int64_t d, int64_t at, size_t indent) const {
    if (d == t_.dim()) return padded(at);
    const bool last = d == t_.dim() - 1;
    std::vector<std::string> parts;
    for (int64_t i = 0; i < size(d); ++i) {
      if (cut(d) && i == options_.edgeitems) {
        parts.push_back(last ? " ..." : "...");
        i = size(d) - options_.edgeitems;
        if (i == size(d)) break;
      }
      parts.push_back(dimension(d + 1, at + i * stride(d), indent + 1));
    }
    const std::string margin = "\n" + std::string(indent + 1, ' ');
    if (!last)
      return fmt::format("[{}]", fmt::join(parts, "," + std::string(t_.dim() - d - 2, '\n') + margin));
    const auto width = static_cast<int64_t>(width_) + 2;
    const size_t per_line = static_cast<size_t>(
        std::max<int64_t>(1, (options_.linewidth - static_cast<int64_t>(indent)) / width));
    std::string s = "[";
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i > 0) s += i % per_line == 0 ? "," + margin : ", ";
      s += parts[i];
    }
    return s + "]";
  }

  const PrintOptions& options_;
  const Tensor& t_;
  bool summarize_, floating_;
  bool int_mode_ = true, sci_mode_ = false;
  size_t width_ = 1;
};

}  // namespace

PrintOptions get_print_options() {
  std::lock_guard lock(options_mutex);
  return options_storage();
}
void set_print_options(const PrintOptions& options) {
  TAPIR_CHECK_AS(
      ValueError,
      options.precision >= 0 && options.precision <= 30 && options.edgeitems >= 0 && options.linewidth > 0,
      "set_print_options: precision {}, edgeitems {} and linewidth {} are out of range", options.precision,
      options.edgeitems, options.linewidth);
  std::lock_guard lock(options_mutex);
  options_storage() = options;
}

std::string format_tensor(const Tensor& t, const PrintOptions& options,
                          const std::vector<std::string>& suffixes) {
  if (!t.defined()) return "[ Tensor (undefined) ]";
  std::string text = "tensor(";
  const size_t indent = text.size();
  std::vector<std::string> after;
  if (!t.is_cpu()) after.push_back(fmt::format("device='{}'", t.device()));
  bool name_dtype = t.dtype() != get_default_dtype() && t.dtype() != kInt64 && t.dtype() != kBool;
  if (t.numel() == 0) {
    text += "[]";
    if (t.dim() != 1) after.push_back(fmt::format("size=({})", fmt::join(t.sizes().vec(), ", ")));
    name_dtype = t.dtype() != get_default_dtype();
  } else {
    const Tensor here = raw::to_device(t, kCPU);
    text += Printer(here, options).all(indent);
  }
  if (name_dtype) after.push_back(fmt::format("dtype={}", t.dtype()));
  after.insert(after.end(), suffixes.begin(), suffixes.end());
  const size_t line = text.rfind('\n');
  // As PyTorch counts the length of the last line.
  size_t length = text.size() - (line == std::string::npos ? 0 : line);
  for (const std::string& s : after) {
    if (static_cast<int64_t>(length + s.size() + 2) > options.linewidth) {
      text += ",\n" + std::string(indent, ' ') + s;
      length = indent + s.size();
    } else {
      text += ", " + s;
      length += s.size() + 2;
    }
  }
  return text + ")";
}

}  // namespace tapir
