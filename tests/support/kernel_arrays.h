// Arrays of any dtype and layout, with which tests call kernels through the kernel table.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "tapir/tensor/kernels.h"

namespace kernel_arrays {

using namespace tapir;

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline const KernelTable& cpu() { return kernels(kCPU); }
inline std::mt19937_64& rng() {
  static std::mt19937_64 r(1);
  return r;
}
inline int64_t random(int64_t below) { return static_cast<int64_t>(rng()() % static_cast<uint64_t>(below)); }

// An array of any dtype, read and written one element at a time.
struct Array {
  DType dtype = kFloat32;
  std::vector<std::byte> bytes;
  Array() = default;
  Array(DType d, int64_t n) : dtype(d), bytes(static_cast<size_t>(n) * item_size(d)) {}
  template <class T>
  void set(int64_t i, T value) {
    visit_dtype(dtype, [&](auto tag) {
      using U = typename decltype(tag)::type;
      U u;
      if constexpr (std::is_same_v<U, bool>) {
        u = value != 0;
      } else if constexpr (std::is_arithmetic_v<U>) {
        u = static_cast<U>(value);
      } else {
        u = U(static_cast<float>(value));
      }
      std::memcpy(bytes.data() + static_cast<size_t>(i) * sizeof(U), &u, sizeof(U));
    });
  }
  template <class T = double>
  T get(int64_t i) const {
    return visit_dtype(dtype, [&](auto tag) {
      using U = typename decltype(tag)::type;
      U u;
      std::memcpy(&u, bytes.data() + static_cast<size_t>(i) * sizeof(U), sizeof(U));
      return static_cast<T>(u);
    });
  }
  int64_t size() const { return static_cast<int64_t>(bytes.size() / item_size(dtype)); }
  // Numbers of everyday size, with zeros, negatives and ties; for floats also the extremes.
  static Array random_values(DType d, int64_t n) {
    Array a(d, n);
    for (int64_t i = 0; i < n; ++i) {
      if (is_floating_point(d)) {
        const double special[] = {0.0, -0.0, kInf, -kInf, kNan, 1e-40, 0.5, 2.5, -1.5, 1.0};
        a.set(i, random(8) == 0 ? special[random(10)] : static_cast<double>(random(4001) - 2000) / 256);
      } else {
        a.set(i, random(9) == 0 ? INT64_MIN >> random(64) : random(41) - 20);
      }
    }
    return a;
  }
};

// Where the elements of an operand lie, over common sizes.
struct Place {
  std::vector<int64_t> strides;
  int64_t extent = 1;  // elements that the array must have
};
inline int64_t product(const std::vector<int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}
inline Place place(const std::vector<int64_t>& sizes, bool permuted, bool padded, uint64_t broadcast) {
  std::vector<size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), 0);
  if (permuted) std::shuffle(order.begin(), order.end(), rng());
  Place p;
  p.strides.resize(sizes.size());
  int64_t stride = padded ? 1 + random(3) : 1;
  for (size_t k = sizes.size(); k-- > 0;) {
    const size_t d = order[k];
    if (broadcast >> d & 1) continue;
    p.strides[d] = stride;
    p.extent += stride * (sizes[d] - 1);
    stride *= sizes[d] + (padded ? random(3) : 0);
  }
  return p;
}
inline int64_t offset(int64_t i, const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
  int64_t at = 0;
  for (size_t d = sizes.size(); d-- > 0; i /= sizes[d]) at += i % sizes[d] * strides[d];
  return at;
}
inline std::vector<int64_t> random_sizes() {
  std::vector<int64_t> sizes(static_cast<size_t>(1 + random(4)));
  for (auto& s : sizes) s = 1 + random(random(3) == 0 ? 90 : 9);
  if (random(6) == 0) sizes.back() = 500 + random(700);
  while (product(sizes) > 4000 && sizes.size() > 1) sizes.erase(sizes.begin());
  return sizes;
}
inline bool same_bytes(const Array& a, int64_t i, const Array& b, int64_t j) {
  if (is_floating_point(a.dtype) && std::isnan(a.get(i)) && std::isnan(b.get(j))) return true;
  const size_t item = item_size(a.dtype);
  return std::memcmp(a.bytes.data() + static_cast<size_t>(i) * item,
                     b.bytes.data() + static_cast<size_t>(j) * item, item) == 0;
}

}  // namespace kernel_arrays
