//===- Torch.cpp - PyTorch's files, and .npz beside them --------------------===//
//
// Zip form: <name>/data.pkl and one entry <name>/data/<key> a storage. Legacy form: the pickles of
// a magic number, a protocol version, facts of the machine, the object, the keys of the storages;
// then for each key its number of elements (i64) and its bytes.
//
//===----------------------------------------------------------------------===//
#include "frontend/weights/Pickle.h"
#include "frontend/weights/Zip.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

using namespace llvm;

namespace kiln::weights {

namespace {

using Kind = PickleValue::Kind;

/// Nesting of containers, and values visited in all: containers may share parts or hold themselves.
constexpr unsigned maxDepth = 64;
constexpr size_t maxVisits = size_t(4) << 20;

struct NamedValue {
  std::string name;
  const PickleValue *tensor;
};

/// Finds the tensors of an object, with their paths.
class Collector {
public:
  std::vector<NamedValue> found;

  Error collect(const PickleValue *value, const std::string &path, unsigned depth = 0) {
    if (depth > maxDepth || ++visits > maxVisits)
      return failure("its containers nest too deeply or are too large");
    if (value->is(Kind::Tensor)) {
      found.push_back({path, value});
      return Error::success();
    }
    bool isDict = value->is(Kind::Dict);
    if (!isDict && !value->is(Kind::List) && !value->is(Kind::Tuple))
      return Error::success();
    for (size_t i = 0; i < value->items.size(); i += 1 + isDict) {
      std::string key = std::to_string(i);
      if (isDict && !keyText(value->items[i], key))
        continue;
      if (Error error =
              collect(value->items[i + isDict], path.empty() ? key : path + "." + key, depth + 1))
        return error;
    }
    return Error::success();
  }

private:
  size_t visits = 0;

  /// Only strings and integers name anything.
  static bool keyText(const PickleValue *key, std::string &text) {
    if (key->is(Kind::Text))
      text = key->text.str();
    else if (key->is(Kind::Int) && key->text.empty())
      text = std::to_string(key->number);
    else
      return false;
    return true;
  }
};

/// Bytes of a storage by its key, at least as many as its elements take.
using StorageLookup = function_ref<Expected<Bytes>(const PickleValue &storage)>;

/// A view of a storage in the extents and strides of a tensor.
struct StridedView {
  Shape shape, strides;
  int64_t count = 1;
  bool dense = true;
  int64_t last = 0; ///< largest element index that is touched
};

Expected<StridedView> viewOf(const NamedValue &named) {
  const PickleValue &tensor = *named.tensor, &storage = *tensor.items[0];
  StridedView view;
  for (size_t i = 0; i < tensor.items[1]->items.size(); ++i) {
    view.shape.push_back(tensor.items[1]->items[i]->number);
    // The stride of an axis of one element means nothing and may be anything.
    view.strides.push_back(view.shape[i] == 1 ? 0 : tensor.items[2]->items[i]->number);
  }
  Expected<uint64_t> size = denseSize(named.name, storage.type, view.shape);
  if (!size)
    return size.takeError();
  auto outside = [&] {
    return failure("tensor " + inQuotes(named.name) + " reaches outside of its storage of " +
                   Twine(storage.number) + " elements");
  };
  view.count = *size / byteSize(storage.type);
  view.last = tensor.number;
  if (view.last < 0 || view.last > storage.number)
    return outside();
  int64_t expected = 1;
  for (size_t i = view.shape.size(); i-- > 0 && view.count;) {
    int64_t steps = view.shape[i] - 1, stride = view.strides[i];
    if (stride < 0 || (steps && stride > (storage.number - view.last) / steps))
      return outside();
    view.last += steps * stride;
    view.dense &= steps == 0 || stride == expected;
    expected *= view.shape[i];
  }
  if (view.count && view.last >= storage.number)
    return outside();
  return view;
}

/// A dense copy. The caller has checked that the view lies in `source`.
Bytes gather(const Bytes &source, const StridedView &view, int64_t first, int64_t element) {
  auto [out, copy] = allocate(view.count * element);
  SmallVector<int64_t> index(view.shape.size(), 0);
  int64_t from = first;
  for (int64_t to = 0; to < view.count; ++to) {
    std::copy_n(source.data.data() + from * element, element, out + to * element);
    for (size_t axis = view.shape.size(); axis-- > 0;) {
      from += view.strides[axis];
      if (++index[axis] < view.shape[axis])
        break;
      from -= view.strides[axis] * view.shape[axis];
      index[axis] = 0;
    }
  }
  return copy;
}

Expected<Tensors> buildTensors(const PickleValue *root, StringRef stem, StorageLookup lookup) {
  Collector collector;
  if (Error error = collector.collect(root, ""))
    return error;
  Tensors tensors;
  StringMap<Bytes> storages;
  uint64_t storageBytes = 0, copied = 0;
  for (NamedValue &named : collector.found) {
    if (named.name.empty())
      named.name = stem.str();
    const PickleValue &storage = *named.tensor->items[0];
    int64_t element = byteSize(storage.type);
    Expected<StridedView> view = viewOf(named);
    if (!view)
      return view.takeError();
    auto [known, isNew] = storages.try_emplace(storage.text);
    if (isNew) {
      Expected<Bytes> content = lookup(storage);
      if (!content)
        return content.takeError();
      known->second = aligned(*content, sizeof(int64_t));
      storageBytes += content->data.size();
    }
    const Bytes &content = known->second;
    if (content.data.size() / element < static_cast<uint64_t>(storage.number))
      return failure("storage " + inQuotes(storage.text) + " has " + Twine(content.data.size()) +
                     " bytes, expected " + Twine(storage.number) + " elements of " +
                     Twine(element));
    int64_t first = named.tensor->number;
    Bytes bytes;
    if (view->dense) {
      bytes = content.slice(first * element, view->count * element);
    } else {
      // Copies of expanded or repeated views must not outgrow what the file holds.
      constexpr uint64_t mostCopies = 4;
      copied += view->count * element;
      if (view->count > storage.number || copied / mostCopies > storageBytes)
        return failure("tensor " + inQuotes(named.name) + " is larger than its storage");
      bytes = gather(content, *view, first, element);
    }
    Expected<NamedTensor> tensor = makeTensor(named.name, storage.type, view->shape, bytes);
    if (!tensor)
      return tensor.takeError();
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

Expected<Tensors> readTorchZip(const Zip &zip, const Zip::Entry &object, StringRef stem) {
  StringRef prefix = object.name.drop_back(StringRef("data.pkl").size());
  StringMap<const Zip::Entry *> entries;
  for (const Zip::Entry &entry : zip.list())
    if (!entries.try_emplace(entry.name, &entry).second)
      return failure("two zip entries have the name " + inQuotes(entry.name));
  if (const Zip::Entry *order = entries.lookup((prefix + "byteorder").str())) {
    Expected<Bytes> text = Zip::read(*order);
    if (!text)
      return text.takeError();
    if (toStringRef(text->data) != "little")
      return failure("the byte order is " + inQuotes(toStringRef(text->data)) +
                     ", expected 'little'");
  }
  Expected<Bytes> content = Zip::read(object);
  if (!content)
    return content.takeError();
  Pickle pickle;
  Expected<PickleValue *> root = pickle.load(content->data);
  if (!root)
    return root.takeError();
  return buildTensors(*root, stem, [&](const PickleValue &storage) -> Expected<Bytes> {
    if (const Zip::Entry *entry = entries.lookup((prefix + "data/" + storage.text).str()))
      return Zip::read(*entry);
    return failure("the data of storage " + inQuotes(storage.text) + " is missing");
  });
}

Expected<Tensors> readNpz(const Zip &zip) {
  Tensors tensors;
  for (const Zip::Entry &entry : zip.list()) {
    StringRef name = entry.name;
    if (!name.consume_back(".npy"))
      continue;
    Expected<Bytes> content = Zip::read(entry);
    if (!content)
      return content.takeError();
    Expected<NamedTensor> tensor = readNpy(name, *content);
    if (!tensor)
      return tensor.takeError();
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

/// What begins a legacy file, after its protocol: an integer of ten bytes, the magic number.
constexpr StringLiteral legacyMagic("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");

} // namespace

Expected<Tensors> readZip(const Bytes &file, StringRef stem) {
  Expected<Zip> zip = Zip::open(file);
  if (!zip)
    return zip.takeError();
  bool hasArrays = false;
  for (const Zip::Entry &entry : zip->list()) {
    if (entry.name == "data.pkl" || entry.name.ends_with("/data.pkl"))
      return readTorchZip(*zip, entry, stem);
    hasArrays |= entry.name.ends_with(".npy");
  }
  if (hasArrays || zip->list().empty())
    return readNpz(*zip);
  return failure("the zip file holds neither arrays (.npz) nor a file of 'torch.save'");
}

bool isLegacyTorch(ArrayRef<uint8_t> file) {
  return file.size() > 2 && file[0] == 0x80 &&
         toStringRef(file.drop_front(2)).starts_with(legacyMagic);
}

Expected<Tensors> readLegacyTorch(const Bytes &file, StringRef stem) {
  ArrayRef<uint8_t> rest = file.data;
  Pickle pickle;
  enum { Magic, Protocol, Machine, Object, Keys, Count };
  PickleValue *parts[Count];
  for (PickleValue *&part : parts) {
    Expected<PickleValue *> value = pickle.load(rest);
    if (!value)
      return value.takeError();
    part = *value;
  }
  constexpr int64_t version = 1001;
  if (!parts[Protocol]->is(Kind::Int) || parts[Protocol]->number != version ||
      !parts[Keys]->is(Kind::List))
    return failure("unknown version of the legacy form of 'torch.save'");
  for (size_t i = 0; i + 1 < parts[Machine]->items.size(); i += 2)
    if (parts[Machine]->items[i]->text == "little_endian" && !parts[Machine]->items[i + 1]->number)
      return failure("the byte order is 'big', expected 'little'");

  StringMap<const PickleValue *> mentioned;
  for (const PickleValue &value : pickle.all())
    if (value.is(Kind::Storage))
      mentioned.try_emplace(value.text, &value);
  StringMap<Bytes> data;
  for (const PickleValue *key : parts[Keys]->items) {
    const PickleValue *storage = mentioned.lookup(key->text);
    if (!storage)
      return failure("storage " + inQuotes(key->text) + " belongs to no tensor");
    uint64_t count = rest.size() < 8 ? 0 : support::endian::read64le(rest.data());
    uint64_t element = byteSize(storage->type);
    if (rest.size() < 8 || count > (rest.size() - 8) / element)
      return failure("storage " + inQuotes(key->text) + " reaches outside of the file");
    size_t offset = rest.data() + 8 - file.data.data();
    data[key->text] = file.slice(offset, count * element);
    rest = rest.drop_front(8 + count * element);
  }
  return buildTensors(parts[Object], stem, [&](const PickleValue &storage) -> Expected<Bytes> {
    auto found = data.find(storage.text);
    if (found != data.end())
      return found->second;
    return failure("the data of storage " + inQuotes(storage.text) + " is missing");
  });
}

} // namespace kiln::weights
