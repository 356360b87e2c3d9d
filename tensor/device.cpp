#include "tapir/tensor/device.h"

#include <charconv>

#include "tapir/tensor/error_format.h"

namespace tapir {

Device::Device(std::string_view text) : type_(kCPU), index_(-1) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  bool good = name == "cpu" || name == "cuda";
  if (name == "cuda") type_ = kCUDA;
  if (colon != std::string_view::npos) {
    int index = -1;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, index);
    good = good && error == std::errc() && stop == end && index >= 0 && index < 128;
    index_ = static_cast<DeviceIndex>(index);
  }
  if (!good) throw_error<ValueError>("device: got \"{}\", expected \"cpu\", \"cuda\" or \"cuda:N\"", text);
}

std::string Device::str() const {
  std::string s = is_cpu() ? "cpu" : "cuda";
  if (has_index()) s += ':' + std::to_string(index_);
  return s;
}

}  // namespace tapir
