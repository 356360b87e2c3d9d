#include "tapir/nn/any.h"

#include <cxxabi.h>

#include <cstdlib>

#include "tapir/tensor/error_format.h"

namespace tapir::nn::detail {

namespace {
std::string type_name(const std::type_info& type) {
  int status = 0;
  char* text = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = status == 0 ? text : type.name();
  std::free(text);
  return name;
}
}  // namespace

void any_value_failure(const std::type_info& wanted, const std::type_info& got) {
  throw_error<ValueError>("AnyValue: it holds a {}, but was asked for a {}", type_name(got),
                          type_name(wanted));
}
void any_module_cast_failure(const std::type_info& wanted, const Module& got) {
  throw_error<ValueError>("AnyModule: it holds a {}, but was asked for a {}", got.name(), type_name(wanted));
}
void any_argument_failure(const Module& module, size_t index, const std::type_info& wanted,
                          const std::type_info& got) {
  throw_error<ValueError>(
      "AnyModule: argument {} of {}::forward is a {}, but got a {}; types must agree exactly", index,
      module.name(), type_name(wanted), type_name(got));
}
void any_count_failure(const Module& module, size_t wanted, size_t got) {
  throw_error<ValueError>(
      "AnyModule: {}::forward takes {} arguments, but got {}; defaults count only where "
      "TAPIR_FORWARD_HAS_DEFAULT_ARGS names them",
      module.name(), wanted, got);
}
void any_empty_failure() { throw_error<ValueError>("AnyModule: it is empty; assign a module to it first"); }

}  // namespace tapir::nn::detail
