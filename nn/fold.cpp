#include "tapir/nn/fold.h"

#include <ostream>

#include "tapir/autograd/functions/fold.h"

namespace tapir::nn {

namespace {

void show(std::ostream& stream, const char* name, const ExpandingArray<2>& two) {
  stream << name << "=[" << two[0] << ", " << two[1] << ']';
}
template <class Options>
void show_window(std::ostream& stream, const Options& o) {
  show(stream, "kernel_size", o.kernel_size());
  show(stream, ", dilation", o.dilation());
  show(stream, ", padding", o.padding());
  show(stream, ", stride", o.stride());
  stream << ')';
}

}  // namespace

Tensor functional::fold(const Tensor& input, const FoldFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return col2im(input, o.output_size(), o.kernel_size(), o.dilation(), o.padding(), o.stride());
}
Tensor functional::unfold(const Tensor& input, const UnfoldFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return im2col(input, o.kernel_size(), o.dilation(), o.padding(), o.stride());
}

void FoldImpl::pretty_print(std::ostream& stream) const {
  show(stream, "tapir::nn::Fold(output_size", options.output_size());
  stream << ", ";
  show_window(stream, options);
}
Tensor FoldImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return functional::fold(input, options);
}

void UnfoldImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Unfold(";
  show_window(stream, options);
}
Tensor UnfoldImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return functional::unfold(input, options);
}

}  // namespace tapir::nn
