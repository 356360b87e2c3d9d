// What a pickle may call by name, and the tensors that calls make.
#include <algorithm>

#include "tapir/io/pickle_machine.h"
#include "tapir/io/zip.h"

namespace tapir::io::pickle {

std::vector<Item> Machine::arguments(const Item& item) const {
  std::vector<Item> items;
  if (item.kind == Kind::kArguments) {
    items = few(*item.arguments);
  } else {
    if (!plain(item).isTuple()) fail(fmt::format("a call with {} for its arguments", item.value.kind()));
    for (const IValue& v : few(item.value.toTupleRef().elements())) items.emplace_back().value = v;
  }
  return items;
}

void Machine::push_global(std::string_view module, std::string_view name) {
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
  else if (objects_ && (module == "__torch__" || module.starts_with("__torch__.")) &&
           !module.starts_with("__torch__.torch.classes"))  // those are of C++
    item.global = Global::kClass;
  else
    push_storage_class(item, module, name);
  push(std::move(item));
}

void Machine::push_storage_class(Item& item, std::string_view module, std::string_view name) const {
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

void Machine::load_storage() {
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

std::vector<int64_t> Machine::sizes_of(const Item& item, const char* what) const {
  if (!plain(item).isTuple()) fail(fmt::format("a tensor has {} for its {}", item.value.kind(), what));
  const auto& elements = item.value.toTupleRef().elements();
  if (elements.size() > static_cast<size_t>(kMaxDims))
    fail(fmt::format("a tensor has {} dimensions, Tapir has up to {}", elements.size(), kMaxDims));
  std::vector<int64_t> result;
  for (const IValue& v : elements) {
    if (!v.isInt() || v.toInt() < 0)
      fail(fmt::format("a tensor has {} in its {}", v.isInt() ? std::to_string(v.toInt()) : v.kind(), what));
    result.push_back(v.toInt());
  }
  return result;
}

void Machine::no_hooks(const Item& item) const {
  const IValue& v = plain(item);
  if (!v.isNone() && !(v.isGenericDict() && v.toGenericDict().empty()))
    fail("a tensor has hooks or other state beside its values, which Tapir does not read");
}

void Machine::require_grad(const Tensor& t, const Item& flag) const {
  if (!plain(flag).isBool()) fail(fmt::format("a tensor has {} for requires_grad", flag.value.kind()));
  if (!flag.value.toBool()) return;
  if (!t.is_floating_point()) fail(fmt::format("a tensor of {} requires a gradient", t.dtype()));
  t.requires_grad_();
}

Tensor Machine::tensor(const std::vector<Item>& a) const {
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

void Machine::call() {
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
    case Global::kClass:
    case Global::kObject:
      fail("refused a call of a TorchScript class or object: Tapir executes nothing");
  }
}

void Machine::new_object() {
  const std::vector<Item> a = arguments(pop());
  const Item f = pop();
  if (f.kind != Kind::kGlobal || f.global != Global::kClass)
    fail("refused a new object: Tapir reads tensors and plain containers");
  if (!a.empty()) fail("refused a new object of TorchScript with arguments: Tapir executes nothing");
  Item item;
  item.kind = Kind::kGlobal;
  item.global = Global::kObject;
  push(std::move(item));
}

void Machine::build() {
  Item state = pop();
  if (top().kind == Kind::kGlobal && top().global == Global::kObject) {
    if (!plain(state).isGenericDict())
      fail(fmt::format("refused a TorchScript object whose state is {}, which only its program can read",
                       state.value.kind()));
    top() = std::move(state);
    return;
  }
  if (!plain(top()).isGenericDict() || !plain(state).isGenericDict())
    fail(fmt::format("it sets the state of {}", top().value.kind()));
}
}  // namespace tapir::io::pickle
