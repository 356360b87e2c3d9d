#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#ifdef __unix__
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "support/catch.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/error.h"

using tapir::cpu::parallel_for;

namespace {

/// Restores the number of threads.
struct Threads {
  explicit Threads(int n) { tapir::set_num_threads(n); }
  ~Threads() { tapir::set_num_threads(before); }
  int before = tapir::get_num_threads();
};

/// How often a loop over [begin, end) visits each index.
std::vector<int> visits(int64_t begin, int64_t end, int64_t grain) {
  std::vector<int> count(static_cast<size_t>(end - begin), 0);
  parallel_for(begin, end, grain, [&](int64_t lo, int64_t hi) {
    for (int64_t i = lo; i < hi; ++i) ++count[static_cast<size_t>(i - begin)];
  });
  return count;
}

void spin_for(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

}  // namespace

TEST_CASE("parallel_for visits each index once") {
  for (int threads : {1, 2, 3, 8}) {
    const Threads restore(threads);
    for (int64_t n : {1, 2, 3, 7, 8, 64, 1000, 4097}) {
      for (int64_t grain : {1, 3, 16, 1000}) {
        CAPTURE(threads, n, grain);
        CHECK(visits(-5, n - 5, grain) == std::vector<int>(static_cast<size_t>(n), 1));
      }
    }
  }
}

TEST_CASE("An empty range calls nothing, and a grain below 1 counts as 1") {
  bool called = false;
  parallel_for(3, 3, 1, [&](int64_t, int64_t) { called = true; });
  parallel_for(3, 2, 1, [&](int64_t, int64_t) { called = true; });
  CHECK_FALSE(called);
  CHECK(visits(0, 10, 0) == std::vector<int>(10, 1));
  CHECK(visits(0, 10, -4) == std::vector<int>(10, 1));
}

TEST_CASE("A range of one grain runs whole, here") {
  const Threads restore(4);
  int calls = 0;
  parallel_for(10, 26, 16, [&](int64_t lo, int64_t hi) {
    ++calls;
    CHECK(lo == 10);
    CHECK(hi == 26);
    CHECK_FALSE(tapir::cpu::in_parallel());
  });
  CHECK(calls == 1);
}

TEST_CASE("Pieces start at multiples of the grain") {
  const Threads restore(3);
  std::atomic<int> wrong = 0;
  for (int64_t n : {17, 100, 1001}) {
    parallel_for(2, 2 + n, 8, [&](int64_t lo, int64_t hi) {
      if ((lo - 2) % 8 != 0 || ((hi - 2) % 8 != 0 && hi != 2 + n)) ++wrong;
    });
  }
  CHECK(wrong == 0);
}

TEST_CASE("Several threads take part in a long loop") {
  const Threads restore(2);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  parallel_for(0, 8, 1, [&](int64_t lo, int64_t) {
    const auto start = std::chrono::steady_clock::now();
    size_t count = 0;
    do {
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
      count = seen.size();
      // The first piece ends, so that the caller can see that waking the worker pays; the others wait for it.
    } while (std::chrono::steady_clock::now() - start <
                 (lo == 0 ? std::chrono::seconds(0) : std::chrono::seconds(20)) +
                     std::chrono::microseconds(200) &&
             count < 2);
  });
  CHECK(seen.size() == 2);
}

TEST_CASE("A loop inside a loop runs serially and right") {
  const Threads restore(4);
  std::vector<std::atomic<int>> count(64 * 32);
  parallel_for(0, 64, 1, [&](int64_t lo, int64_t hi) {
    for (int64_t i = lo; i < hi; ++i) {
      int calls = 0;
      parallel_for(0, 32, 1, [&](int64_t a, int64_t b) {
        ++calls;
        for (int64_t j = a; j < b; ++j) ++count[static_cast<size_t>(i * 32 + j)];
      });
      if (calls != 1) throw std::logic_error("a nested loop ran in pieces");
    }
  });
  for (const auto& c : count) REQUIRE(c == 1);
}

TEST_CASE("An exception reaches the caller, and the pool goes on working") {
  const Threads restore(3);
  for (int64_t bad : {0, 500, 999}) {
    CAPTURE(bad);
    std::string message;
    try {
      parallel_for(0, 1000, 1, [&](int64_t lo, int64_t hi) {
        if (lo <= bad && bad < hi) throw std::runtime_error("piece " + std::to_string(bad));
      });
    } catch (const std::runtime_error& e) {
      message = e.what();
    }
    CHECK(message == "piece " + std::to_string(bad));
    CHECK_FALSE(tapir::cpu::in_parallel());
    CHECK(visits(0, 1000, 1) == std::vector<int>(1000, 1));
  }
}

TEST_CASE("When every piece throws, one exception arrives") {
  const Threads restore(4);
  for (int round = 0; round < 200; ++round) {
    CHECK_THROWS_AS(parallel_for(0, 64, 1, [](int64_t lo, int64_t) { throw lo; }), int64_t);
  }
}

TEST_CASE("Threads of the user's may run loops at the same time") {
  const Threads restore(3);
  std::atomic<int64_t> wrong = 0;
  std::vector<std::thread> users;
  for (int u = 0; u < 4; ++u) {
    users.emplace_back([&wrong, u] {
      for (int round = 0; round < 300; ++round) {
        std::vector<int64_t> values(257, 0);
        parallel_for(0, 257, 4, [&](int64_t lo, int64_t hi) {
          for (int64_t i = lo; i < hi; ++i) values[static_cast<size_t>(i)] = i * u;
        });
        for (int64_t i = 0; i < 257; ++i) wrong += values[static_cast<size_t>(i)] != i * u;
      }
    });
  }
  for (std::thread& t : users) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("Workers that went to sleep take part again") {
  const Threads restore(4);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // far longer than a worker spins
    std::atomic<int64_t> sum = 0;
    parallel_for(0, 16, 1, [&](int64_t lo, int64_t hi) {
      spin_for(std::chrono::microseconds(20) * (hi - lo));
      for (int64_t i = lo; i < hi; ++i) sum += i;
    });
    REQUIRE(sum == 120);
  }
}

TEST_CASE("The number of threads can be set, also between loops and inside one") {
  const Threads restore(2);
  CHECK(tapir::get_num_threads() == 2);
  for (int n : {5, 1, 3, 2, 7}) {
    tapir::set_num_threads(n);
    CHECK(tapir::get_num_threads() == n);
    CHECK(visits(0, 999, 1) == std::vector<int>(999, 1));
  }
  parallel_for(0, 100, 1, [](int64_t, int64_t) { tapir::set_num_threads(4); });
  CHECK(tapir::get_num_threads() == 4);
  CHECK(visits(0, 999, 1) == std::vector<int>(999, 1));
  CHECK_THROWS_AS(tapir::set_num_threads(0), tapir::ValueError);
  CHECK_THROWS_AS(tapir::set_num_threads(-3), tapir::ValueError);
  CHECK(tapir::get_num_threads() == 4);
}

#if defined(__unix__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("A forked child makes its own workers") {
  const Threads restore(3);
  REQUIRE(visits(0, 1000, 1) == std::vector<int>(1000, 1));  // workers exist
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(30);  // a child that hangs is ended
    const bool good = visits(0, 1000, 1) == std::vector<int>(1000, 1);
    _exit(good ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif
