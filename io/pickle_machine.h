// The stack machine that a pickle is a program for; private to pickle*.cpp.
#pragma once

#include <map>
#include <span>
#include <unordered_map>
#include <vector>

#include "tapir/io/pickle.h"
#include "tapir/tensor/error_format.h"

namespace tapir::io::pickle {

inline constexpr int kMaxDepth = 200;
// What values on the stack may take in all, so that a short pickle that repeats a long string ends in time.
inline constexpr size_t kBudget = size_t{1} << 30;

inline constexpr std::pair<DType, const char*> kStorages[] = {
    {kUInt8, "ByteStorage"},       {kInt8, "CharStorage"},      {kInt16, "ShortStorage"},
    {kInt32, "IntStorage"},        {kInt64, "LongStorage"},     {kFloat16, "HalfStorage"},
    {kFloat32, "FloatStorage"},    {kFloat64, "DoubleStorage"}, {kBool, "BoolStorage"},
    {kBFloat16, "BFloat16Storage"}};

// What a pickle may name.
enum class Global : uint8_t {
  kOrderedDict,
  kTensor,     ///< _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, metadata = None)
  kParameter,  ///< _rebuild_parameter(tensor, requires_grad, hooks)
  kSize,       ///< torch.Size(tuple)
  kTyped,      ///< libtorch's annotation of a container's type: the container itself
  kStorage,
  kClass,   ///< a class of TorchScript's
  kObject,  ///< an object of one without its attributes; not a name, but no value either
};

struct Item {
  enum class Kind : uint8_t { kValue, kMark, kGlobal, kStorage, kArguments };
  Kind kind = Kind::kValue;
  Global global = Global::kStorage;  ///< kGlobal
  DType dtype = kFloat32;            ///< kGlobal of a storage class, kStorage
  IValue value;
  Ref<StorageImpl> storage;
  std::shared_ptr<std::vector<Item>> arguments;  ///< a tuple that holds more than values
};

// Note [No cycles]
// A container may change only until it is put into another one: pickles of data without cycles keep to that.
// So depths are known when containers are put together, and no container can come to hold itself.
struct Container {
  int depth = 1;
  bool held = false;
};

class Machine {
 public:
  Machine(std::string_view code, const std::string& where, const StorageSource& storages, bool objects)
      : code_(code), where_(where), storages_(storages), objects_(objects) {}

  IValue run() {
    for (;;) {
      const uint8_t op = byte();
      if (op == '.') break;
      step(op);
    }
    if (stack_.size() != 1) fail(fmt::format("{} values are left at its end, expected 1", stack_.size()));
    return plain(stack_.back());
  }
  size_t at() const { return at_; }

 private:
  using Kind = Item::Kind;

  [[noreturn]] void fail(const std::string& what) const;

  // --- the code ---
  std::string_view bytes(uint64_t n) {
    if (n > code_.size() - at_) fail("it breaks off");
    const std::string_view result = code_.substr(at_, static_cast<size_t>(n));
    at_ += static_cast<size_t>(n);
    return result;
  }
  uint8_t byte() { return static_cast<uint8_t>(bytes(1)[0]); }
  uint64_t number(size_t n) {
    const std::string_view b = bytes(n);
    uint64_t value = 0;
    for (size_t i = n; i-- > 0;) value = value << 8 | static_cast<uint8_t>(b[i]);
    return value;
  }
  std::string_view line() {
    const size_t end = code_.find('\n', at_);
    if (end == std::string_view::npos) fail("it breaks off");
    const std::string_view result = code_.substr(at_, end - at_);
    at_ = end + 1;
    return result;
  }

  // --- the stack ---
  void push(Item item);
  void push_value(IValue value) {
    Item item;
    item.value = std::move(value);
    push(std::move(item));
  }
  Item& top() {
    if (stack_.empty()) fail("it takes a value from an empty stack");
    return stack_.back();
  }
  Item pop() {
    Item item = std::move(top());
    stack_.pop_back();
    return item;
  }
  /// What lies above the last mark, which goes.
  std::vector<Item> pop_to_mark();
  const IValue& plain(const Item& item) const;

  // --- containers: Note [No cycles] ---
  static const void* id_of(const IValue& v) {
    return v.isList()          ? v.toList().id()
           : v.isGenericDict() ? v.toGenericDict().id()
           : v.isTuple()       ? v.toTuple().get()
                               : nullptr;
  }
  void begin_container(IValue container);
  /// Before `child` goes into the container `parent`.
  void hold(Container& parent, const void* parent_id, const IValue& child);
  void changing(const Container& c) const {
    if (c.held) fail("a container changes after it was put into another one, which Tapir does not read");
  }
  void append(std::span<const Item> items);
  void set_items(std::span<const Item> items);
  void make_tuple(std::vector<Item> items);
  std::vector<Item> arguments(const Item& item) const;
  template <class T>
  const std::vector<T>& few(const std::vector<T>& arguments) const {
    if (arguments.size() > 8) fail(fmt::format("a call with {} arguments", arguments.size()));
    return arguments;
  }

  // --- names, and what may be called ---
  void push_global(std::string_view module, std::string_view name);
  void push_storage_class(Item& item, std::string_view module, std::string_view name) const;

  // Tensors of one storage share it.
  void load_storage();

  std::vector<int64_t> sizes_of(const Item& item, const char* what) const;
  void no_hooks(const Item& item) const;
  void require_grad(const Tensor& t, const Item& flag) const;

  Tensor tensor(const std::vector<Item>& a) const;

  void call();

  void new_object();
  // An object becomes the dict of its attributes. An OrderedDict may have attributes too, of which
  // state_dicts have the versions of their modules. They are left out.
  void build();

  void put(uint64_t index) { memo_.insert_or_assign(index, top()); }
  void get(uint64_t index);
  void push_long(uint64_t n);
  void push_float();
  void push_text(uint64_t n) { push_value(std::string(bytes(n))); }
  void step(uint8_t op);

  std::string_view code_;
  const std::string& where_;
  const StorageSource& storages_;
  bool objects_;
  size_t at_ = 0, spent_ = 0;
  std::vector<Item> stack_;
  std::map<uint64_t, Item> memo_;
  std::unordered_map<const void*, Container> containers_;
  std::vector<IValue> alive_;  // so that no two containers have one address
};

}  // namespace tapir::io::pickle
