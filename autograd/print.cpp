// Tensor::str: the values, and what autograd knows of them.
#include "tapir/tensor/print.h"

#include "tapir/autograd/node.h"

namespace tapir {

std::string Tensor::str() const {
  std::vector<std::string> suffixes;
  if (defined()) {
    if (const Ref<Node> node = grad_fn())
      suffixes.push_back(std::string("grad_fn=<") + node->name() + ">");
    else if (requires_grad())
      suffixes.push_back("requires_grad=True");
  }
  return format_tensor(*this, get_print_options(), suffixes);
}

}  // namespace tapir
