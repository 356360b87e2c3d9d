// Keeps libraries that use OpenMP (oneDNN, OpenBLAS) on the calling thread: our pool is the only one.
#pragma once

extern "C" {
// Of the OpenMP runtime that those libraries bring; null where they are built with other threads.
[[gnu::weak]] void omp_set_num_threads(int);
[[gnu::weak]] int omp_get_max_threads(void);
}

namespace tapir::cpu {

/// They work on the calling thread alone while this lives. The setting is the thread's own, so every thread
/// of ours that calls them needs one.
struct OneThread {
  OneThread() {
    if (before > 1) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (before > 1) omp_set_num_threads(before);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  const int before =
      omp_set_num_threads != nullptr && omp_get_max_threads != nullptr ? omp_get_max_threads() : 1;
};

}  // namespace tapir::cpu
