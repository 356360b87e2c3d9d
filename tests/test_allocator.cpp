// The CPU's caching allocator and its statistics.
#include "tapir/tensor/allocator.h"

#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "support/catch.h"
#include "tapir/tensor/error.h"
#include "tapir/tensor/pool.h"

using namespace tapir;

namespace {

#if defined(TAPIR_NO_POOL)
constexpr bool kCaches = false;
#else
constexpr bool kCaches = true;
#endif

Allocator& cpu() { return allocator(kCPU); }
size_t cached() {
  const MemoryStats s = memory_stats();
  return s.reserved_bytes - s.allocated_bytes - pool::reserved_bytes();
}

}  // namespace

TEST_CASE("blocks of every size are aligned, writable to the end and apart from each other") {
  std::mt19937 rng(5);
  struct Block {
    unsigned char* p;
    size_t bytes;
    unsigned char mark;
  };
  std::vector<Block> blocks;
  const auto intact = [](const Block& b) {
    return b.p[0] == b.mark && b.p[b.bytes / 2] == b.mark && b.p[b.bytes - 1] == b.mark;
  };
  for (int i = 0; i < 3000; ++i) {
    if (blocks.size() > 60) {
      std::swap(blocks[rng() % blocks.size()], blocks.back());
      REQUIRE(intact(blocks.back()));
      cpu().deallocate(blocks.back().p, blocks.back().bytes);
      blocks.pop_back();
    }
    const size_t bytes = 1 + (rng() >> (8 + rng() % 20));
    Block b{static_cast<unsigned char*>(cpu().allocate(bytes)), bytes, static_cast<unsigned char>(i)};
    REQUIRE(reinterpret_cast<uintptr_t>(b.p) % 64 == 0);
    b.p[0] = b.p[bytes / 2] = b.p[bytes - 1] = b.mark;
    blocks.push_back(b);
  }
  for (const Block& b : blocks) {
    REQUIRE(intact(b));
    cpu().deallocate(b.p, b.bytes);
  }
}

TEST_CASE("statistics count what is held, the most that was held, and requests") {
  const MemoryStats before = memory_stats();
  for (size_t bytes : {size_t{1025}, size_t{5000}, size_t{300000}, size_t{3} << 20}) {
    const MemoryStats a = memory_stats();
    void* p = cpu().allocate(bytes);
    const MemoryStats b = memory_stats();
    CHECK(b.allocated_bytes - a.allocated_bytes >= bytes);
    CHECK(b.allocated_bytes - a.allocated_bytes <= bytes + bytes / 4 + 64);  // four classes per doubling
    CHECK(b.allocations == a.allocations + 1);
    CHECK(b.peak_allocated_bytes >= b.allocated_bytes);
    CHECK(b.reserved_bytes >= b.allocated_bytes);
    cpu().deallocate(p, bytes);
    CHECK(memory_stats().allocated_bytes == a.allocated_bytes);
  }
  CHECK(memory_stats().allocated_bytes == before.allocated_bytes);
}

TEST_CASE("a freed block serves the next request of its size without asking the system", "[cache]") {
  if (!kCaches) return;
  for (size_t bytes : {size_t{2000}, size_t{100000}, size_t{5} << 20}) {
    cpu().deallocate(cpu().allocate(bytes), bytes);
    const uint64_t before = memory_stats().system_allocations;
    for (int i = 0; i < 10; ++i) {
      void* p = cpu().allocate(bytes);
      cpu().deallocate(p, bytes);
    }
    CHECK(memory_stats().system_allocations == before);
  }
}

TEST_CASE("empty_cache returns what is not in use, and blocks in use stay as they are") {
  auto* kept = static_cast<char*>(cpu().allocate(10 << 20));
  kept[0] = 1;
  kept[(10 << 20) - 1] = 2;
  for (size_t bytes : {size_t{3000}, size_t{1} << 20, size_t{20} << 20})
    cpu().deallocate(cpu().allocate(bytes), bytes);
  if (kCaches) CHECK(cached() >= (size_t{20} << 20));
  empty_cache();
  CHECK(cached() < (size_t{8} << 20));  // other threads' lists may hold some
  CHECK(kept[0] == 1);
  CHECK(kept[(10 << 20) - 1] == 2);
  cpu().deallocate(kept, 10 << 20);
  empty_cache();
}

TEST_CASE("the cache is bounded by what was once in use") {
  std::vector<std::pair<void*, size_t>> blocks;
  for (int i = 1; i <= 40; ++i) {  // each size once: little is reused
    const size_t bytes = static_cast<size_t>(i) * (5 << 20);
    cpu().deallocate(cpu().allocate(bytes), bytes);
    const MemoryStats s = memory_stats();
    const size_t reserved = s.reserved_bytes - pool::reserved_bytes();
    REQUIRE(reserved <= s.peak_allocated_bytes + s.peak_allocated_bytes / 4 + (size_t{64} << 20));
  }
  empty_cache();
}

TEST_CASE("a request that the system refuses throws OutOfMemoryError and says how much was asked for") {
  for (size_t bytes : {size_t{1} << 45, size_t{1} << 62, SIZE_MAX}) {
    const MemoryStats before = memory_stats();
    try {
      cpu().allocate(bytes);
      FAIL("a request for " << bytes << " bytes succeeded");
    } catch (const OutOfMemoryError& e) {
      CHECK(std::string(e.what()).find(std::to_string(bytes)) != std::string::npos);
    }
    CHECK(memory_stats().allocated_bytes == before.allocated_bytes);
  }
}

TEST_CASE("threads take, pass on and give back blocks, and end with blocks in their lists") {
  const size_t before = memory_stats().allocated_bytes;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::pair<void*, size_t>> passed;
    std::thread producer([&] {
      std::mt19937 rng(round);
      for (int i = 0; i < 300; ++i) {
        const size_t bytes = 1 + rng() % (i % 10 ? 200000 : 3000000);
        void* p = cpu().allocate(bytes);
        std::memset(p, i, std::min<size_t>(bytes, 64));
        if (i % 3) {
          passed.push_back({p, bytes});
        } else {
          cpu().deallocate(p, bytes);
        }
      }
    });
    producer.join();
    std::thread consumer([&] {
      for (auto [p, bytes] : passed) cpu().deallocate(p, bytes);
    });
    std::thread other([&] {
      for (int i = 0; i < 1000; ++i) cpu().deallocate(cpu().allocate(2000 + i), 2000 + i);
    });
    consumer.join();
    other.join();
  }
  CHECK(memory_stats().allocated_bytes == before);
}

namespace {
struct FreesAtThreadEnd {
  void* p = nullptr;
  ~FreesAtThreadEnd() {
    if (!p) return;
    allocator(kCPU).deallocate(p, 50000);
    void* q = allocator(kCPU).allocate(60000);  // after the thread's lists are gone
    std::memset(q, 1, 60000);
    allocator(kCPU).deallocate(q, 60000);
  }
};
thread_local FreesAtThreadEnd at_thread_end;
}  // namespace

TEST_CASE("thread-local objects may free and allocate while their thread ends") {
  const size_t before = memory_stats().allocated_bytes;
  std::thread([] {
    at_thread_end.p =
        nullptr;  // constructed before the allocator's own thread-local object, so destroyed after it
    at_thread_end.p = allocator(kCPU).allocate(50000);
  }).join();
  CHECK(memory_stats().allocated_bytes == before);
}
