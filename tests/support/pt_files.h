#pragma once

// Files of PyTorch's for tests: those in tests/oracle/pt, and ones made by hand of a pickle and its storages.

#include <sstream>

#include "support/temporary_folder.h"
#include "support/tensors.h"
#include "support/values.h"
#include "tapir/io/pt.h"
#include "tapir/io/zip.h"

namespace tapir::pt_files {

inline std::string file(const std::string& name) { return TAPIR_TEST_DIR "/oracle/pt/" + name + ".pt"; }

// 0, 1, 2, ... (bool: odd or not)
inline Tensor counting(IntArrayRef sizes, DType dtype) {
  std::vector<double> v(static_cast<size_t>(count(sizes)));
  for (size_t i = 0; i < v.size(); ++i) v[i] = dtype == kBool ? i % 2 : static_cast<double>(i);
  return values::make(v, sizes, dtype);
}

// An archive with that pickle and those storages, and one more entry.
inline std::string zipped(const std::string& pickle, const std::vector<std::string>& storages,
                          const char* entry, const std::string& value) {
  std::string bytes;
  io::ZipWriter zip([&](const void* data, size_t n) { bytes.append(static_cast<const char*>(data), n); });
  zip.add("x/data.pkl", pickle);
  zip.add(entry, value);
  for (size_t i = 0; i < storages.size(); ++i) zip.add("x/data/" + std::to_string(i), storages[i]);
  zip.finish();
  return bytes;
}

// As Python's torch.save lays it out.
inline std::string archive(const std::string& pickle, const std::vector<std::string>& storages = {},
                           const std::string& byteorder = "little") {
  return zipped(pickle, storages, "x/byteorder", byteorder);
}

// As libtorch does: there is code beside the pickle.
inline std::string script(const std::string& pickle, const std::vector<std::string>& storages = {}) {
  return zipped(pickle, storages, "x/code/__torch__.py", "raise SystemExit");
}

inline IValue load_bytes(const std::string& bytes) {
  std::istringstream in(bytes);
  return load_pt(in);
}

inline std::string fault(const std::string& pickle, const std::vector<std::string>& storages = {},
                         const std::string& byteorder = "little") {
  return message_of<IOError>([&] { load_bytes(archive(pickle, storages, byteorder)); });
}

// Reads all of a value, so that a sanitizer sees an address outside of a storage.
inline void touch_all(const IValue& v) {
  if (v.isTensor()) touch(v.toTensor());
  if (v.isList())
    for (const IValue& x : v.toList()) touch_all(x);
  if (v.isTuple())
    for (const IValue& x : v.toTupleRef().elements()) touch_all(x);
  if (v.isGenericDict())
    for (const auto& entry : v.toGenericDict()) touch_all(entry.value());
}

inline const std::string kStart = "\x80\x02";
inline const std::string kStorage = "(X\x07" + std::string(3, '\0') + "storagectorch\nFloatStorage\nX\1" +
                                    std::string(3, '\0') + "0X\3" + std::string(3, '\0') + "cpuK\4tQ";
// A float tensor of sizes and strides (pickled) in a storage of four elements.
inline std::string tensor_pickle(const std::string& offset, const std::string& sizes,
                                 const std::string& strides, const std::string& storage = kStorage) {
  return kStart + "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset + sizes + strides +
         "\x89"
         "ccollections\nOrderedDict\n)RtR.";
}

}  // namespace tapir::pt_files
