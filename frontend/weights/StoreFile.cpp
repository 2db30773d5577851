//===- StoreFile.cpp - the weights beside an emitted module -----------------===//
#include "frontend/weights/StoreFile.h"
#include "frontend/weights/Reader.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/EndianStream.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace kiln;
using namespace llvm;

static StringRef safetensorsName(DType type) {
  constexpr StringRef names[numDTypes] = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2",
                                          "I64", "I32", "I16", "I8",   "U8",      "BOOL"};
  return names[static_cast<int>(type)];
}

namespace {
using Entry = std::pair<std::string, const WeightView *>;
} // namespace

/// The header, padded so that data starts at a multiple of 8.
static std::string makeHeader(ArrayRef<Entry> entries) {
  std::string header;
  raw_string_ostream os(header);
  json::OStream json(os);
  uint64_t offset = 0;
  json.object([&] {
    for (const auto &[hash, view] : entries)
      json.attributeObject(hash, [&] {
        json.attribute("dtype", safetensorsName(view->type));
        json.attributeArray("shape", [&] {
          for (int64_t extent : view->shape)
            json.value(extent);
        });
        json.attributeArray("data_offsets", [&] {
          json.value(offset);
          json.value(offset += view->bytes.size());
        });
      });
  });
  header.append((8 - header.size() % 8) % 8, ' ');
  return header;
}

Error kiln::writeStore(StringRef path, const WeightStore &store, ArrayRef<std::string> hashes) {
  std::vector<Entry> entries;
  for (const std::string &hash : hashes) {
    const WeightView *view = store.find(hash);
    if (!view)
      return createStringError("cannot write weights '" + path + "': the store has no tensor '" +
                               hash + "'");
    entries.emplace_back(hash, view);
  }
  // Wide elements first: then all are aligned without gaps, which the format forbids.
  llvm::sort(entries, [](const Entry &a, const Entry &b) {
    int64_t left = byteSize(a.second->type), right = byteSize(b.second->type);
    return left != right ? left > right : a.first < b.first;
  });
  entries.erase(llvm::unique(entries), entries.end());
  Error error = writeToOutput(path, [&](raw_ostream &os) -> Error {
    std::string header = makeHeader(entries);
    support::endian::write<uint64_t>(os, header.size(), endianness::little);
    os << header;
    for (const Entry &entry : entries)
      os.write(reinterpret_cast<const char *>(entry.second->bytes.data()),
               entry.second->bytes.size());
    return Error::success();
  });
  if (error)
    return createStringError("cannot write weights '" + path + "': " + toString(std::move(error)));
  return Error::success();
}

Error kiln::readStore(StringRef path, WeightStore &store) {
  Expected<std::vector<NamedTensor>> tensors = readWeights(path);
  if (!tensors)
    return tensors.takeError();
  for (NamedTensor &tensor : *tensors) {
    std::string hash = store.addBorrowed(tensor.view, std::move(tensor.owner));
    if (hash != tensor.name)
      return createStringError("weights '" + path + "' are damaged: tensor '" + tensor.name +
                               "' has the content of '" + hash + "'");
  }
  return Error::success();
}
