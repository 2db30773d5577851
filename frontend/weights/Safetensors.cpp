//===- Safetensors.cpp - a JSON header, then raw tensors --------------------===//
//
// The file: the header's length (u64), the header {"name": {"dtype", "shape", "data_offsets"}, …},
// and the data, to which offsets count. The header's JSON has a fixed form, so it is read in one
// pass without recursion, and duplicate keys are seen.
//
//===----------------------------------------------------------------------===//
#include "frontend/weights/Bytes.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/ConvertUTF.h"

#include <algorithm>

using namespace llvm;

namespace kiln::weights {

namespace {

/// Longest header, in bytes: that of the format's own library.
constexpr uint64_t maxHeader = 100'000'000;

struct Entry {
  std::string name, dtype;
  Shape shape;
  SmallVector<int64_t, 2> offsets;
  bool hasDtype = false, hasShape = false, hasOffsets = false;
};

class HeaderReader {
public:
  explicit HeaderReader(StringRef text) : rest(text) {}
  /// The entries, or nothing and the place of the fault.
  bool read(std::vector<Entry> &entries);
  size_t unread() const { return rest.size(); }

private:
  StringRef rest;

  bool take(char c) {
    rest = rest.ltrim(" \t\r\n");
    return rest.consume_front(StringRef(&c, 1));
  }
  bool string(std::string &into);
  bool escape(std::string &into);
  bool codeUnit(uint32_t &unit);
  bool integers(SmallVectorImpl<int64_t> &into);
  bool members(function_ref<bool(StringRef key)> member);
  bool entry(Entry &entry);
};

bool HeaderReader::members(function_ref<bool(StringRef key)> member) {
  if (!take('{'))
    return false;
  if (take('}'))
    return true;
  do {
    std::string key;
    if (!string(key) || !take(':') || !member(key))
      return false;
  } while (take(','));
  return take('}');
}

bool HeaderReader::read(std::vector<Entry> &entries) {
  bool parsed = members([&](StringRef key) {
    if (key == "__metadata__")
      return members([&](StringRef) {
        std::string value;
        return string(value);
      });
    entries.emplace_back();
    entries.back().name = key.str();
    return entry(entries.back());
  });
  rest = rest.trim(StringRef(" \t\r\n\0", 5));
  return parsed && rest.empty();
}

bool HeaderReader::entry(Entry &entry) {
  auto once = [](bool &seen) { return !std::exchange(seen, true); };
  return members([&](StringRef key) {
    if (key == "dtype")
      return once(entry.hasDtype) && string(entry.dtype);
    if (key == "shape")
      return once(entry.hasShape) && integers(entry.shape);
    return key == "data_offsets" && once(entry.hasOffsets) && integers(entry.offsets);
  });
}

bool HeaderReader::integers(SmallVectorImpl<int64_t> &into) {
  if (!take('['))
    return false;
  if (take(']'))
    return true;
  do {
    rest = rest.ltrim(" \t\r\n");
    StringRef digits = rest.take_while([](char c) { return isDigit(c); });
    int64_t value;
    if (digits.getAsInteger(10, value) || into.size() >= maxRank)
      return false;
    rest = rest.drop_front(digits.size());
    into.push_back(value);
  } while (take(','));
  return take(']');
}

bool HeaderReader::codeUnit(uint32_t &unit) {
  StringRef digits = rest.take_front(4);
  if (digits.size() < 4 || !all_of(digits, isHexDigit) || digits.getAsInteger(16, unit))
    return false;
  rest = rest.drop_front(4);
  return true;
}

/// What stands after a backslash.
bool HeaderReader::escape(std::string &into) {
  if (rest.empty())
    return false;
  char kind = rest.front();
  rest = rest.drop_front();
  if (kind != 'u') {
    static constexpr StringLiteral kinds = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
    size_t which = kinds.find(kind);
    if (which == StringRef::npos)
      return false;
    into += values[which];
    return true;
  }
  uint32_t code, low;
  if (!codeUnit(code))
    return false;
  if (code >= 0xD800 && code < 0xDC00) {
    if (!rest.consume_front("\\u") || !codeUnit(low) || low < 0xDC00 || low > 0xDFFF)
      return false;
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  char buffer[UNI_MAX_UTF8_BYTES_PER_CODE_POINT], *end = buffer;
  if (!ConvertCodePointToUTF8(code, end))
    return false;
  into.append(buffer, end);
  return true;
}

bool HeaderReader::string(std::string &into) {
  if (!take('"'))
    return false;
  while (!rest.empty() && rest.front() != '"') {
    if (rest.consume_front("\\")) {
      if (!escape(into))
        return false;
      continue;
    }
    StringRef plain = rest.take_until([](char c) { return c == '"' || c == '\\'; });
    into += plain;
    rest = rest.drop_front(plain.size());
  }
  return rest.consume_front("\"");
}

std::optional<DType> dtypeOf(StringRef name) {
  return StringSwitch<std::optional<DType>>(name)
      .Case("F64", DType::F64)
      .Case("F32", DType::F32)
      .Case("F16", DType::F16)
      .Case("BF16", DType::BF16)
      .Case("F8_E4M3", DType::F8E4M3)
      .Case("F8_E5M2", DType::F8E5M2)
      .Case("I64", DType::I64)
      .Case("I32", DType::I32)
      .Case("I16", DType::I16)
      .Case("I8", DType::I8)
      .Case("U8", DType::U8)
      .Case("BOOL", DType::Bool)
      .Default(std::nullopt);
}

Error checkOverlap(const std::vector<Entry> &entries) {
  std::vector<const Entry *> order;
  for (const Entry &entry : entries)
    if (entry.offsets[0] != entry.offsets[1])
      order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const Entry *a, const Entry *b) {
    return std::pair(a->offsets[0], a->offsets[1]) < std::pair(b->offsets[0], b->offsets[1]);
  });
  for (size_t i = 1; i < order.size(); ++i)
    if (order[i]->offsets[0] < order[i - 1]->offsets[1])
      return failure("tensors " + inQuotes(order[i - 1]->name) + " and " +
                     inQuotes(order[i]->name) + " overlap");
  return Error::success();
}

} // namespace

Expected<Tensors> readSafetensors(const Bytes &file) {
  uint64_t length = support::endian::read64le(file.data.data());
  if (length > maxHeader || length > file.data.size() - 8)
    return failure("the header has " + Twine(length) + " bytes, expected at most " +
                   Twine(std::min<uint64_t>(maxHeader, file.data.size() - 8)));
  Bytes data = file.slice(8 + length, file.data.size() - 8 - length);
  std::vector<Entry> entries;
  HeaderReader header(toStringRef(file.data.slice(8, length)));
  if (!header.read(entries))
    return failure("malformed header at byte " + Twine(8 + length - header.unread()));
  for (const Entry &entry : entries) {
    if (!entry.hasDtype || !entry.hasShape || entry.offsets.size() != 2)
      return failure("tensor " + inQuotes(entry.name) +
                     ": expected 'dtype', 'shape' and two 'data_offsets'");
    if (entry.offsets[0] > entry.offsets[1] ||
        static_cast<uint64_t>(entry.offsets[1]) > data.data.size())
      return failure("tensor " + inQuotes(entry.name) + " lies at bytes " +
                     Twine(entry.offsets[0]) + " to " + Twine(entry.offsets[1]) +
                     ", expected at most " + Twine(data.data.size()));
  }
  if (Error error = checkOverlap(entries))
    return error;
  Tensors tensors;
  for (const Entry &entry : entries) {
    std::optional<DType> type = dtypeOf(entry.dtype);
    if (!type)
      return failure("tensor " + inQuotes(entry.name) + " has the unsupported type " +
                     inQuotes(entry.dtype));
    Expected<NamedTensor> tensor =
        makeTensor(entry.name, *type, entry.shape,
                   data.slice(entry.offsets[0], entry.offsets[1] - entry.offsets[0]));
    if (!tensor)
      return tensor.takeError();
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

} // namespace kiln::weights
