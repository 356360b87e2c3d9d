// Sorting and selection on the CPU. Every element becomes an unsigned key whose order is that of the values,
// together with its place; keys are sorted by radix, least significant digit first, or, in short rows, by
// comparison of (key, place), which is stable because no two are equal.
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"

namespace tapir::cpu {
namespace {

constexpr int64_t kShort = 512;     // rows up to here are sorted by comparison
constexpr int64_t kSelect = 4096;   // rows from here on are narrowed by a histogram before a selection
constexpr int64_t kGrain = 2048;    // elements below which a second thread does not pay
constexpr uint32_t kDigit = 8;      // bits sorted at a time
constexpr uint32_t kTopDigit = 12;  // bits of the histogram of a selection

template <class T>
constexpr bool is_number(T x) {
  if constexpr (std::is_integral_v<T>)
    return true;
  else
    return x == x;
}

/// The key of x: 32 bits, or 64 for the dtypes that need them. NaN gets the largest, both zeros the same.
template <class T>
auto key_of(T x) {
  if constexpr (std::is_same_v<T, double>) {
    if (x != x) return ~uint64_t{0};
    const uint64_t u = __builtin_bit_cast(uint64_t, x + 0.0);  // -0 becomes 0
    return u >> 63 ? ~u : u | uint64_t{1} << 63;
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return static_cast<uint64_t>(x) ^ uint64_t { 1 } << 63;
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<uint32_t>(static_cast<int32_t>(x)) ^ uint32_t { 1 } << 31;
  } else {
    const float f = static_cast<float>(x) + 0.0f;
    if (f != f) return ~uint32_t{0};
    const uint32_t u = __builtin_bit_cast(uint32_t, f);
    return u >> 31 ? ~u : u | uint32_t{1} << 31;
  }
}

/// A key and its place: in one word where both fit.
struct Packed {
  uint64_t word;
  static constexpr uint32_t kKeyBits = 32;
  static Packed make(uint64_t key, int64_t at) { return {key << 32 | static_cast<uint64_t>(at)}; }
  uint64_t key() const { return word >> 32; }
  int64_t place() const { return static_cast<int64_t>(word & 0xffffffffu); }
  friend bool operator<(Packed a, Packed b) { return a.word < b.word; }
};
struct Wide {
  uint64_t word;
  int64_t at;
  static constexpr uint32_t kKeyBits = 64;
  static Wide make(uint64_t key, int64_t at) { return {key, at}; }
  uint64_t key() const { return word; }
  int64_t place() const { return at; }
  friend bool operator<(const Wide& a, const Wide& b) {
    return a.word != b.word ? a.word < b.word : a.at < b.at;
  }
};

/// Sorts items by key, keeping the order of equal ones. `spare` has room for as many.
template <class Item>
Item* sort_items(Item* items, Item* spare, int64_t n) {
  if (n <= kShort) {
    std::sort(items, items + n);
    return items;
  }
  constexpr uint32_t kDigits = Item::kKeyBits / kDigit, kBuckets = 1u << kDigit;
  std::array<std::array<int64_t, kBuckets>, kDigits> counts{};
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t key = items[i].key();
    for (uint32_t d = 0; d < kDigits; ++d) ++counts[d][(key >> (d * kDigit)) & (kBuckets - 1)];
  }
  for (uint32_t d = 0; d < kDigits; ++d) {
    auto& count = counts[d];
    const uint32_t shift = d * kDigit;
    if (count[(items[0].key() >> shift) & (kBuckets - 1)] == n) continue;  // all share this digit
    int64_t sum = 0;
    for (int64_t& c : count) sum += std::exchange(c, sum);
    for (int64_t i = 0; i < n; ++i) spare[count[(items[i].key() >> shift) & (kBuckets - 1)]++] = items[i];
    std::swap(items, spare);
  }
  return items;
}

/// One row: n elements `stride` apart. `flip` turns keys round for a descending order.
template <class T>
struct Row {
  const T* p;
  int64_t n, stride;
  bool flip;
  uint64_t key(int64_t i) const {
    const auto k = key_of(p[i * stride]);
    return flip ? static_cast<decltype(k)>(~k) : k;
  }
};

template <class Item, class T>
void all_items(const Row<T>& row, Item* items) {
  for (int64_t i = 0; i < row.n; ++i) items[i] = Item::make(row.key(i), i);
}

/// Items among which are the k smallest; how many smaller ones were left out, where `only_kth`.
template <class Item, class T>
int64_t candidates(const Row<T>& row, int64_t k, bool only_kth, std::vector<Item>& items) {
  items.clear();
  if (row.n < kSelect) {
    items.resize(static_cast<size_t>(row.n));
    all_items(row, items.data());
    return 0;
  }
  constexpr uint32_t kShift = (std::is_same_v<decltype(key_of(T())), uint64_t> ? 64 : 32) - kTopDigit;
  std::vector<int64_t> counts(size_t{1} << kTopDigit);
  for (int64_t i = 0; i < row.n; ++i) ++counts[row.key(i) >> kShift];
  uint64_t bucket = 0;
  int64_t below = 0;
  while (below + counts[bucket] < k) below += counts[bucket++];
  items.reserve(static_cast<size_t>(counts[bucket] + (only_kth ? 0 : below)));
  for (int64_t i = 0; i < row.n; ++i) {
    const uint64_t key = row.key(i), top = key >> kShift;
    if (top == bucket || (!only_kth && top < bucket)) items.push_back(Item::make(key, i));
  }
  return only_kth ? below : 0;
}

/// The k smallest items, in any order, for k far below n: what is below the k-th of those seen so far is
/// kept, and cut back to k when there are several times as many.
template <class Item, class T>
void few_smallest(const Row<T>& row, int64_t k, std::vector<Item>& items) {
  constexpr int64_t kBlock = 16;
  const size_t most = static_cast<size_t>(std::max<int64_t>(4 * k, 256));
  items.clear();
  items.reserve(most);
  T bound{};  // the value of the k-th, once there is one
  uint64_t bound_key = 0;
  bool bounded = false;
  const auto cut = [&] {
    std::nth_element(items.begin(), items.begin() + (k - 1), items.end());
    items.resize(static_cast<size_t>(k));
    bound_key = items.back().key();
    bound = row.p[items.back().place() * row.stride];
    bounded = true;
  };
  for (int64_t i = 0; i < row.n;) {
    const int64_t end = std::min(row.n, i + kBlock);
    if constexpr (std::is_arithmetic_v<T>) {
      if (bounded && row.stride == 1 && end - i == kBlock) {
        // Most blocks hold nothing; NaN goes on to the exact comparison.
        const T* const p = row.p + i;
        unsigned found = 0;
        if (row.flip) {
          for (int64_t b = 0; b < kBlock; ++b) found |= !(p[b] <= bound);
        } else {
          for (int64_t b = 0; b < kBlock; ++b) found |= !(p[b] >= bound);
        }
        if (!found) {
          i = end;
          continue;
        }
      }
    }
    for (; i < end; ++i) {
      const uint64_t key = row.key(i);
      if (bounded && key >= bound_key) continue;  // of equal ones the earlier stay
      items.push_back(Item::make(key, i));
      if (items.size() == most) cut();
    }
  }
  if (static_cast<int64_t>(items.size()) > k) cut();
}

/// Calls f(row, o, j) for each row of a (outer, n, inner) array, on several threads.
template <class F>
void each_row(int64_t outer, int64_t n, int64_t inner, F f) {
  parallel_for(0, outer * inner, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, n)),
               [&](int64_t lo, int64_t hi) { f(lo, hi); });
}

template <class T, class Item>
void sort_in(const SortArgs& a) {
  each_row(a.outer, a.n, a.inner, [&](int64_t lo, int64_t hi) {
    std::vector<Item> chosen;
    std::unique_ptr<Item[]> work;
    const bool whole = a.k * 4 > a.n;  // most of it is wanted: sort all
    if (whole) work.reset(new Item[static_cast<size_t>(2 * a.n)]);
    for (int64_t t = lo; t < hi; ++t) {
      const int64_t o = t / a.inner, j = t % a.inner;
      const Row<T> row{static_cast<const T*>(a.in) + o * a.n * a.inner + j, a.n, a.inner, a.descending};
      const Item* sorted;
      if (whole) {
        all_items(row, work.get());
        sorted = sort_items(work.get(), work.get() + a.n, a.n);
      } else {
        if (a.k > 0 && a.k * 64 <= a.n) {
          few_smallest(row, a.k, chosen);
        } else {
          candidates(row, a.k, false, chosen);
          if (static_cast<int64_t>(chosen.size()) > a.k) {
            std::nth_element(chosen.begin(), chosen.begin() + a.k, chosen.end());
            chosen.resize(static_cast<size_t>(a.k));
          }
        }
        if (a.in_order) std::sort(chosen.begin(), chosen.end());
        sorted = chosen.data();
      }
      T* values = static_cast<T*>(a.values) + o * a.k * a.inner + j;
      int64_t* indices = a.indices + o * a.k * a.inner + j;
      for (int64_t i = 0; i < a.k; ++i) {
        const int64_t at = sorted[i].place();
        values[i * a.inner] = row.p[at * a.inner];
        indices[i * a.inner] = at;
      }
    }
  });
}

template <class T, class Item>
void select_in(const SelectArgs& a) {
  each_row(a.outer, a.n, a.inner, [&](int64_t lo, int64_t hi) {
    std::vector<Item> chosen;
    for (int64_t t = lo; t < hi; ++t) {
      const int64_t o = t / a.inner, j = t % a.inner;
      const Row<T> row{static_cast<const T*>(a.in) + o * a.n * a.inner + j, a.n, a.inner, false};
      int64_t k = a.k, at = -1;
      if (!std::is_integral_v<T> && (a.nan_wins || a.skip_nan)) {
        int64_t numbers = 0, first = -1;
        for (int64_t i = 0; i < a.n; ++i) {
          const bool number = is_number(row.p[i * a.inner]);
          numbers += number;
          if (!number && first < 0) first = i;
        }
        if (a.nan_wins || numbers == 0) at = first;
        if (a.skip_nan) k = numbers > 0 ? (numbers - 1) / 2 : 0;
      }
      if (at < 0) {
        k -= candidates(row, k + 1, true, chosen);
        std::nth_element(chosen.begin(), chosen.begin() + k, chosen.end());
        at = chosen[static_cast<size_t>(k)].place();
      }
      static_cast<T*>(a.values)[t] = row.p[at * a.inner];
      a.indices[t] = at;
    }
  });
}

/// Calls f with the type of the elements and that of their items.
template <class F>
void visit_items(DType dtype, int64_t n, F f) {
  visit_dtype(dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    if constexpr (sizeof(T) == 8) {
      f.template operator()<T, Wide>();
    } else {
      if (n <= int64_t{std::numeric_limits<uint32_t>::max()})
        f.template operator()<T, Packed>();
      else
        f.template operator()<T, Wide>();
    }
  });
}

}  // namespace

void sort(const SortArgs& a) {
  if (a.k == 0) return;
  visit_items(a.dtype, a.n, [&]<class T, class Item>() { sort_in<T, Item>(a); });
}

void select(const SelectArgs& a) {
  visit_items(a.dtype, a.n, [&]<class T, class Item>() { select_in<T, Item>(a); });
}

}  // namespace tapir::cpu
