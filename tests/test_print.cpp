// Tensors print as Python's PyTorch prints them (without "torch." before the dtype). The same tensors, in the
// same order, are printed by tests/oracle/make_oracle.py.
#include <fstream>
#include <sstream>

#include "support/tensors.h"

using namespace tapir;

namespace {

std::vector<std::string> printed_by_python() {
  std::ifstream file(std::string(TAPIR_TEST_DIR) + "/oracle/print.txt");
  std::vector<std::string> texts;
  std::string text;
  for (std::string line; std::getline(file, line);) {
    if (line == "---") {
      texts.push_back(text);
      text.clear();
    } else {
      text += (text.empty() ? "" : "\n") + line;
    }
  }
  return texts;
}

}  // namespace

TEST_CASE("tensors print as in Python") {
  const double inf = INFINITY, nan = NAN;
  const Tensor tensors[] = {
      tensor(3),
      tensor(2.5),
      tensor({1.0, 2.0}),
      tensor({1, -20, 300}),
      tensor({true, false}),
      tensor({1.5, -2.25, 100.125}),
      tensor({1e-5, 1.0}),
      tensor({1e9, 1.0}),
      tensor({0.0, inf, -inf, nan}),
      tensor({1.5, nan}),
      tensor({12345.0, 1.0}),
      tensor({0.0, 0.0}),
      arange(6).view({2, 3}),
      arange(24.0).view({2, 3, 4}),
      zeros({0}),
      zeros({0, 3}),
      zeros({0}, kInt64),
      tensor({1.5}, kFloat64),
      tensor({1, 2}, kInt32),
      tensor({1.5, 2.5}, kFloat16),
      tensor({1.5, -2.5}, kBFloat16),
      arange(2000),
      arange(10000.0).view({100, 100}),
      arange(3000).view({10, 10, 30}) / 7,
      arange(40.0) / 3,
      arange(6.0).view({2, 3}).t(),
      arange(100).view({2, 50}),
      ones({2}, requires_grad()),
      arange(12, kFloat64).view({1, 2, 2, 3}),
      tensor({-0.0, 1.0}),
      tensor({123456789.0}),
      tensor(nan),
      tensor({0.00001}),
      full({3, 1001}, 7),
      tensor({255, 0}, kUInt8),
  };
  const std::vector<std::string> expected = printed_by_python();
  REQUIRE(expected.size() == std::size(tensors));
  for (size_t i = 0; i < expected.size(); ++i) CHECK(tensors[i].str() == expected[i]);
}

TEST_CASE("history and nothing at all are shown") {
  const Tensor x = ones({2}, requires_grad());
  CHECK((x * 2).str() == "tensor([2., 2.], grad_fn=<MulBackward>)");
  CHECK(Tensor().str() == "[ Tensor (undefined) ]");
  std::ostringstream stream;
  stream << tensor({1, 2}) << "!";
  CHECK(stream.str() == "tensor([1, 2])!");
}

TEST_CASE("print options") {
  const PrintOptions before = get_print_options();
  PrintOptions o = before;
  o.precision = 2;
  o.edgeitems = 1;
  o.threshold = 5;
  set_print_options(o);
  CHECK(tensor({1.5, 2.25}).str() == "tensor([1.50, 2.25])");
  CHECK(arange(8).str() == "tensor([0,  ..., 7])");
  o.sci_mode = true;
  set_print_options(o);
  CHECK(tensor({1.5}).str() == "tensor([1.50e+00])");
  o.linewidth = 0;
  CHECK_THROWS_AS(set_print_options(o), ValueError);
  set_print_options(before);
}
