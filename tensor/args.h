// TAPIR_ARG, with which options of modules, optimizers and loaders are declared.
#pragma once

#include <utility>

/// Declares a member with a getter and a setter that returns *this:
///   struct LinearOptions {
///     TAPIR_ARG(bool, bias) = true;
///   };
///   LinearOptions().bias(false)
#define TAPIR_ARG(T, name)                                 \
 public:                                                   \
  auto name(T new_##name)->decltype(*this) {               \
    this->name##_ = std::move(new_##name);                 \
    return *this;                                          \
  }                                                        \
  const T& name() const noexcept { return this->name##_; } \
  T& name() noexcept { return this->name##_; }             \
                                                           \
 private:                                                  \
  T name##_
