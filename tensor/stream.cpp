#include "tapir/tensor/stream.h"

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/tensor.h"

namespace tapir::detail {

std::string stream_text(DType dtype) {
  switch (dtype) {
    case DType::UInt8:
      return "Byte";
    case DType::Int8:
      return "Char";
    case DType::Int16:
      return "Short";
    case DType::Int32:
      return "Int";
    case DType::Int64:
      return "Long";
    case DType::Float16:
      return "Half";
    case DType::Float64:
      return "Double";
    case DType::Bool:
      return "Bool";
    case DType::BFloat16:
      return "BFloat16";
    case DType::Float32:
      break;
  }
  return "Float";
}
std::string stream_text(DeviceType type) { return type == kCUDA ? "cuda" : "cpu"; }
std::string stream_text(Device device) { return device.str(); }
void layout_failure() {
  throw_error<ValueError>("TensorOptions: layout is Sparse, expected Strided; sparse tensors are not there");
}
std::string stream_text(Layout_ layout) { return layout == kStrided ? "Strided" : "Sparse"; }
std::string stream_text(MemoryFormat format) {
  constexpr const char* kNames[] = {"Contiguous", "Preserve", "ChannelsLast", "ChannelsLast3d"};
  return kNames[static_cast<size_t>(format)];
}
std::string stream_text(const Scalar& value) {
  if (value.isBoolean()) return value.toBool() ? "true" : "false";
  if (value.isFloatingPoint()) return fmt::format("{:g}", value.toDouble());
  return fmt::format("{}", value.to_int64());
}
std::string stream_text(const TensorOptions& o) {
  const auto given = [](bool it_is) { return it_is ? "" : " (default)"; };
  return fmt::format("TensorOptions(dtype={}{}, device={}{}, requires_grad={}{})", dtype_name(o.dtype()),
                     given(o.has_dtype()), o.device(), given(o.has_device()), o.requires_grad(),
                     given(o.requires_grad()));
}
std::string stream_text(const Slice& slice) {
  return fmt::format("{}:{}:{}", slice.start(), slice.stop(), slice.step());
}
std::string stream_text(const TensorIndex& index) {
  using Kind = TensorIndex::Kind;
  switch (index.kind()) {
    case Kind::kNone:
      return "None";
    case Kind::kEllipsis:
      return "...";
    case Kind::kInteger:
      return fmt::format("{}", index.integer());
    case Kind::kBoolean:
      return index.boolean() ? "true" : "false";
    case Kind::kSlice:
      return stream_text(index.slice());
    case Kind::kTensor:
      break;
  }
  return index.tensor().str();
}

void scalar_overflow(const Scalar& value, size_t bits, const char* kind) {
  throw_error<ValueError>("item: {} does not fit into {}{}; read it as a wider type, double or int64_t",
                          stream_text(value), kind, bits);
}

}  // namespace tapir::detail
