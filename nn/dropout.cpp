#include "tapir/nn/dropout.h"

#include <ostream>

#include "tapir/autograd/node.h"
#include "tapir/nn/functional.h"
#include "tapir/tensor/error_format.h"

namespace tapir::nn {

#define TAPIR_DROPOUT(Name, function, FuncOptions)                                                    \
  void Name##Impl::reset() {                                                                          \
    TAPIR_CHECK_AS(ValueError, options.p() >= 0 && options.p() <= 1,                                  \
                   #Name ": p is {}, expected a probability", options.p());                           \
  }                                                                                                   \
  void Name##Impl::pretty_print(std::ostream& stream) const {                                         \
    stream << std::boolalpha << "tapir::nn::" #Name "(p=" << options.p()                              \
           << ", inplace=" << options.inplace() << ")";                                               \
  }                                                                                                   \
  Tensor Name##Impl::forward(Tensor input) {                                                          \
    CallSite site(TAPIR_HERE);                                                                        \
    return functional::function(                                                                      \
        std::move(input),                                                                             \
        functional::FuncOptions().p(options.p()).training(is_training()).inplace(options.inplace())); \
  }
TAPIR_DROPOUT(Dropout, dropout, DropoutFuncOptions)
TAPIR_DROPOUT(Dropout2d, dropout2d, DropoutFuncOptions)
TAPIR_DROPOUT(Dropout3d, dropout3d, DropoutFuncOptions)
TAPIR_DROPOUT(AlphaDropout, alpha_dropout, AlphaDropoutFuncOptions)
TAPIR_DROPOUT(FeatureAlphaDropout, feature_alpha_dropout, AlphaDropoutFuncOptions)

}  // namespace tapir::nn
