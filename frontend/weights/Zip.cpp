//===- Zip.cpp - archives of stored and deflated entries --------------------===//
#include "frontend/weights/Zip.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <zlib.h>

using namespace llvm;
using support::endian::read16le;
using support::endian::read32le;
using support::endian::read64le;

namespace kiln::weights {

namespace {

/// Deflate makes at most 1032 bytes of one.
constexpr uint64_t maxRatio = 1032;

/// Sizes of the fixed parts of a record.
constexpr size_t endSize = 22, locatorSize = 20, end64Size = 56, centralSize = 46, localSize = 30;

bool hasMagic(ArrayRef<uint8_t> file, uint64_t at, size_t size, StringRef magic) {
  return at <= file.size() && size <= file.size() - at && toStringRef(file.slice(at, 4)) == magic;
}

/// Where the directory lies.
struct Directory {
  uint64_t offset = 0, size = 0, count = 0;
};

Expected<Directory> findDirectory(ArrayRef<uint8_t> file) {
  constexpr size_t longestComment = 65535;
  size_t lowest = file.size() - std::min(file.size(), endSize + longestComment);
  for (size_t at = file.size() < endSize ? 0 : file.size() - endSize + 1; at-- > lowest;) {
    if (!hasMagic(file, at, endSize, StringRef("PK\5\6", 4)))
      continue;
    const uint8_t *end = &file[at];
    Directory directory{read32le(end + 16), read32le(end + 12), read16le(end + 10)};
    if (at >= locatorSize &&
        hasMagic(file, at - locatorSize, locatorSize, StringRef("PK\6\7", 4))) {
      uint64_t at64 = read64le(end - locatorSize + 8);
      if (!hasMagic(file, at64, end64Size, StringRef("PK\6\6", 4)))
        return failure("the zip64 directory is damaged");
      const uint8_t *end64 = &file[at64];
      directory = {read64le(end64 + 48), read64le(end64 + 40), read64le(end64 + 32)};
    }
    if (directory.offset > at || directory.size > at - directory.offset ||
        directory.count > directory.size / centralSize)
      return failure("the zip directory lies outside of the file");
    return directory;
  }
  return failure("the zip file has no directory, it is truncated");
}

/// Reads one record of the directory.
class RecordReader {
public:
  RecordReader(const Bytes &file, ArrayRef<uint8_t> directory) : file(file), rest(directory) {}
  Expected<Zip::Entry> next();

private:
  const Bytes &file;
  ArrayRef<uint8_t> rest;

  bool widen(ArrayRef<uint8_t> extra, uint64_t &size, uint64_t &stored, uint64_t &offset);
};

/// Takes the fields that are all ones from the zip64 extra field.
bool RecordReader::widen(ArrayRef<uint8_t> extra, uint64_t &size, uint64_t &stored,
                         uint64_t &offset) {
  constexpr uint32_t wide = 0xFFFFFFFF;
  constexpr uint16_t zip64Tag = 1;
  if (size != wide && stored != wide && offset != wide)
    return true;
  while (extra.size() >= 4) {
    uint16_t tag = read16le(extra.data()), length = read16le(extra.data() + 2);
    extra = extra.drop_front(4);
    if (length > extra.size())
      return false;
    if (tag == zip64Tag) {
      ArrayRef<uint8_t> fields = extra.take_front(length);
      for (uint64_t *value : {&size, &stored, &offset}) {
        if (*value != wide)
          continue;
        if (fields.size() < 8)
          return false;
        *value = read64le(fields.data());
        fields = fields.drop_front(8);
      }
      return true;
    }
    extra = extra.drop_front(length);
  }
  return false;
}

Expected<Zip::Entry> RecordReader::next() {
  if (!hasMagic(rest, 0, centralSize, StringRef("PK\1\2", 4)))
    return failure("the zip directory is damaged");
  const uint8_t *record = rest.data();
  uint16_t flags = read16le(record + 8), method = read16le(record + 10);
  size_t nameSize = read16le(record + 28), extraSize = read16le(record + 30),
         whole = centralSize + nameSize + extraSize + read16le(record + 32);
  uint64_t stored = read32le(record + 20), size = read32le(record + 24),
           offset = read32le(record + 42);
  if (whole > rest.size() ||
      !widen(rest.slice(centralSize + nameSize, extraSize), size, stored, offset))
    return failure("the zip directory is damaged");
  Zip::Entry entry{toStringRef(rest.slice(centralSize, nameSize)),
                   method == Z_DEFLATED,
                   read32le(record + 16),
                   size,
                   {}};
  rest = rest.drop_front(whole);

  auto fail = [&](const Twine &reason) {
    return failure("zip entry " + inQuotes(entry.name) + " " + reason);
  };
  if (flags & 1)
    return fail("is encrypted");
  if (method != 0 && method != Z_DEFLATED)
    return fail("has the compression method " + Twine(method) + ", expected stored or deflated");
  if (!hasMagic(file.data, offset, localSize, StringRef("PK\3\4", 4)))
    return fail("has no header at byte " + Twine(offset));
  const uint8_t *local = &file.data[offset];
  uint64_t begin = offset + localSize + read16le(local + 26) + read16le(local + 28);
  if (begin > file.data.size() || stored > file.data.size() - begin)
    return fail("lies outside of the file");
  if (entry.deflated ? size / maxRatio > stored : size != stored)
    return fail("has " + Twine(stored) + " bytes, which cannot hold " + Twine(size));
  entry.stored = file.slice(begin, stored);
  return entry;
}

Error checkOverlap(const std::vector<Zip::Entry> &entries) {
  std::vector<const Zip::Entry *> order;
  for (const Zip::Entry &entry : entries)
    if (!entry.stored.data.empty())
      order.push_back(&entry);
  llvm::sort(order, [](const Zip::Entry *a, const Zip::Entry *b) {
    return a->stored.data.begin() < b->stored.data.begin();
  });
  for (size_t i = 1; i < order.size(); ++i)
    if (order[i]->stored.data.begin() < order[i - 1]->stored.data.end())
      return failure("zip entries " + inQuotes(order[i - 1]->name) + " and " +
                     inQuotes(order[i]->name) + " overlap");
  return Error::success();
}

/// Inflates to exactly `size` bytes; false if the stream is damaged or has another length.
bool inflateInto(uint8_t *out, uint64_t size, ArrayRef<uint8_t> stored) {
  constexpr uint64_t step = 1u << 30; // zlib counts in 32 bits
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
    return false;
  uint64_t left = size, input = stored.size();
  uint8_t beyond; // so that an empty or too long output is seen
  stream.next_in = const_cast<Bytef *>(stored.data());
  int status = Z_OK;
  while (status == Z_OK) {
    uInt given = stream.avail_in = std::min(input, step);
    uInt room = stream.avail_out = left ? std::min(left, step) : 1;
    stream.next_out = left ? out + (size - left) : &beyond;
    status = inflate(&stream, Z_NO_FLUSH);
    input -= given - stream.avail_in;
    uInt made = room - stream.avail_out;
    if (made > left) {
      status = Z_DATA_ERROR;
      break;
    }
    left -= made;
  }
  inflateEnd(&stream);
  return status == Z_STREAM_END && left == 0 && input == 0;
}

} // namespace

Expected<Zip> Zip::open(const Bytes &file) {
  Expected<Directory> directory = findDirectory(file.data);
  if (!directory)
    return directory.takeError();
  Zip zip;
  RecordReader records(file, file.data.slice(directory->offset, directory->size));
  for (uint64_t i = 0; i < directory->count; ++i) {
    Expected<Entry> entry = records.next();
    if (!entry)
      return entry.takeError();
    zip.entries.push_back(std::move(*entry));
  }
  if (Error error = checkOverlap(zip.entries))
    return error;
  return zip;
}

const Zip::Entry *Zip::find(StringRef name) const {
  auto found = find_if(entries, [&](const Entry &entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

Expected<Bytes> Zip::read(const Entry &entry) {
  Bytes content = entry.stored;
  if (entry.deflated) {
    auto [data, inflated] = allocate(entry.size);
    if (!inflateInto(data, entry.size, entry.stored.data))
      return failure("zip entry " + inQuotes(entry.name) +
                     " is damaged, or has another length than its directory says");
    content = inflated;
  }
  if (crc32_z(0, content.data.data(), content.data.size()) != entry.crc)
    return failure("zip entry " + inQuotes(entry.name) + " is damaged, its CRC is wrong");
  return content;
}

} // namespace kiln::weights
