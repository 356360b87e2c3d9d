// A progress bar for training: loss, speed and time left. Where the output is no terminal, a plain line now
// and then.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

class Progress {
 public:
  /// `total` and what update() counts are in units of `unit`, such as "characters".
  Progress(int64_t total, const char* unit)
      : total_(total), unit_(unit), terminal_(isatty(fileno(stdout)) != 0) {}
  ~Progress() { finish(); }

  /// Shows that `done` units are done; `loss` is shown as a running mean.
  void update(int64_t done, double loss) {
    mean_ = weight_ == 0 ? loss : 0.98 * mean_ + 0.02 * loss;
    weight_ = 1;
    const double now = seconds();
    if (done < total_ && now < next_) return;
    next_ = now + (terminal_ ? 0.1 : 10);
    const double speed = static_cast<double>(done) / (now > 0 ? now : 1);
    const int left = speed > 0 ? static_cast<int>(static_cast<double>(total_ - done) / speed + 0.5) : 0;
    char text[160];
    std::snprintf(text, sizeof text, "loss %.3f  %s %s/s  %d:%02d left", mean_, thousands(speed).c_str(),
                  unit_, left / 60, left % 60);
    if (terminal_) {
      constexpr int kWidth = 30;
      const int filled = static_cast<int>(kWidth * done / (total_ > 0 ? total_ : 1));
      std::string bar(static_cast<size_t>(filled), '#');
      bar.resize(kWidth, '.');
      std::printf("\r[%s] %3d %%  %s  ", bar.c_str(),
                  static_cast<int>(100 * done / (total_ > 0 ? total_ : 1)), text);
      open_ = true;
    } else {
      std::printf("%3d %%  %s\n", static_cast<int>(100 * done / (total_ > 0 ? total_ : 1)), text);
    }
    std::fflush(stdout);
  }
  /// Ends the bar's line.
  void finish() {
    if (open_) std::printf("\n");
    open_ = false;
  }
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  static std::string thousands(double n) {
    std::string digits = std::to_string(static_cast<int64_t>(n));
    for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3)
      digits.insert(static_cast<size_t>(at), 1, ',');
    return digits;
  }

  int64_t total_;
  const char* unit_;
  bool terminal_, open_ = false;
  double mean_ = 0, weight_ = 0, next_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};
