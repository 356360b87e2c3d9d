#include "tapir/autograd/ivalue.h"

#include <map>

#include "tapir/tensor/error_format.h"

namespace tapir {

GenericList::GenericList() : values_(std::make_shared<std::vector<IValue>>()) {}
GenericList::GenericList(std::vector<IValue> values)
    : values_(std::make_shared<std::vector<IValue>>(std::move(values))) {}
size_t GenericList::size() const { return values_->size(); }
const IValue& GenericList::get(size_t index) const {
  TAPIR_CHECK_AS(IndexError, index < size(), "GenericList: got index {}, expected one below {}", index,
                 size());
  return (*values_)[index];
}
void GenericList::push_back(IValue value) const { values_->push_back(std::move(value)); }
const IValue* GenericList::begin() const { return values_->data(); }
const IValue* GenericList::end() const { return values_->data() + values_->size(); }

struct GenericDict::Impl {
  std::vector<Entry> entries;
  std::map<std::string, size_t> by_text;
  std::map<int64_t, size_t> by_number;
};

GenericDict::Entry::Entry(IValue key, IValue value) : key_(std::move(key)), value_(std::move(value)) {}
GenericDict::GenericDict() : impl_(std::make_shared<Impl>()) {}
size_t GenericDict::size() const { return impl_->entries.size(); }
const GenericDict::Entry* GenericDict::begin() const { return impl_->entries.data(); }
const GenericDict::Entry* GenericDict::end() const { return impl_->entries.data() + size(); }

const GenericDict::Entry* GenericDict::find(const IValue& key) const {
  const auto in = [&](const auto& map, const auto& k) {
    const auto place = map.find(k);
    return place == map.end() ? end() : begin() + place->second;
  };
  if (key.isString()) return in(impl_->by_text, key.toStringRef());
  if (key.isInt()) return in(impl_->by_number, key.toInt());
  return end();
}

const IValue& GenericDict::at(const IValue& key) const {
  const Entry* entry = find(key);
  TAPIR_CHECK_AS(IndexError, entry != end(), "GenericDict: there is no key {}",
                 key.isString() ? '"' + key.toStringRef() + '"'
                 : key.isInt()  ? std::to_string(key.toInt())
                                : std::string("that is ") + key.kind());
  return entry->value();
}

void GenericDict::insert_or_assign(IValue key, IValue value) const {
  if (const Entry* entry = find(key); entry != end()) {
    impl_->entries[static_cast<size_t>(entry - begin())].value_ = std::move(value);
    return;
  }
  if (key.isString())
    impl_->by_text.emplace(key.toStringRef(), size());
  else if (key.isInt())
    impl_->by_number.emplace(key.toInt(), size());
  else
    throw_error<ValueError>("GenericDict: got {} for a key, expected a string or an integer", key.kind());
  impl_->entries.emplace_back(std::move(key), std::move(value));
}

Tuple::Tuple(std::vector<IValue> elements) : elements_(std::move(elements)) {}

template <class T>
std::shared_ptr<const void> IValue::share(T value) {
  return std::make_shared<const T>(std::move(value));
}
IValue::IValue(std::string v) : kind_(Kind::kString), object_(share(std::move(v))) {}
IValue::IValue(std::vector<int64_t> v) : kind_(Kind::kIntVector), object_(share(std::move(v))) {}
IValue::IValue(std::vector<double> v) : kind_(Kind::kDoubleVector), object_(share(std::move(v))) {}
IValue::IValue(std::vector<Tensor> v) : kind_(Kind::kTensorVector), object_(share(std::move(v))) {}
IValue::IValue(GenericList v) : kind_(Kind::kList), object_(share(std::move(v))) {}
IValue::IValue(GenericDict v) : kind_(Kind::kDict), object_(share(std::move(v))) {}
IValue::IValue(Tuple v) : kind_(Kind::kTuple), object_(share(std::move(v))) {}

const char* IValue::name_of(Kind kind) {
  switch (kind) {
    case Kind::kNone:
      return "nothing";
    case Kind::kTensor:
      return "a tensor";
    case Kind::kDouble:
      return "a number";
    case Kind::kInt:
      return "an integer";
    case Kind::kBool:
      return "a bool";
    case Kind::kString:
      return "a string";
    case Kind::kIntVector:
      return "a list of integers";
    case Kind::kDoubleVector:
      return "a list of numbers";
    case Kind::kTensorVector:
      return "a list of tensors";
    case Kind::kList:
      return "a list";
    case Kind::kDict:
      return "a dict";
    case Kind::kTuple:
      return "a tuple";
  }
  return "";
}

void IValue::wrong_kind(Kind wanted) const {
  throw_error<ValueError>("IValue: it holds {}, not {}", kind(), name_of(wanted));
}

double IValue::toDouble() const {
  if (isInt()) return static_cast<double>(integer_);
  expect(Kind::kDouble);
  return number_;
}

std::shared_ptr<const Tuple> IValue::toTuple() const {
  expect(Kind::kTuple);
  return std::static_pointer_cast<const Tuple>(object_);
}

ArrayRef<IValue> IValue::toListRef() const { return toList().vec(); }

template <class T, class Convert>
std::vector<T> IValue::vector_of(Kind wanted, Convert convert) const {
  if (!isList() && !isTuple()) return object<std::vector<T>>(wanted);
  const std::vector<IValue>& values = isList() ? toList().vec() : toTupleRef().elements();
  std::vector<T> result;
  result.reserve(values.size());
  for (const IValue& v : values) result.push_back(convert(v));
  return result;
}

std::vector<int64_t> IValue::toIntVector() const {
  return vector_of<int64_t>(Kind::kIntVector, [](const IValue& v) { return v.toInt(); });
}
std::vector<double> IValue::toDoubleVector() const {
  return vector_of<double>(Kind::kDoubleVector, [](const IValue& v) { return v.toDouble(); });
}
std::vector<Tensor> IValue::toTensorVector() const {
  return vector_of<Tensor>(Kind::kTensorVector, [](const IValue& v) { return v.toTensor(); });
}

}  // namespace tapir
