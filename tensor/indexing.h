// Slice, None, Ellipsis and TensorIndex: what goes between the brackets of index({...}).
#pragma once

#include <cstdint>
#include <optional>

#include "tapir/tensor/macros.h"
#include "tapir/tensor/ref.h"
#include "tapir/tensor/tensor_impl.h"

namespace tapir {
class Tensor;

namespace indexing {

inline constexpr int64_t INDEX_MIN = INT64_MIN;
inline constexpr int64_t INDEX_MAX = INT64_MAX;

struct NoneType {};
/// Inserts a dimension of size 1; as a part of Slice, an open end.
inline constexpr NoneType None{};
struct EllipsisType {};
/// As many full slices as are needed.
inline constexpr EllipsisType Ellipsis{};

/// start:stop:step; parts left out or None take their defaults.
class Slice {
 public:
  struct Bound {
    std::optional<int64_t> value;
    Bound() = default;
    Bound(int64_t v) : value(v) {}  // NOLINT
    Bound(int v) : value(v) {}      // NOLINT
    Bound(NoneType) {}              // NOLINT
    Bound(std::nullopt_t) {}        // NOLINT
  };
  Slice(Bound start = {}, Bound stop = {}, Bound step = {})  // NOLINT
      : start_(start.value.value_or(0)),
        stop_(stop.value.value_or(INDEX_MAX)),
        step_(step.value.value_or(1)) {}
  int64_t start() const { return start_; }
  int64_t stop() const { return stop_; }
  int64_t step() const { return step_; }

 private:
  int64_t start_, stop_, step_;
};

/// One index of index({...}): an integer, a slice, None, Ellipsis, a bool or a tensor (int64, or bool as a
/// mask).
class TAPIR_API TensorIndex {
 public:
  enum class Kind : uint8_t { kNone, kEllipsis, kInteger, kBoolean, kSlice, kTensor };
  TensorIndex(NoneType) : kind_(Kind::kNone) {}                   // NOLINT
  TensorIndex(std::nullopt_t) : kind_(Kind::kNone) {}             // NOLINT
  TensorIndex(EllipsisType) : kind_(Kind::kEllipsis) {}           // NOLINT
  TensorIndex(const char* text);                                  // NOLINT: "..." is Ellipsis
  TensorIndex(int64_t i) : kind_(Kind::kInteger), integer_(i) {}  // NOLINT
  TensorIndex(int i) : TensorIndex(int64_t{i}) {}                 // NOLINT
  template <class B>
  requires std::is_same_v<B, bool> TensorIndex(B b) : kind_(Kind::kBoolean), integer_(b) {}  // NOLINT
  TensorIndex(Slice s) : kind_(Kind::kSlice), slice_(s) {}                                   // NOLINT
  TensorIndex(const Tensor& t);                                                              // NOLINT

  Kind kind() const { return kind_; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_ellipsis() const { return kind_ == Kind::kEllipsis; }
  bool is_integer() const { return kind_ == Kind::kInteger; }
  bool is_boolean() const { return kind_ == Kind::kBoolean; }
  bool is_slice() const { return kind_ == Kind::kSlice; }
  bool is_tensor() const { return kind_ == Kind::kTensor; }
  int64_t integer() const { return integer_; }
  bool boolean() const { return integer_ != 0; }
  const Slice& slice() const { return slice_; }
  Tensor tensor() const;

 private:
  Kind kind_;
  int64_t integer_ = 0;
  Slice slice_;
  Ref<TensorImpl> tensor_;
};

}  // namespace indexing

using indexing::Slice;
using indexing::TensorIndex;

}  // namespace tapir
