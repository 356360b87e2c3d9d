#include "tapir/nn/utils/convert_parameters.h"

#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"

namespace tapir::nn::utils {

Tensor parameters_to_vector(const std::vector<Tensor>& parameters) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, !parameters.empty(), "parameters_to_vector: there are no parameters");
  std::vector<Tensor> flat;
  flat.reserve(parameters.size());
  for (const Tensor& p : parameters) {
    TAPIR_CHECK_AS(DeviceError, p.device() == parameters[0].device(),
                   "parameters_to_vector: parameters on {} and on {}", parameters[0].device(), p.device());
    flat.push_back(reshape(p, {-1}));
  }
  return cat(flat);
}

void vector_to_parameters(const Tensor& vector, const std::vector<Tensor>& parameters) {
  int64_t total = 0;
  for (const Tensor& p : parameters) total += p.numel();
  TAPIR_CHECK_AS(ShapeError, vector.dim() == 1 && vector.numel() == total,
                 "vector_to_parameters: got a vector of sizes {} for parameters of {} elements",
                 vector.sizes(), total);
  for (const Tensor& p : parameters)
    TAPIR_CHECK_AS(ValueError, p.device() == vector.device() && p.dtype() == vector.dtype(),
                   "vector_to_parameters: the vector is {} on {}, a parameter {} on {}", vector.dtype(),
                   vector.device(), p.dtype(), p.device());
  const Tensor data = vector.detach();
  int64_t at = 0;
  for (Tensor p : parameters) {
    p.set_data(view(narrow(data, 0, at, p.numel()), p.sizes()));
    at += p.numel();
  }
}

}  // namespace tapir::nn::utils
