#pragma once

#include <cstdint>

#include "tapir/tensor/function_ref.h"
#include "tapir/tensor/parallel.h"

namespace tapir::cpu {

/// When a loop wakes sleeping workers: after one grain, if that shows the rest to take long enough; or at
/// once, for a loop that is known to (over some 50 µs), so that a long grain doesn't hold the others up.
enum class Wake { IfSlow, AtOnce };

/// Calls `body(lo, hi)` over disjoint pieces that cover `[begin, end)`, on several threads where that is
/// likely to pay. Pieces start at `begin` plus a multiple of `grain` (at least 1), so `grain` is the amount
/// of work, in elements, below which a second thread is not worth it; see docs/gemm.md for measured figures
/// (about 5 µs of work).
///
/// Serial, in one call, when the range fits one grain, inside another `parallel_for`, or while another thread
/// uses the pool. The calling thread works too and never waits for a worker that has not begun. The first
/// exception a body throws is rethrown here after every piece in progress has ended; pieces not begun are
/// dropped.
TAPIR_API void parallel_for(int64_t begin, int64_t end, int64_t grain,
                            FunctionRef<void(int64_t, int64_t)> body, Wake wake = Wake::IfSlow);

/// True inside the body of a `parallel_for` that runs on the pool.
[[nodiscard]] TAPIR_API bool in_parallel() noexcept;

/// True while at least one worker is awake, so that handing it work costs well under a microsecond; waking
/// one that sleeps costs the caller several. A hint for choosing a grain, never for choosing a result.
[[nodiscard]] TAPIR_API bool workers_awake() noexcept;

}  // namespace tapir::cpu
