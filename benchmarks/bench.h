#pragma once
// The harness of the benchmark programs. It names no library, so that one source measures whichever it is
// linked to.
//
//   int main(int argc, char** argv) {
//     bench::Suite suite(argc, argv);
//     suite.add("mm/n64", [] {                          // set-up: runs only if the case is chosen
//       auto a = torch::randn({64, 64});
//       return [a] { return torch::mm(a, a); };         // one iteration; its result is the case's value
//     });
//     return suite.run();
//   }
//
// Each case prints one line of JSON: {"name", "median_ns", "min_ns", "repeats", "iterations", "value"}. Times
// are per iteration; "value" is what the third iteration since set-up returned, so that two libraries can be
// seen to compute the same thing. The repeats of the chosen cases are interleaved, so that a drifting clock
// rate meets all of them alike.
//
// Arguments: --case NAME (repeatable; default all), --seconds S per case (0.5), --repeats N (7), --list.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

namespace bench {

// A number that stands for a result: itself, a scalar tensor's value, or a larger tensor's mean square.
template <class T>
double value_of(const T& result) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<double>(result);
  } else {
    return result.dim() == 0 ? result.template item<double>()
                             : (result * result).mean().template item<double>();
  }
}

class Suite {
 public:
  Suite(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const bool has_value = i + 1 < argc;
      if (!std::strcmp(argv[i], "--list")) {
        list_ = true;
      } else if (!std::strcmp(argv[i], "--case") && has_value) {
        chosen_.push_back(argv[++i]);
      } else if (!std::strcmp(argv[i], "--seconds") && has_value) {
        seconds_ = std::atof(argv[++i]);
      } else if (!std::strcmp(argv[i], "--repeats") && has_value) {
        repeats_ = std::max(1, std::atoi(argv[++i]));
      } else {
        std::fprintf(stderr, "%s: unknown argument '%s'\n", argv[0], argv[i]);
        std::exit(2);
      }
    }
  }

  // `make()` sets the case up and returns its iteration, a callable whose result value_of() understands.
  template <class Make>
  void add(std::string name, Make make) {
    if (list_) {
      std::puts(name.c_str());
      return;
    }
    if (!chosen_.empty() && std::find(chosen_.begin(), chosen_.end(), name) == chosen_.end()) return;
    auto step = make();
    Case added;
    added.name = std::move(name);
    for (int i = 0; i < 2; ++i) step();
    added.value = value_of(step());
    added.iterate = [step](std::int64_t n) mutable {
      for (std::int64_t i = 0; i < n; ++i) step();
    };
    cases_.push_back(std::move(added));
  }

  int run() {
    const double share = seconds_ / repeats_;
    for (Case& c : cases_) {
      c.iterations =
          1;  // doubled until the count fills half a repeat, then scaled to the whole: this is the warm-up
      double elapsed = time(c);
      while (elapsed < share / 2 && c.iterations < (std::int64_t{1} << 40)) {
        c.iterations *= 2;
        elapsed = time(c);
      }
      c.iterations = std::max<std::int64_t>(1, std::llround(c.iterations * share / elapsed));
    }
    for (int r = 0; r < repeats_; ++r) {
      for (Case& c : cases_) c.ns.push_back(time(c) * 1e9 / static_cast<double>(c.iterations));
    }
    for (Case& c : cases_) {
      std::sort(c.ns.begin(), c.ns.end());
      std::printf(
          "{\"name\": \"%s\", \"median_ns\": %.2f, \"min_ns\": %.2f, \"repeats\": %d, \"iterations\": %lld, "
          "\"value\": %.9g}\n",
          c.name.c_str(), c.ns[c.ns.size() / 2], c.ns.front(), repeats_, static_cast<long long>(c.iterations),
          c.value);
    }
    return 0;
  }

 private:
  struct Case {
    std::string name;
    std::function<void(std::int64_t)> iterate;
    std::int64_t iterations = 1;
    double value = 0;
    std::vector<double> ns;
  };

  static double time(Case& c) {
    const auto start = std::chrono::steady_clock::now();
    c.iterate(c.iterations);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  std::vector<std::string> chosen_;
  std::vector<Case> cases_;
  double seconds_ = 0.5;
  int repeats_ = 7;
  bool list_ = false;
};

}  // namespace bench
