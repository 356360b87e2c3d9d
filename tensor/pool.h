// Per-thread pools of small blocks: where tensors, storages of small tensors and graph nodes come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "tapir/tensor/macros.h"

// Under AddressSanitizer every block comes from malloc, so that a use after free is seen.
#if !defined(TAPIR_NO_POOL)
#if defined(__SANITIZE_ADDRESS__)
#define TAPIR_NO_POOL
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TAPIR_NO_POOL
#endif
#endif
#endif

namespace tapir::pool {

inline constexpr size_t kGranule = 64;     ///< blocks are multiples of a cache line and aligned to it
inline constexpr size_t kMaxBlock = 1024;  ///< larger requests go to the CPU allocator
inline constexpr size_t kClasses = kMaxBlock / kGranule;

struct FreeBlock {
  FreeBlock* next;
};
/// The calling thread's free lists, one per size class. Zero-initialised, so using it before or after the
/// thread's other thread-local objects is fine.
struct FreeLists {
  FreeBlock* head[kClasses];
  uint32_t count[kClasses];
};
extern TAPIR_API constinit thread_local FreeLists free_lists;

namespace detail {
TAPIR_API void* refill(size_t size_class);                ///< list empty: carve blocks
TAPIR_API void overflow(void* block, size_t size_class);  ///< list full, or the thread is ending
}  // namespace detail

/// A block of at least `size` <= kMaxBlock bytes, 64-byte aligned.
TAPIR_ALWAYS_INLINE void* allocate(size_t size) {
  const size_t c = (size + kGranule - 1) / kGranule - 1;
#if !defined(TAPIR_NO_POOL)
  FreeLists& lists = free_lists;
  if (FreeBlock* b = lists.head[c]; TAPIR_LIKELY(b != nullptr)) {
    lists.head[c] = b->next;
    --lists.count[c];
    return b;
  }
#endif
  return detail::refill(c);
}

/// Lists keep up to this many blocks; what a thread frees beyond that goes to a list shared by all threads,
/// so that a thread that only frees what others allocate does not hoard memory.
inline constexpr uint32_t kMaxListed = 4096;

TAPIR_ALWAYS_INLINE void release(void* block, size_t size) {
  const size_t c = (size + kGranule - 1) / kGranule - 1;
#if !defined(TAPIR_NO_POOL)
  FreeLists& lists = free_lists;
  if (TAPIR_LIKELY(lists.count[c] - 1 < kMaxListed)) {  // false for 0 too: see pool.cpp, Note [First free]
    auto* b = static_cast<FreeBlock*>(block);
    b->next = lists.head[c];
    lists.head[c] = b;
    ++lists.count[c];
    return;
  }
#endif
  detail::overflow(block, c);
}

/// Bytes that the pools hold from the system, in use or free.
TAPIR_API size_t reserved_bytes();

}  // namespace tapir::pool

/// Gives a class pooled operator new and delete (with size). A class larger than kMaxBlock uses the global
/// ones.
#define TAPIR_POOLED                                                                      \
  TAPIR_ALWAYS_INLINE static void* operator new(size_t size) {                            \
    return size <= ::tapir::pool::kMaxBlock ? ::tapir::pool::allocate(size)               \
                                            : ::operator new(size, std::align_val_t(64)); \
  }                                                                                       \
  TAPIR_ALWAYS_INLINE static void operator delete(void* p, size_t size) {                 \
    if (size <= ::tapir::pool::kMaxBlock)                                                 \
      ::tapir::pool::release(p, size);                                                    \
    else                                                                                  \
      ::operator delete(p, std::align_val_t(64));                                         \
  }
