// What a loader is to survive: files that are cut short, or have a wrong byte anywhere.
#pragma once

#include <cstdint>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>

#include "support/catch.h"
#include "tapir/tensor/tensor.h"

/// Reads every element, so that a sanitizer sees an address outside the tensor's memory.
inline int64_t touch(const tapir::Tensor& t) {
  const tapir::Layout& l = t.layout_of();
  if (l.numel == 0) return 0;
  const auto* bytes = static_cast<const unsigned char*>(t.data_ptr());
  int64_t last = 0;
  for (int64_t d = 0; d < l.dim(); ++d) last += (l.sizes[d] - 1) * l.strides[d];
  return bytes[0] + bytes[(last + 1) * static_cast<int64_t>(t.itemsize()) - 1];
}

/// Calls load(stream) for every beginning of the file: each must throw an E.
template <class E, class Load>
void check_cut_short(std::string_view file, Load&& load) {
  for (size_t n = 0; n < file.size(); ++n) {
    INFO("cut to " << n << " of " << file.size() << " bytes");
    std::istringstream in{std::string(file.substr(0, n))};
    CHECK_THROWS_AS(load(in), E);
  }
}

/// Calls load(stream) with each single bit of the file flipped: it gives a result, or throws an E. Returns
/// how many were refused.
template <class E, class Load>
size_t check_bits_flipped(std::string_view file, Load&& load) {
  size_t refused = 0;
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    std::string bytes(file);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    std::istringstream in{bytes};
    try {
      load(in);
    } catch (const E&) {
      ++refused;
    } catch (const std::exception& e) {
      FAIL_CHECK("bit " << bit << " flipped: " << e.what());
    }
  }
  return refused;
}
