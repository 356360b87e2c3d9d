#include "tapir/io/pickle.h"

#include <algorithm>
#include <bit>

#include "tapir/io/pickle_machine.h"

namespace tapir::io {

namespace pickle {

void Machine::fail(const std::string& what) const {
  throw_error<IOError>("{}: {} (byte {} of the pickle)", where_, what, at_);
}

void Machine::push(Item item) {
  const size_t cost = sizeof(Item) + (item.value.isString() ? item.value.toStringRef().size() : 0);
  if (cost > kBudget - spent_) fail("it makes more values than a file of tensors has");
  spent_ += cost;
  stack_.push_back(std::move(item));
}

std::vector<Item> Machine::pop_to_mark() {
  size_t mark = stack_.size();
  while (mark > 0 && stack_[mark - 1].kind != Kind::kMark) --mark;
  if (mark == 0) fail("a mark is missing");
  std::vector<Item> items(std::make_move_iterator(stack_.begin() + static_cast<std::ptrdiff_t>(mark)),
                          std::make_move_iterator(stack_.end()));
  stack_.resize(mark - 1);
  return items;
}

const IValue& Machine::plain(const Item& item) const {
  if (item.kind != Kind::kValue)
    fail(item.kind == Kind::kStorage
             ? "a storage outside of a tensor; Tapir reads tensors and plain containers"
             : "a mark or a name in the place of a value");
  return item.value;
}

void Machine::begin_container(IValue container) {
  containers_.emplace(id_of(container), Container());
  alive_.push_back(container);
  push_value(std::move(container));
}

void Machine::hold(Container& parent, const void* parent_id, const IValue& child) {
  const void* id = id_of(child);
  if (!id) return;
  Container& c = containers_.at(id);
  if (id == parent_id || parent.held) fail("a container that holds itself, which Tapir does not read");
  c.held = true;
  parent.depth = std::max(parent.depth, c.depth + 1);
  if (parent.depth > kMaxDepth) fail(fmt::format("containers are nested more than {} deep", kMaxDepth));
}

void Machine::append(std::span<const Item> items) {
  if (!plain(top()).isList()) fail(fmt::format("it appends to {}", top().value.kind()));
  const GenericList list = top().value.toList();
  Container& c = containers_.at(list.id());
  changing(c);
  for (const Item& item : items) {
    hold(c, list.id(), plain(item));
    list.push_back(item.value);
  }
}

void Machine::set_items(std::span<const Item> items) {
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

void Machine::make_tuple(std::vector<Item> items) {
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

void Machine::get(uint64_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) fail(fmt::format("it recalls value {}, which was never kept", index));
  push(found->second);
}

void Machine::push_long(uint64_t n) {
  const std::string_view digits = bytes(n);
  if (n > 8) fail(fmt::format("an integer of {} bytes, Tapir has 8", n));
  uint64_t value = n > 0 && static_cast<int8_t>(digits.back()) < 0 ? ~uint64_t{0} : 0;
  for (size_t i = digits.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(digits[i]);
  push_value(static_cast<int64_t>(value));
}

void Machine::push_float() {
  uint64_t bits = 0;
  for (const char c : bytes(8)) bits = bits << 8 | static_cast<uint8_t>(c);
  push_value(std::bit_cast<double>(bits));
}

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
    case 0x81:
      return new_object();
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

}  // namespace pickle

IValue unpickle(std::string_view code, const std::string& where, const StorageSource& storages, bool objects,
                size_t* end) {
  pickle::Machine machine(code, where, storages, objects);
  IValue value = machine.run();
  if (end) *end = machine.at();
  return value;
}

const char* storage_class(DType dtype) {
  for (const auto& [d, name] : pickle::kStorages)
    if (d == dtype) return name;
  return "";
}

}  // namespace tapir::io
