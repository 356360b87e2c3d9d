#include "tapir/autograd/call_site.h"

#include <cxxabi.h>
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <mutex>

#include "tapir/autograd/engine_run.h"
#include "tapir/tensor/error_format.h"
#if defined(TAPIR_HAVE_BACKTRACE)
#include <backtrace.h>
#endif

namespace tapir {

namespace {

std::string demangle(const char* symbol) {
  int status = 0;
  char* text = abi::__cxa_demangle(symbol, nullptr, nullptr, &status);
  std::string name = status == 0 && text ? text : symbol;
  std::free(text);
  return name;
}

struct Line {
  std::string file, function;
  int number = 0;
};

#if defined(TAPIR_HAVE_BACKTRACE)
// Called for each function inlined at the address, innermost first: Tapir's own headers are passed over, so
// that the user's line is named where the call went through an inlined operator or method.
int on_line(void* data, uintptr_t, const char* file, int number, const char* function) {
  if (!file) return 0;
  auto& line = *static_cast<Line*>(data);
  line = {file, function ? demangle(function) : "", number};
  const bool ours = std::strstr(file, "autograd/functions/") || std::strstr(file, "/tapir/");
  return ours && (std::strstr(file, ".h") || std::strstr(file, ".def")) ? 0 : 1;
}

Line find_line(uintptr_t pc) {
  static std::mutex mutex;
  static backtrace_state* state = backtrace_create_state(
      nullptr, 1, [](void*, const char*, int) {}, nullptr);
  Line line;
  std::lock_guard lock(mutex);
  if (state)
    backtrace_pcinfo(
        state, pc, on_line, [](void*, const char*, int) {}, &line);
  return line;
}
#else
Line find_line(uintptr_t) { return {}; }
#endif

}  // namespace

std::string describe_call_site(const void* return_address) {
  if (!return_address) return "";
  const uintptr_t pc = reinterpret_cast<uintptr_t>(return_address) - 1;  // inside the call instruction
  Line line = find_line(pc);
  Dl_info info{};
  const bool found = dladdr(reinterpret_cast<void*>(pc), &info) != 0;
  if (line.function.empty() && found && info.dli_sname) line.function = demangle(info.dli_sname);
  if (line.number > 0)
    return line.function.empty() ? fmt::format("{}:{}", line.file, line.number)
                                 : fmt::format("{}:{} ({})", line.file, line.number, line.function);
  if (!line.function.empty()) return line.function;
  if (found && info.dli_fname)
    return fmt::format("{}+{:#x}", info.dli_fname, pc - reinterpret_cast<uintptr_t>(info.dli_fbase));
  return fmt::format("{:#x}", pc);
}

void add_node_context(Error& error, const Node& node) {
  const std::string site = describe_call_site(node.call_site());
  if (site.empty())
    error.add_context(fmt::format("in the backward of {}", node.name()));
  else
    error.add_context(fmt::format("in the backward of {}, recorded at {}", node.name(), site));
}

}  // namespace tapir
