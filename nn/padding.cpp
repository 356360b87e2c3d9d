#include "tapir/nn/padding.h"

#include <ostream>

#include "tapir/autograd/functions/padding.h"
#include "tapir/autograd/functions/shape.h"

namespace tapir::nn {

namespace {

std::ostream& show(std::ostream& stream, const char* name, IntArrayRef padding) {
  stream << "tapir::nn::" << name << "(padding=[";
  for (size_t i = 0; i < padding.size(); ++i) stream << (i ? ", " : "") << padding[i];
  return stream << ']';
}

}  // namespace

#define TAPIR_PAD_LAYER(Name, function)                       \
  void Name##Impl::pretty_print(std::ostream& stream) const { \
    show(stream, #Name, options.padding()) << ')';            \
  }                                                           \
  Tensor Name##Impl::forward(const Tensor& input) {           \
    CallSite site(TAPIR_HERE);                                \
    return function(input, options.padding());                \
  }
#define TAPIR_PAD_LAYERS(D)                                                                        \
  TAPIR_PAD_LAYER(ReflectionPad##D##d, reflection_pad##D##d)                                       \
  TAPIR_PAD_LAYER(ReplicationPad##D##d, replication_pad##D##d)                                     \
  void ConstantPad##D##dImpl::pretty_print(std::ostream& stream) const {                           \
    show(stream, "ConstantPad" #D "d", options.padding()) << ", value=" << options.value() << ')'; \
  }                                                                                                \
  Tensor ConstantPad##D##dImpl::forward(const Tensor& input) {                                     \
    CallSite site(TAPIR_HERE);                                                                     \
    return constant_pad_nd(input, options.padding(), Scalar(options.value()));                     \
  }
TAPIR_PAD_LAYERS(1)
TAPIR_PAD_LAYERS(2)
TAPIR_PAD_LAYERS(3)
TAPIR_PAD_LAYER(ZeroPad2d, constant_pad_nd)
#undef TAPIR_PAD_LAYERS
#undef TAPIR_PAD_LAYER

}  // namespace tapir::nn
