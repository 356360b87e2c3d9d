#include "tapir/tensor/error.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <unwind.h>

#include <cstdlib>
#include <string_view>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/undefined.h"
#if defined(TAPIR_HAVE_BACKTRACE)
#include <backtrace.h>
#endif

namespace tapir {

Error::~Error() = default;
ShapeError::~ShapeError() = default;
DTypeError::~DTypeError() = default;
DeviceError::~DeviceError() = default;
IndexError::~IndexError() = default;
ValueError::~ValueError() = default;
AutogradError::~AutogradError() = default;
IOError::~IOError() = default;
OutOfMemoryError::~OutOfMemoryError() = default;
InternalError::~InternalError() = default;

std::string shape_str(IntArrayRef sizes) {
  return fmt::format("[{}]", fmt::join(sizes.begin(), sizes.end(), ", "));
}

namespace detail {

void internal_failure(const char* condition, const char* file, int line) {
  throw_error<InternalError>("internal error, please report it: {} does not hold at {}:{}", condition, file,
                             line);
}
void array_index_failure(size_t i, size_t size) {
  throw_error<IndexError>("ArrayRef::at: index {} is out of range for {} values", i, size);
}
void too_many_dims(size_t n) {
  throw_error<ShapeError>("tensor: {} dimensions; a tensor has at most {}", n, kMaxDims);
}

namespace {

struct Frames {
  const void* library = nullptr;
  const char* symbol = nullptr;
  uintptr_t pc = 0;
};

_Unwind_Reason_Code on_frame(_Unwind_Context* context, void* data) {
  auto& frames = *static_cast<Frames*>(data);
  Dl_info info;
  const uintptr_t pc = _Unwind_GetIP(context) - 1;  // inside the call instruction
  if (!dladdr(reinterpret_cast<void*>(pc), &info)) return _URC_END_OF_STACK;
  if (!frames.library) frames.library = info.dli_fbase;
  if (info.dli_fbase != frames.library) return _URC_END_OF_STACK;
  frames.symbol = info.dli_sname;
  frames.pc = pc;
  return _URC_NO_REASON;
}

// The symbol that holds an address, also one that the dynamic linker does not know, or null: what a compiler
// moves out of a function because it is unlikely, as the refusal of an undefined tensor, is such a one.
const char* local_symbol([[maybe_unused]] uintptr_t pc) {
  const char* found = nullptr;
#if defined(TAPIR_HAVE_BACKTRACE)
  const auto ignore = [](void*, const char*, int) {};
  static backtrace_state* state = backtrace_create_state(nullptr, 1, ignore, nullptr);
  const auto take = [](void* data, uintptr_t, const char* symbol, uintptr_t, uintptr_t) {
    *static_cast<const char**>(data) = symbol;
  };
  if (state) backtrace_syminfo(state, pc, take, ignore, &found);
#endif
  return found;
}

// The function of this library that the user called, without namespace and arguments; `otherwise` where it
// has no name. It looks through the stack and the symbols: for errors only.
std::string called_function(const char* otherwise) {
  Frames frames;
  _Unwind_Backtrace(on_frame, &frames);
  if (!frames.symbol) frames.symbol = local_symbol(frames.pc);
  if (!frames.symbol) return otherwise;
  int status = 0;
  char* const text = abi::__cxa_demangle(frames.symbol, nullptr, nullptr, &status);
  std::string_view name = status == 0 && text ? text : "";
  name = name.substr(0, name.find('('));
  const size_t scope = name.rfind("::");
  std::string found(scope == name.npos ? name : name.substr(scope + 2));
  std::free(text);
  return found.empty() || found == "undefined_tensor_failure" ? otherwise : found;
}

}  // namespace

void undefined_tensor_failure() { undefined_tensor_failure(called_function("tensor").c_str()); }
void undefined_tensor_failure(const char* op) {
  throw_error<ValueError>(
      "{}: a tensor is undefined (default-constructed or never assigned); assign a value before using it",
      op);
}
void data_type_failure(DType wanted, DType got) {
  throw_error<DTypeError>(
      "data_ptr: asked for {}, but the tensor holds {}; use data_ptr of that type or to(...) first", wanted,
      got);
}
void dim_failure(const char* op, int64_t wanted, IntArrayRef got) {
  throw_error<ShapeError>("{}: expected a tensor with {} dimensions, got sizes {}", op, wanted, got);
}

}  // namespace detail
}  // namespace tapir
