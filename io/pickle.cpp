#include "tapir/io/pickle.h"

#include <algorithm>
#include <bit>
#include <map>
#include <span>
#include <unordered_map>

#include "tapir/io/zip.h"
#include "tapir/tensor/error_format.h"

namespace tapir::io {

namespace {

constexpr int kMaxDepth = 200;
// What values on the stack may take in all, so that a short pickle that repeats a long string ends in time.
constexpr size_t kBudget = size_t{1} << 30;

constexpr std::pair<DType, const char*> kStorages[] = {
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
  Machine(std::string_view code, const std::string& where, const StorageSource& storages)
      : code_(code), where_(where), storages_(storages) {}

  IValue run() {
    for (;;) {
      const uint8_t op = byte();
      if (op == '.') break;
      step(op);
    }
    if (stack_.size() != 1) fail(fmt::format("{} values are left at its end, expected 1", stack_.size()));
    return plain(stack_.back());
  }

 private:
  using Kind = Item::Kind;

  [[noreturn]] void fail(const std::string& what) const {
    throw_error<IOError>("{}: {} (byte {} of the pickle)", where_, what, at_);
  }

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
  void push(Item item) {
    const size_t cost = sizeof(Item) + (item.value.isString() ? item.value.toStringRef().size() : 0);
    if (cost > kBudget - spent_) fail("it makes more values than a file of tensors has");
    spent_ += cost;
    stack_.push_back(std::move(item));
  }
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
  std::vector<Item> pop_to_mark() {
    size_t mark = stack_.size();
    while (mark > 0 && stack_[mark - 1].kind != Kind::kMark) --mark;
    if (mark == 0) fail("a mark is missing");
    std::vector<Item> items(std::make_move_iterator(stack_.begin() + static_cast<std::ptrdiff_t>(mark)),
                            std::make_move_iterator(stack_.end()));
    stack_.resize(mark - 1);
    return items;
  }
  const IValue& plain(const Item& item) const {
    if (item.kind != Kind::kValue)
      fail(item.kind == Kind::kStorage
               ? "a storage outside of a tensor; Tapir reads tensors and plain containers"
               : "a mark or a name in the place of a value");
    return item.value;
  }

  // --- containers: Note [No cycles] ---
  static const void* id_of(const IValue& v) {
    return v.isList()          ? v.toList().id()
           : v.isGenericDict() ? v.toGenericDict().id()
           : v.isTuple()       ? v.toTuple().get()
                               : nullptr;
  }
  void begin_container(IValue container) {
    containers_.emplace(id_of(container), Container());
    alive_.push_back(container);
    push_value(std::move(container));
  }
  /// Before `child` goes into the container `parent`.
  void hold(Container& parent, const void* parent_id, const IValue& child) {
    const void* id = id_of(child);
    if (!id) return;
    Container& c = containers_.at(id);
    if (id == parent_id || parent.held) fail("a container that holds itself, which Tapir does not read");
    c.held = true;
    parent.depth = std::max(parent.depth, c.depth + 1);
    if (parent.depth > kMaxDepth) fail(fmt::format("containers are nested more than {} deep", kMaxDepth));
  }
  void changing(const Container& c) const {
    if (c.held) fail("a container changes after it was put into another one, which Tapir does not read");
  }
  void append(std::span<const Item> items) {
    if (!plain(top()).isList()) fail(fmt::format("it appends to {}", top().value.kind()));
    const GenericList list = top().value.toList();
    Container& c = containers_.at(list.id());
    changing(c);
    for (const Item& item : items) {
      hold(c, list.id(), plain(item));
      list.push_back(item.value);
    }
  }
  void set_items(std::span<const Item> items) {
    if (!plain(top()).isGenericDict()) fail(fmt::format("it sets an item of {}", top().value.kind()));
    if (items.size() % 2 != 0) fail("a key without a value");
    const GenericDict dict = top().value.toGenericDict();
    Container& c = containers_.at(dict.id());
    changing(c);
    for (size_t i = 0; i < items.size(); i += 2) {
      const IValue& key = plain(items[i]);
      if (!key.isString() && !key.isInt())
        fail(fmt::format("a dict has {} for a key; Tapir reads strings and integers", key.kind()));
      hold(c, dict.id(), plain(items[i + 1]));
      dict.insert_or_assign(key, items[i + 1].value);
    }
  }
  void make_tuple(std::vector<Item> items) {
    bool values = true;
    for (const Item& item : items) {
      if (item.kind == Kind::kMark || item.kind == Kind::kArguments)
        fail("a mark or a call's arguments in a tuple");
      values = values && item.kind == Kind::kValue;
    }
    if (!values) {
      Item tuple;
      tuple.kind = Kind::kArguments;
      tuple.arguments = std::make_shared<std::vector<Item>>(std::move(items));
      return push(std::move(tuple));
    }
    Container c;
    std::vector<IValue> elements;
    elements.reserve(items.size());
    for (Item& item : items) {
      hold(c, nullptr, item.value);
      elements.push_back(std::move(item.value));
    }
    IValue tuple{Tuple(std::move(elements))};
    containers_.emplace(id_of(tuple), c);
    alive_.push_back(tuple);
    push_value(std::move(tuple));
  }
  std::vector<Item> arguments(const Item& item) const {
    std::vector<Item> items;
    if (item.kind == Kind::kArguments) {
      items = few(*item.arguments);
    } else {
      if (!plain(item).isTuple()) fail(fmt::format("a call with {} for its arguments", item.value.kind()));
      for (const IValue& v : few(item.value.toTupleRef().elements())) items.emplace_back().value = v;
    }
    return items;
  }
  template <class T>
  const std::vector<T>& few(const std::vector<T>& arguments) const {
    if (arguments.size() > 8) fail(fmt::format("a call with {} arguments", arguments.size()));
    return arguments;
  }

  // --- names, and what may be called ---
  void push_global(std::string_view module, std::string_view name) {
    Item item;
    item.kind = Kind::kGlobal;
    if (module == "collections" && name == "OrderedDict")
      item.global = Global::kOrderedDict;
    else if (module == "torch._utils" && name == "_rebuild_tensor_v2")
      item.global = Global::kTensor;
    else if (module == "torch._utils" && name == "_rebuild_parameter")
      item.global = Global::kParameter;
    else if (module == "torch" && name == "Size")
      item.global = Global::kSize;
    else if (module == "torch.jit._pickle" &&
             (name == "build_intlist" || name == "build_doublelist" || name == "build_boollist" ||
              name == "build_tensorlist" || name == "restore_type_tag"))
      item.global = Global::kTyped;
    else
      push_storage_class(item, module, name);
    push(std::move(item));
  }
  void push_storage_class(Item& item, std::string_view module, std::string_view name) const {
    if (module == "torch")
      for (const auto& [dtype, storage] : kStorages)
        if (name == storage) {
          item.dtype = dtype;
          return;
        }
    fail(fmt::format("refused \"{}.{}\": Tapir reads tensors and plain containers and executes nothing{}",
                     shown(module), shown(name),
                     module == "torch" && name.ends_with("Storage") ? "; it has no such dtype"
                     : module.starts_with("__torch__")              ? " (a TorchScript module)"
                                                                    : ""));
  }

  // Tensors of one storage share it.
  void load_storage() {
    const std::vector<Item> a = arguments(pop());
    const auto text = [&](size_t i) { return plain(a[i]).isString() ? a[i].value.toStringRef() : ""; };
    if (a.size() < 5 || a.size() > 6 || text(0) != "storage" || a[1].kind != Kind::kGlobal ||
        a[1].global != Global::kStorage || !plain(a[2]).isString() || !plain(a[3]).isString() ||
        !plain(a[4]).isInt() || (a.size() == 6 && !plain(a[5]).isNone()))
      fail("a reference to something else than a storage");
    const int64_t numel = a[4].value.toInt();
    if (numel < 0) fail(fmt::format("storage \"{}\" has {} elements", shown(text(2)), numel));
    Item item;
    item.kind = Kind::kStorage;
    item.dtype = a[1].dtype;
    item.storage = storages_(text(2), item.dtype, numel);
    push(std::move(item));
  }

  std::vector<int64_t> sizes_of(const Item& item, const char* what) const {
    if (!plain(item).isTuple()) fail(fmt::format("a tensor has {} for its {}", item.value.kind(), what));
    const auto& elements = item.value.toTupleRef().elements();
    if (elements.size() > static_cast<size_t>(kMaxDims))
      fail(fmt::format("a tensor has {} dimensions, Tapir has up to {}", elements.size(), kMaxDims));
    std::vector<int64_t> result;
    for (const IValue& v : elements) {
      if (!v.isInt() || v.toInt() < 0)
        fail(
            fmt::format("a tensor has {} in its {}", v.isInt() ? std::to_string(v.toInt()) : v.kind(), what));
      result.push_back(v.toInt());
    }
    return result;
  }
  void no_hooks(const Item& item) const {
    const IValue& v = plain(item);
    if (!v.isNone() && !(v.isGenericDict() && v.toGenericDict().empty()))
      fail("a tensor has hooks or other state beside its values, which Tapir does not read");
  }
  void require_grad(const Tensor& t, const Item& flag) const {
    if (!plain(flag).isBool()) fail(fmt::format("a tensor has {} for requires_grad", flag.value.kind()));
    if (!flag.value.toBool()) return;
    if (!t.is_floating_point()) fail(fmt::format("a tensor of {} requires a gradient", t.dtype()));
    t.requires_grad_();
  }

  Tensor tensor(const std::vector<Item>& a) const {
    if (a.size() < 6 || a.size() > 7 || a[0].kind != Kind::kStorage || !plain(a[1]).isInt())
      fail("a tensor is made of something else than a storage");
    const std::vector<int64_t> sizes = sizes_of(a[2], "sizes"), strides = sizes_of(a[3], "strides");
    for (size_t i = 5; i < a.size(); ++i) no_hooks(a[i]);
    const int64_t offset = a[1].value.toInt();
    const int64_t numel = static_cast<int64_t>(a[0].storage->nbytes() / item_size(a[0].dtype));
    if (sizes.size() != strides.size())
      fail(fmt::format("a tensor has {} sizes but {} strides", sizes.size(), strides.size()));
    int64_t count = static_cast<int64_t>(item_size(a[0].dtype)), last = offset;
    bool fits = offset >= 0, empty = false;
    for (size_t d = 0; d < sizes.size(); ++d) {
      int64_t extent = 0;
      empty = empty || sizes[d] == 0;
      fits = fits && !__builtin_mul_overflow(count, std::max<int64_t>(sizes[d], 1), &count) &&
             !__builtin_mul_overflow(std::max<int64_t>(sizes[d], 1) - 1, strides[d], &extent) &&
             !__builtin_add_overflow(last, extent, &last);
    }
    if (!fits || (empty ? offset > numel : last >= numel))
      fail(fmt::format(
          "a tensor of sizes {}, strides {} and offset {} does not lie in its storage of {} elements",
          shape_str(sizes), shape_str(strides), offset, numel));
    const Tensor t(Ref<TensorImpl>::adopt(
        new TensorImpl(a[0].storage, Layout::strided(sizes, strides, offset), a[0].dtype)));
    require_grad(t, a[4]);
    return t;
  }

  void call() {
    const std::vector<Item> a = arguments(pop());
    const Item f = pop();
    if (f.kind != Kind::kGlobal) fail("a call of something that is no name");
    const auto want = [&](bool fits, const char* name) {
      if (!fits) fail(fmt::format("a call of {} with arguments that it does not take", name));
    };
    switch (f.global) {
      case Global::kOrderedDict:
        want(a.empty(), "OrderedDict");
        return begin_container(GenericDict());
      case Global::kTensor:
        return push_value(tensor(a));
      case Global::kParameter: {
        want(a.size() == 3 && plain(a[0]).isTensor(), "_rebuild_parameter");
        no_hooks(a[2]);
        const Tensor t = a[0].value.toTensor().detach();
        require_grad(t, a[1]);
        return push_value(t);
      }
      case Global::kSize:
        want(a.size() == 1 && plain(a[0]).isTuple(), "torch.Size");
        return push_value(a[0].value);
      case Global::kTyped:
        want(!a.empty() && (plain(a[0]).isList() || a[0].value.isGenericDict()), "torch.jit._pickle");
        return push_value(a[0].value);
      case Global::kStorage:
        fail("a call of a storage class");
    }
  }

  // An OrderedDict may have attributes, of which state_dicts have the versions of their modules. They are
  // left out.
  void build() {
    const Item state = pop();
    if (!plain(top()).isGenericDict() || !plain(state).isGenericDict())
      fail(fmt::format("it sets the state of {}", top().value.kind()));
  }

  void put(uint64_t index) { memo_.insert_or_assign(index, top()); }
  void get(uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail(fmt::format("it recalls value {}, which was never kept", index));
    push(found->second);
  }
  void push_long(uint64_t n) {
    const std::string_view digits = bytes(n);
    if (n > 8) fail(fmt::format("an integer of {} bytes, Tapir has 8", n));
    uint64_t value = n > 0 && static_cast<int8_t>(digits.back()) < 0 ? ~uint64_t{0} : 0;
    for (size_t i = digits.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(digits[i]);
    push_value(static_cast<int64_t>(value));
  }
  void push_float() {
    uint64_t bits = 0;
    for (const char c : bytes(8)) bits = bits << 8 | static_cast<uint8_t>(c);
    push_value(std::bit_cast<double>(bits));
  }
  void push_text(uint64_t n) { push_value(std::string(bytes(n))); }
  void step(uint8_t op);

  std::string_view code_;
  const std::string& where_;
  const StorageSource& storages_;
  size_t at_ = 0, spent_ = 0;
  std::vector<Item> stack_;
  std::map<uint64_t, Item> memo_;
  std::unordered_map<const void*, Container> containers_;
  std::vector<IValue> alive_;  // so that no two containers have one address
};

// The instructions are those of pickletools.py, by their codes.
void Machine::step(uint8_t op) {
  switch (op) {
    case 0x80:  // PROTO
      if (const uint8_t version = byte(); version < 2 || version > 5)
        fail(fmt::format("it is of protocol {}; Tapir reads 2 to 5", version));
      return;
    case 0x95:
      static_cast<void>(number(8));
      return;  // FRAME
    case '(': {
      Item mark;
      mark.kind = Kind::kMark;
      return push(std::move(mark));
    }
    case '0':
      static_cast<void>(pop());
      return;
    case '1':
      static_cast<void>(pop_to_mark());
      return;
    case '2':
      return push(Item(top()));
    case 'N':
      return push_value({});
    case 0x88:
      return push_value(true);
    case 0x89:
      return push_value(false);
    case 'J':
      return push_value(static_cast<int32_t>(number(4)));
    case 'K':
      return push_value(static_cast<int64_t>(number(1)));
    case 'M':
      return push_value(static_cast<int64_t>(number(2)));
    case 0x8a:
      return push_long(number(1));
    case 0x8b:
      return push_long(number(4));
    case 'G':
      return push_float();
    case 0x8c:
      return push_text(number(1));
    case 'X':
      return push_text(number(4));
    case 0x8d:
      return push_text(number(8));
    case ']':
      return begin_container(GenericList());
    case '}':
      return begin_container(GenericDict());
    case 'a': {
      const Item item = pop();
      return append({&item, 1});
    }
    case 'e':
      return append(pop_to_mark());
    case 's': {
      Item items[2];
      items[1] = pop();
      items[0] = pop();
      return set_items(items);
    }
    case 'u':
      return set_items(pop_to_mark());
    case ')':
      return make_tuple({});
    case 't':
      return make_tuple(pop_to_mark());
    case 0x85:
    case 0x86:
    case 0x87: {
      std::vector<Item> items(op - 0x84u);
      for (size_t i = items.size(); i-- > 0;) items[i] = pop();
      return make_tuple(std::move(items));
    }
    case 'q':
      return put(number(1));
    case 'r':
      return put(number(4));
    case 0x94:
      return put(memo_.size());
    case 'h':
      return get(number(1));
    case 'j':
      return get(number(4));
    case 'c': {
      const std::string_view module = line();
      return push_global(module, line());
    }
    case 0x93: {  // STACK_GLOBAL
      const Item name = pop(), module = pop();
      if (!plain(name).isString() || !plain(module).isString()) fail("a name that is no string");
      return push_global(module.value.toStringRef(), name.value.toStringRef());
    }
    case 'R':
      return call();
    case 'b':
      return build();
    case 'Q':
      return load_storage();
    case 'B':
    case 'C':
    case 0x8e:
      fail("refused a bytes object: Tapir reads tensors and plain containers");
    case 0x8f:
      fail("refused a set: Tapir reads tensors and plain containers");
    default:
      fail(fmt::format("refused the instruction {:#04x}, which tensors and plain containers don't take", op));
  }
}

}  // namespace

IValue unpickle(std::string_view pickle, const std::string& where, const StorageSource& storages) {
  return Machine(pickle, where, storages).run();
}

const char* storage_class(DType dtype) {
  for (const auto& [d, name] : kStorages)
    if (d == dtype) return name;
  return "";
}

}  // namespace tapir::io
