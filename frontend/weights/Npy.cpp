//===- Npy.cpp - NumPy's arrays ---------------------------------------------===//
//
// The file: magic, version, length of the header, the header (a Python dictionary of three known
// keys), the data.
//
//===----------------------------------------------------------------------===//
#include "frontend/weights/Bytes.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

#include <algorithm>

using namespace llvm;

namespace kiln::weights {

namespace {

constexpr StringLiteral magic("\x93NUMPY");

struct Header {
  StringRef descr;
  bool fortran = false;
  Shape shape;
  bool hasDescr = false, hasOrder = false, hasShape = false;
};

/// Reads {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } in any order of keys.
class HeaderReader {
public:
  explicit HeaderReader(StringRef text) : rest(text) {}
  bool read(Header &header);

private:
  StringRef rest;

  bool take(StringRef text) {
    rest = rest.ltrim();
    return rest.consume_front(text);
  }
  bool string(StringRef &into) {
    char quote = take("'") ? '\'' : '"';
    if (quote == '"' && !rest.consume_front("\""))
      return false;
    size_t size = rest.find(quote);
    if (size == StringRef::npos)
      return false;
    into = rest.take_front(size);
    rest = rest.drop_front(size + 1);
    return true;
  }
  bool shape(Shape &into);
};

bool HeaderReader::shape(Shape &into) {
  if (!take("("))
    return false;
  while (!take(")")) {
    int64_t extent;
    if (rest.consumeInteger(10, extent) || into.size() >= maxRank)
      return false;
    rest.consume_front("L"); // written by Python 2
    into.push_back(extent);
    if (!take(",") && !rest.starts_with(")"))
      return false;
  }
  return true;
}

bool HeaderReader::read(Header &header) {
  if (!take("{"))
    return false;
  while (!take("}")) {
    StringRef key;
    if (!string(key) || !take(":"))
      return false;
    bool good = false;
    if (key == "descr") {
      good = header.hasDescr = string(header.descr);
    } else if (key == "fortran_order") {
      header.fortran = take("True");
      good = header.hasOrder = header.fortran || take("False");
    } else if (key == "shape" && !header.hasShape) {
      good = header.hasShape = shape(header.shape);
    }
    if (!good || (!take(",") && !rest.starts_with("}")))
      return false;
  }
  return rest.trim().empty() && header.hasDescr && header.hasOrder && header.hasShape;
}

std::optional<DType> dtypeOf(StringRef kind) {
  return StringSwitch<std::optional<DType>>(kind)
      .Case("f8", DType::F64)
      .Case("f4", DType::F32)
      .Case("f2", DType::F16)
      .Case("i8", DType::I64)
      .Case("i4", DType::I32)
      .Case("i2", DType::I16)
      .Case("i1", DType::I8)
      .Case("u1", DType::U8)
      .Case("b1", DType::Bool)
      .Default(std::nullopt);
}

/// A row-major little-endian copy of dense elements that are column-major, big-endian or both.
Bytes converted(const Bytes &source, size_t element, ArrayRef<int64_t> shape, bool fortran,
                bool swap) {
  auto [out, copy] = allocate(source.data.size());
  size_t count = source.data.size() / element, rank = shape.size();
  SmallVector<int64_t> index(rank, 0), strides(rank, 1);
  for (size_t i = 1; i < rank; ++i)
    strides[i] = strides[i - 1] * shape[i - 1];
  size_t from = 0;
  for (size_t to = 0; to < count; ++to) {
    const uint8_t *value = source.data.data() + (fortran ? from : to) * element;
    if (swap)
      std::reverse_copy(value, value + element, out + to * element);
    else
      std::copy(value, value + element, out + to * element);
    for (size_t axis = rank; fortran && axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < shape[axis])
        break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return copy;
}

} // namespace

bool isNpy(ArrayRef<uint8_t> file) { return toStringRef(file.take_front(magic.size())) == magic; }

Expected<NamedTensor> readNpy(StringRef name, const Bytes &file) {
  ArrayRef<uint8_t> data = file.data;
  if (!isNpy(data) || data.size() < 12)
    return failure("array " + inQuotes(name) + " is no .npy file");
  unsigned version = data[6];
  if (version < 1 || version > 3)
    return failure("array " + inQuotes(name) + " has the .npy version " + Twine(version) +
                   ", expected 1 to 3");
  size_t start = version == 1 ? 10 : 12;
  uint64_t length =
      version == 1 ? support::endian::read16le(&data[8]) : support::endian::read32le(&data[8]);
  if (length > data.size() - start)
    return failure("array " + inQuotes(name) + " ends within its header");
  Header header;
  if (!HeaderReader(toStringRef(data.slice(start, length))).read(header))
    return failure("array " + inQuotes(name) + " has a malformed header");

  StringRef order = header.descr.take_front(1), kind = header.descr.drop_front(order.size());
  std::optional<DType> type = dtypeOf(kind);
  if (!type || !(order == "<" || order == ">" || order == "|" || order == "="))
    return failure("array " + inQuotes(name) + " has the unsupported type " +
                   inQuotes(header.descr));
  Expected<uint64_t> size = denseSize(name, *type, header.shape);
  if (!size)
    return size.takeError();
  Bytes content = file.slice(start + length, data.size() - start - length);
  if (content.data.size() != *size)
    return failure("array " + inQuotes(name) + " has " + Twine(content.data.size()) +
                   " bytes, expected " + Twine(*size) + " for its shape");
  bool swap = order == ">" && byteSize(*type) > 1,
       fortran = header.fortran && header.shape.size() > 1;
  if (swap || fortran)
    content = converted(content, byteSize(*type), header.shape, fortran, swap);
  return makeTensor(name, *type, header.shape, content);
}

} // namespace kiln::weights
