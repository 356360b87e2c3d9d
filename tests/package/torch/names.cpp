// libtorch's names beside its modules, in the ways that its programs use them: functions and their forms,
// what is left out or given as nothing, the switches of autograd, c10's support. It builds against
// libtorch 1.13 too.
#include <c10/util/tempfile.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using torch::Tensor;

namespace {

int failures = 0;
void expect(bool good, const char* what) {
  if (good) return;
  ++failures;
  std::printf("failed: %s\n", what);
}
#define EXPECT(condition) expect(condition, #condition)

void switches() {
  Tensor x = torch::ones({2}, torch::requires_grad());
  {
    torch::NoGradGuard no_grad;
    EXPECT(!(x * 2).requires_grad() && !torch::GradMode::is_enabled());
    torch::AutoGradMode grad(true);
    EXPECT((x * 2).requires_grad());
  }
  {
    c10::InferenceMode inference;
    EXPECT(torch::ones({2}).is_inference() && c10::InferenceMode::is_enabled());
  }
  {
    torch::autograd::DetectAnomalyGuard detect;
    EXPECT(torch::autograd::AnomalyMode::is_enabled());
    bool refused = false;
    try {
      (x - 1).sqrt().mul(0).sum().backward();
    } catch (const std::exception&) {
      refused = true;
    }
    EXPECT(refused);
  }
  EXPECT(!torch::autograd::AnomalyMode::is_enabled());
  const unsigned hook = x.register_hook([](Tensor g) { return g * 10; });
  x.mutable_grad() = Tensor();
  Tensor y = x * x;
  y.retain_grad();
  torch::autograd::backward({y.sum()}, {});
  EXPECT(x.grad()[0].item<float>() == 20 && y.grad().defined() && y.retains_grad() && !x.grad_fn());
  x.remove_hook(hook);
  const torch::autograd::variable_list grads = torch::autograd::grad({(x * x).sum()}, {x}, {}, true, true);
  EXPECT(grads[0].requires_grad() && grads[0].grad_fn()->next_edges().size() > 0 &&
         !std::string(grads[0].grad_fn()->name()).empty());
  torch::autograd::variable_list list{x};
  EXPECT(x.is_leaf() && x.output_nr() == 0 && x._version() == 0 && y.detach().is_leaf() && list.size() == 1);
  torch::autograd::Variable made = torch::autograd::make_variable(torch::ones({1}), true);
  EXPECT(made.requires_grad());
}

void choices() {
  const auto reduction = torch::nn::MSELossOptions(torch::kSum).reduction();
  EXPECT(torch::get_if<torch::enumtype::kSum>(&reduction) &&
         !torch::get_if<torch::enumtype::kMean>(&reduction));
  EXPECT(torch::enumtype::get_enum_name(reduction) == "kSum");
  torch::variant<torch::enumtype::kNone, torch::enumtype::kMean, torch::enumtype::kSum> v = torch::kMean;
  EXPECT(c10::holds_alternative<torch::enumtype::kMean>(v) &&
         torch::enumtype::reduction_get_enum(v) == torch::Reduction::Mean);
  v = torch::kNone;
  EXPECT(torch::get_if<torch::enumtype::kNone>(&v) && torch::enumtype::get_enum_name(v) == "kNone");
  const auto rnn = torch::nn::RNNOptions(2, 3).nonlinearity(torch::kReLU);
  EXPECT(torch::get_if<torch::enumtype::kReLU>(&rnn.nonlinearity()));
  torch::ExpandingArray<2> two(3);
  EXPECT(two->size() == 2 && (*two)[1] == 3);
}

struct Counter : c10::WarningHandler {
  void process(const c10::SourceLocation&, const std::string& message, const bool) override {
    last = message;
  }
  std::string last;
};

void support() {
  Counter counter;
  c10::WarningHandler* before = c10::Warning::get_warning_handler();
  c10::Warning::set_warning_handler(&counter);
  TORCH_WARN("got ", 3);
  EXPECT(counter.last == "got 3");
  for (int i = 0; i < 2; ++i) TORCH_WARN_ONCE("pass ", i);
  EXPECT(counter.last == "pass 0" && !c10::Warning::get_warnAlways());
  c10::Warning::set_warning_handler(before);

  std::string message;
  std::string kind;
  try {
    TORCH_CHECK_NOT_IMPLEMENTED(1 > 2, "greater");
  } catch (const c10::NotImplementedError&) {
    kind = "not implemented";
  }
  EXPECT(kind == "not implemented");
  try {
    TORCH_CHECK_VALUE(1 > 2, "greater");
  } catch (const c10::NotImplementedError&) {
    kind = "not implemented, wrongly";
  } catch (const c10::ValueError&) {
    kind = "value";
  }
  EXPECT(kind == "value");
  try {
    TORCH_CHECK(1 > 2, "not ", 1, " > ", 2);
  } catch (const c10::Error& e) {
    message = e.what_without_backtrace();
  }
  EXPECT(message == "not 1 > 2");
  const auto file = c10::make_tempfile("names-");
  torch::save(torch::ones({2}), file.name);
  Tensor loaded;
  torch::load(loaded, file.name);
  EXPECT(loaded.equal(torch::ones({2})));
  int64_t sum = 0;
  for (const auto i : c10::irange(2, 5)) sum += i;
  EXPECT(sum == 9 && *torch::make_unique<int>(4) == 4 && c10::str("a", 1) == "a1");
  const auto flat = torch::flatten_dense_tensors({torch::ones({2}), torch::zeros({1, 3})});
  EXPECT(torch::unflatten_dense_tensors(flat, {torch::ones({2}), torch::zeros({1, 3})})[1].dim() == 2);
  at::init_num_threads();
  EXPECT(at::get_num_interop_threads() >= 1 && torch::get_num_threads() >= 1);
  torch::set_default_dtype(torch::scalarTypeToTypeMeta(torch::kDouble));
  EXPECT(torch::ones({1}).scalar_type() == torch::kDouble &&
         torch::typeMetaToScalarType(torch::get_default_dtype()) == torch::kDouble);
  torch::set_default_dtype(caffe2::TypeMeta::Make<float>());
  std::ostringstream text;
  text << torch::ones({2, 3}).sizes() << torch::Device("cuda:1") << torch::kFloat
       << torch::toString(torch::kLong);
  EXPECT(text.str().rfind("[2, 3]cuda:1", 0) == 0);
  EXPECT(torch::promoteTypes(torch::kInt, torch::kFloat) == torch::kFloat &&
         torch::isFloatingType(torch::kHalf));
  const auto storage = loaded.storage();
  EXPECT(storage.data() == loaded.data_ptr());
  torch::Generator generator = torch::make_generator<at::CPUGeneratorImpl>(3);
  EXPECT(torch::rand({2}, generator).numel() == 2);
  static_assert(torch::all_of<true, true>::value && !torch::any_of<false>::value);
  int calls = 0;
  torch::apply([&](int i) { calls += i; }, 1, 2);
  EXPECT(calls == 3);
}

void containers_and_graphs() {
  torch::nn::Sequential net(torch::nn::Linear(2, 2), torch::nn::ReLU());
  torch::nn::ParameterList list(torch::ones({2}));
  list->extend(*list);
  EXPECT(list->size() == 2 && list[1].size(0) == 2 && net[1]->name().find("ReLU") != std::string::npos);
  const auto x = torch::ones({2, 2}, torch::dtype<double>().requires_grad(true));
  const auto y = x * 2;
  EXPECT(y.grad_fn()->name().find("Mul") == 0 && y.grad_fn()->name() + "0" == "MulBackward0");
  EXPECT(torch::norm(x, 1, torch::kFloat).scalar_type() == torch::kFloat && x.norm(1, 0).size(0) == 2);
  EXPECT(torch::TensorOptions(torch::kCPU).device_index() == -1);
  torch::nn::TransformerEncoder encoder(torch::nn::TransformerEncoderLayer(4, 2), 1);
  torch::manual_seed(3);
  encoder->reset_parameters();
  const torch::Tensor first = encoder->parameters()[0].clone();
  torch::manual_seed(3);
  encoder->reset_parameters();
  EXPECT(first.equal(encoder->parameters()[0]));
  EXPECT(torch::enumtype::get_enum_name(torch::enumtype::kBilinear()) == "kBilinear");
}

void queues() {
  namespace detail = torch::data::detail;
  struct Numbered {
    size_t sequence_number;
  };
  detail::Queue<int> queue;
  queue.push(1);
  queue.push(2);
  EXPECT(queue.pop() == 1 && queue.clear() == 1);
  bool late = false;
  try {
    queue.pop(std::chrono::milliseconds(5));
  } catch (const torch::Error&) {
    late = true;
  }
  EXPECT(late);
  detail::DataShuttle<int, Numbered> shuttle;
  std::thread worker([&] {
    for (int i = 0; i < 3; ++i) shuttle.push_result({2 - static_cast<size_t>(shuttle.pop_job())});
  });
  for (int i = 0; i < 3; ++i) shuttle.push_job(i);
  detail::sequencers::OrderedSequencer<Numbered> ordered(3);
  for (size_t i = 0; i < 3; ++i)
    EXPECT(ordered.next([&] { return shuttle.pop_result(); })->sequence_number == i);
  EXPECT(!ordered.next([&] { return shuttle.pop_result(); }));
  worker.join();
  shuttle.push_job(7);
  shuttle.drain();
  EXPECT(shuttle.in_flight_jobs() == 0);
  detail::sequencers::NoSequencer<int> plain;
  EXPECT(plain.next([] { return torch::optional<int>(4); }) == 4);
}

void odds() {
  namespace F = torch::nn::functional;
  const auto x = torch::ones({2, 2});
  torch::Tensor out = torch::empty({2, 2});
  F::normalize(x, F::NormalizeFuncOptions().out(out));
  EXPECT(torch::allclose(out, x / std::sqrt(2.0)));
  const torch::DataPtr& memory = x.storage().data_ptr();
  EXPECT(memory.get() == x.data_ptr() && memory.get_context() != nullptr && memory.device().is_cpu());
  EXPECT(torch::Join(", ", std::vector<int>{1, 2, 3}) == "1, 2, 3");
  caffe2::TypeMeta type = torch::scalarTypeToTypeMeta(torch::kDouble);
  EXPECT(torch::typeMetaToScalarType(type) == torch::kDouble && type.itemsize() == 8);
  EXPECT(torch::dtype(torch::kFloat).layout(torch::kStrided).layout() != torch::kSparse);
}

}  // namespace

int main() {
  queues();
  odds();
  switches();
  choices();
  support();
  containers_and_graphs();
  return failures == 0 ? 0 : 1;
}
