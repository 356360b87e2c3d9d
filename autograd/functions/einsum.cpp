#include "tapir/autograd/functions/einsum.h"

#include <algorithm>
#include <array>
#include <string>

#include "tapir/autograd/functions/linalg_parts.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/tensor/error_format.h"

namespace tapir {

namespace {

constexpr int kLetters = 52;

/// 'A' ... 'Z' as 0 ... 25, 'a' ... 'z' as 26 ... 51, others as -1.
int letter_number(char c) {
  return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? 26 + c - 'a' : -1;
}
char letter_of(int number) { return static_cast<char>(number < 26 ? 'A' + number : 'a' + number - 26); }

/// The letters of one operand or of the output; kDots for "...".
constexpr int kDots = kLetters;
std::vector<int> parse_term(std::string_view text, std::string_view whole) {
  std::vector<int> labels;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    if (text[i] == '.') {
      TAPIR_CHECK_AS(ValueError, text.substr(i, 3) == "...",
                     "einsum: '{}' has a dot that is no part of '...'", whole);
      TAPIR_CHECK_AS(ValueError, std::find(labels.begin(), labels.end(), kDots) == labels.end(),
                     "einsum: '{}' has '...' twice in one term", whole);
      labels.push_back(kDots);
      i += 2;
      continue;
    }
    const int n = letter_number(text[i]);
    TAPIR_CHECK_AS(ValueError, n >= 0, "einsum: '{}' in '{}' is no letter", text[i], whole);
    labels.push_back(n);
  }
  return labels;
}

struct Equation {
  std::vector<std::vector<int>> inputs;
  std::vector<int> output;

  Equation(std::string_view text, size_t operands) {
    const size_t arrow = text.find("->");
    std::string_view left = text.substr(0, arrow);
    for (size_t from = 0;;) {
      const size_t comma = left.find(',', from);
      inputs.push_back(parse_term(left.substr(from, comma == left.npos ? comma : comma - from), text));
      if (comma == left.npos) break;
      from = comma + 1;
    }
    TAPIR_CHECK_AS(ValueError, inputs.size() == operands, "einsum: '{}' is for {} operands, {} were given",
                   text, inputs.size(), operands);
    std::array<int, kLetters + 1> times{};
    for (const auto& term : inputs)
      for (int label : term) ++times[static_cast<size_t>(label)];
    if (arrow == text.npos) {
      if (times[kDots] > 0) output.push_back(kDots);
      for (int n = 0; n < kLetters; ++n)
        if (times[static_cast<size_t>(n)] == 1) output.push_back(n);
      return;
    }
    output = parse_term(text.substr(arrow + 2), text);
    std::array<bool, kLetters + 1> seen{};
    for (int label : output) {
      if (label == kDots) continue;
      TAPIR_CHECK_AS(ValueError, times[static_cast<size_t>(label)] > 0,
                     "einsum: '{}' is in the output of '{}' and in no operand", letter_of(label), text);
      TAPIR_CHECK_AS(ValueError, !seen[static_cast<size_t>(label)],
                     "einsum: '{}' is twice in the output of '{}'", letter_of(label), text);
      seen[static_cast<size_t>(label)] = true;
    }
  }
};

/// The product of a and b, of as many dimensions, summed over those in `summed`, which stay with size 1.
Tensor multiply_and_sum(Tensor a, Tensor b, const std::vector<bool>& summed) {
  const int64_t dims = a.dim();
  Dims both, left, right, inner, sizes;  // dimensions by who has them; inner: both, and summed
  Dims only_a, only_b;
  for (int64_t d = 0; d < dims; ++d) {
    const bool in_a = a.size(d) != 1, in_b = b.size(d) != 1;
    if (summed[static_cast<size_t>(d)]) {
      if (in_a && in_b) {
        inner.push_back(d);
      } else {
        if (in_a) only_a.push_back(d);
        if (in_b) only_b.push_back(d);
        left.push_back(d);  // of size 1 once it is summed
      }
    } else if (in_a && in_b) {
      both.push_back(d);
    } else if (in_b) {
      right.push_back(d);
    } else {
      left.push_back(d);
    }
  }
  if (!only_a.empty()) a = sum(a, only_a, true, a.dtype());
  if (!only_b.empty()) b = sum(b, only_b, true, b.dtype());
  if (inner.empty()) return mul(a, b);

  const auto size_of = [](const Tensor& x, const Dims& d) {
    int64_t n = 1;
    for (int64_t i : d) n *= x.size(i);
    return n;
  };
  const auto joined = [](std::initializer_list<const Dims*> parts) {
    Dims all;
    for (const Dims* part : parts)
      for (int64_t d : *part) all.push_back(d);
    return all;
  };
  const int64_t batch = size_of(a, both), k = size_of(a, inner);
  const Tensor x = reshape(permute(a, joined({&both, &left, &inner, &right})), {batch, size_of(a, left), k});
  const Tensor y = reshape(permute(b, joined({&both, &inner, &right, &left})), {batch, k, size_of(b, right)});
  const Dims order = joined({&both, &left, &right, &inner});
  for (int64_t d : both) sizes.push_back(a.size(d));
  for (int64_t d : left) sizes.push_back(a.size(d));
  for (int64_t d : right) sizes.push_back(b.size(d));
  for (size_t i = 0; i < inner.size(); ++i) sizes.push_back(1);
  Dims back = Dims::uninitialized(order.size());
  for (size_t i = 0; i < order.size(); ++i) back[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  const Tensor product = batch == 1 ? unsqueeze(mm(squeeze(x, 0), squeeze(y, 0)), 0) : bmm(x, y);
  return permute(reshape(product, sizes), back);
}

}  // namespace

Tensor einsum(std::string_view text, TensorList operands, IntArrayRef path) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, !operands.empty(), "einsum: no operands given");
  const Equation equation(text, operands.size());
  for (const Tensor& x : operands) {
    TAPIR_CHECK_AS(DTypeError, x.dtype() == operands[0].dtype(),
                   "einsum: got {} and {}, expected the same dtype; cast one with to(dtype)",
                   operands[0].dtype(), x.dtype());
    TAPIR_CHECK_AS(DeviceError, x.device() == operands[0].device(),
                   "einsum: tensors on {} and {}; move them to one device with to(device)",
                   operands[0].device(), x.device());
  }

  // How many dimensions "..." stands for, at most.
  int64_t dots = 0;
  for (size_t i = 0; i < operands.size(); ++i) {
    const auto& term = equation.inputs[i];
    const bool has_dots = std::find(term.begin(), term.end(), kDots) != term.end();
    const int64_t rest = operands[i].dim() - static_cast<int64_t>(term.size()) + has_dots;
    TAPIR_CHECK_AS(ShapeError, has_dots ? rest >= 0 : rest == 0,
                   "einsum: operand {} has sizes {}, '{}' names {} dimensions of it", i, operands[i].sizes(),
                   text, static_cast<int64_t>(term.size()) - has_dots);
    if (has_dots) dots = std::max(dots, rest);
  }

  // Places: those of the output in its order, then the dimensions that are summed.
  std::array<int64_t, kLetters> place;
  place.fill(-1);
  int64_t dots_place = -1, places = 0;
  for (int label : equation.output) {
    if (label == kDots) {
      dots_place = places;
      places += dots;
    } else {
      place[static_cast<size_t>(label)] = places++;
    }
  }
  const int64_t outputs = places;
  if (dots_place < 0) {
    dots_place = places;
    places += dots;
  }
  for (const auto& term : equation.inputs)
    for (int label : term)
      if (label != kDots && place[static_cast<size_t>(label)] < 0)
        place[static_cast<size_t>(label)] = places++;

  // Every operand with one dimension per place, of size 1 where it has none.
  std::vector<Tensor> terms;
  std::vector<int64_t> seen(static_cast<size_t>(places), 1);
  for (size_t i = 0; i < operands.size(); ++i) {
    Tensor x = operands[i];
    std::vector<int64_t> at;  // the place of each dimension of x
    const auto& term = equation.inputs[i];
    for (int label : term) {
      if (label == kDots) {
        const int64_t here = x.dim() - (static_cast<int64_t>(term.size()) - 1);
        for (int64_t d = 0; d < here; ++d) at.push_back(dots_place + dots - here + d);
      } else {
        at.push_back(place[static_cast<size_t>(label)]);
      }
    }
    for (size_t d = 0; d < at.size(); ++d) {
      int64_t& size = seen[static_cast<size_t>(at[d])];
      const int64_t n = operands[i].size(static_cast<int64_t>(d));
      TAPIR_CHECK_AS(ShapeError, n == 1 || size == 1 || n == size,
                     "einsum: dimension {} of operand {} has size {}, which '{}' joins with one of size {}",
                     d, i, n, text, size);
      if (n != 1) size = n;
    }
    for (size_t d = 0; d < at.size(); ++d)
      for (size_t e = d + 1; e < at.size();) {
        if (at[e] != at[d]) {
          ++e;
          continue;
        }
        TAPIR_CHECK_AS(
            ShapeError, x.size(static_cast<int64_t>(d)) == x.size(static_cast<int64_t>(e)),
            "einsum: operand {} has sizes {}; '{}' takes a diagonal of dimensions that differ in size", i,
            operands[i].sizes(), text);
        x = movedim(diagonal(x, 0, static_cast<int64_t>(d), static_cast<int64_t>(e)), -1,
                    static_cast<int64_t>(d));
        at.erase(at.begin() + static_cast<std::ptrdiff_t>(e));
      }
    Dims order, sizes = Dims::filled(static_cast<size_t>(places), 1);
    for (int64_t p = 0; p < places; ++p) {
      const auto it = std::find(at.begin(), at.end(), p);
      if (it == at.end()) continue;
      order.push_back(it - at.begin());
      sizes[static_cast<size_t>(p)] = x.size(it - at.begin());
    }
    terms.push_back(reshape(permute(x, order), sizes));
  }

  // A place is summed when no other term that is left has it. (A size that is 1 everywhere needs no sum.)
  std::vector<bool> summed(static_cast<size_t>(places), false);
  const auto mark = [&](size_t skip_a, size_t skip_b) {
    for (int64_t p = outputs; p < places; ++p) {
      bool elsewhere = false;
      for (size_t i = 0; i < terms.size(); ++i)
        if (i != skip_a && i != skip_b && terms[i].size(p) != 1) elsewhere = true;
      summed[static_cast<size_t>(p)] = !elsewhere;
    }
  };
  TAPIR_CHECK_AS(ValueError, path.empty() || path.size() == 2 * (operands.size() - 1),
                 "einsum: the path has {} entries, expected {} for {} operands", path.size(),
                 2 * (operands.size() - 1), operands.size());
  for (size_t step = 0; terms.size() > 1; ++step) {
    size_t i = 0, j = 1;
    if (!path.empty()) {
      const int64_t n = static_cast<int64_t>(terms.size()), x = path[2 * step], y = path[2 * step + 1];
      TAPIR_CHECK_AS(
          ValueError, x >= 0 && x < n && y >= 0 && y < n && x != y,
          "einsum: step {} of the path multiplies {} and {}, expected two of the {} terms that are left",
          step, x, y, n);
      i = static_cast<size_t>(x);
      j = static_cast<size_t>(y);
    }
    mark(i, j);
    Tensor product = multiply_and_sum(terms[i], terms[j], summed);
    terms.erase(terms.begin() + static_cast<std::ptrdiff_t>(std::max(i, j)));
    terms.erase(terms.begin() + static_cast<std::ptrdiff_t>(std::min(i, j)));
    terms.insert(path.empty() ? terms.begin() : terms.end(), std::move(product));
  }
  Tensor y = terms[0];
  Dims rest, sizes;
  for (int64_t p = outputs; p < places; ++p)
    if (y.size(p) != 1) rest.push_back(p);
  if (!rest.empty()) y = sum(y, rest, true, y.dtype());
  for (int64_t p = 0; p < outputs; ++p) sizes.push_back(y.size(p));
  return reshape(y, sizes);
}

Tensor tensordot(const Tensor& a, const Tensor& b, IntArrayRef dims_a, IntArrayRef dims_b) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, dims_a.size() == dims_b.size(),
                 "tensordot: {} dimensions of the first and {} of the second, expected as many",
                 dims_a.size(), dims_b.size());
  std::vector<int64_t> sum_a, sum_b;
  for (size_t i = 0; i < dims_a.size(); ++i) {
    sum_a.push_back(a.layout_of().wrap_dim(dims_a[i], "tensordot"));
    sum_b.push_back(b.layout_of().wrap_dim(dims_b[i], "tensordot"));
    TAPIR_CHECK_AS(ValueError,
                   std::count(sum_a.begin(), sum_a.end(), sum_a.back()) == 1 &&
                       std::count(sum_b.begin(), sum_b.end(), sum_b.back()) == 1,
                   "tensordot: dims {} and {} name one dimension twice", dims_a, dims_b);
  }
  Tensor x = a, y = b;
  for (size_t i = 0; i < sum_a.size(); ++i) {
    const int64_t m = x.size(sum_a[i]), n = y.size(sum_b[i]);
    TAPIR_CHECK_AS(ShapeError, m == n || m == 1 || n == 1,
                   "tensordot: dimension {} of sizes {} does not fit dimension {} of sizes {}", sum_a[i],
                   a.sizes(), sum_b[i], b.sizes());
    if (m == 1 && n != 1) y = sum(y, sum_b[i], true, y.dtype());
    if (n == 1 && m != 1) x = sum(x, sum_a[i], true, x.dtype());
  }
  Dims order_a, order_b, sizes;
  int64_t rows = 1, inner = 1, cols = 1;
  for (int64_t d = 0; d < a.dim(); ++d)
    if (std::find(sum_a.begin(), sum_a.end(), d) == sum_a.end()) {
      order_a.push_back(d);
      sizes.push_back(a.size(d));
      rows *= a.size(d);
    }
  for (size_t i = 0; i < sum_a.size(); ++i) {
    order_a.push_back(sum_a[i]);
    order_b.push_back(sum_b[i]);
    inner *= x.size(sum_a[i]);
  }
  for (int64_t d = 0; d < b.dim(); ++d)
    if (std::find(sum_b.begin(), sum_b.end(), d) == sum_b.end()) {
      order_b.push_back(d);
      sizes.push_back(b.size(d));
      cols *= b.size(d);
    }
  return reshape(mm(reshape(permute(x, order_a), {rows, inner}), reshape(permute(y, order_b), {inner, cols})),
                 sizes);
}

Tensor tensordot(const Tensor& a, const Tensor& b, int64_t dims) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, dims >= 0 && dims <= a.dim() && dims <= b.dim(),
                 "tensordot: {} dimensions of sizes {} and {}", dims, a.sizes(), b.sizes());
  Dims last, first;
  for (int64_t d = 0; d < dims; ++d) {
    last.push_back(a.dim() - dims + d);
    first.push_back(d);
  }
  return tensordot(a, b, last, first);
}

}  // namespace tapir
