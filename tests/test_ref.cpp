// Counting references: by the thread that made an object, by others, and by both at once.
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "support/catch.h"
#include "tapir/tensor/ref.h"
#include "tapir/tensor/tensor.h"

using namespace tapir;

namespace {

std::atomic<int> alive{0};
struct Thing : RefCounted {
  Thing() { ++alive; }
  ~Thing() { --alive; }
  static void destroy(Thing* t) { delete t; }
};
Ref<Thing> make() { return Ref<Thing>::adopt(new Thing); }

}  // namespace

TEST_CASE("the owner's last reference destroys the object") {
  Ref<Thing> a = make();
  Ref<Thing> b = a;
  REQUIRE(a->use_count() == 2);
  a.reset();
  REQUIRE(b->unique());
  b.reset();
  REQUIRE(alive == 0);
}

TEST_CASE("an object that was moved to another thread is freed by its owner, or at the owner's end") {
  SECTION("the owner lives") {
    std::thread([t = make()]() mutable { t.reset(); }).join();
    detail::drain_refs();
    REQUIRE(alive == 0);
  }
  SECTION("the owner has ended") {
    Ref<Thing> t;
    std::thread([&] { t = make(); }).join();
    REQUIRE(alive == 1);
    const Ref<Thing> second = t;
    t.reset();
    REQUIRE(alive == 1);
  }
  REQUIRE(alive == 0);
}

TEST_CASE("an object that the owner drops first lives on in another thread") {
  Ref<Thing> t = make();
  Ref<Thing> other;
  std::thread([&] { other = t; }).join();
  REQUIRE(t->use_count() == 2);
  t.reset();
  REQUIRE(alive == 1);
  REQUIRE(other->unique());
  other.reset();
  REQUIRE(alive == 0);
}

TEST_CASE("many threads that copy, move and drop references lose none and free each once") {
  constexpr int kThreads = 4, kRounds = 20000;
  std::vector<Ref<Thing>> slots(16);
  std::vector<std::mutex> locks(slots.size());
  std::vector<std::thread> threads;
  for (int id = 0; id < kThreads; ++id)
    threads.emplace_back([&, id] {
      unsigned random = static_cast<unsigned>(id) + 1;
      Ref<Thing> held;
      for (int i = 0; i < kRounds; ++i) {
        random = random * 1664525u + 1013904223u;
        const size_t at = (random >> 16) % slots.size();
        std::lock_guard lock(locks[at]);
        switch ((random >> 24) % 4) {
          case 0:
            slots[at] = make();
            break;
          case 1:
            held = slots[at];
            break;
          case 2:
            slots[at] = std::move(held);
            break;
          case 3:
            held.reset();
            break;
        }
        if (i % 64 == 0) detail::drain_refs();
      }
    });
  for (auto& t : threads) t.join();
  slots.clear();
  detail::drain_refs();
  REQUIRE(alive == 0);
}
