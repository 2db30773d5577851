//===- Reader.cpp - opens weight files and tells their formats apart --------===//
#include "frontend/weights/Reader.h"
#include "frontend/weights/Bytes.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;

namespace kiln {
namespace weights {

Error failure(const Twine &reason) { return createStringError(inconvertibleErrorCode(), reason); }

std::string inQuotes(StringRef text) {
  constexpr size_t longest = 120;
  std::string out = "'";
  for (char c : text.take_front(longest))
    out += isPrint(c) || (c & 0x80) ? std::string(1, c) : "\\x" + utohexstr(c & 0xFF, true, 2);
  return out + (text.size() > longest ? "…'" : "'");
}

std::pair<uint8_t *, Bytes> allocate(size_t size) {
  auto buffer = std::make_shared<std::vector<uint8_t>>(size);
  return {buffer->data(), {*buffer, buffer}};
}

Bytes aligned(const Bytes &bytes, size_t alignment) {
  if (reinterpret_cast<uintptr_t>(bytes.data.data()) % alignment == 0)
    return bytes;
  auto [data, copy] = allocate(bytes.data.size());
  llvm::copy(bytes.data, data);
  return copy;
}

Expected<uint64_t> denseSize(StringRef name, DType type, ArrayRef<int64_t> shape) {
  if (shape.size() > maxRank)
    return failure("tensor " + inQuotes(name) + " has rank " + Twine(shape.size()) +
                   ", expected at most " + Twine(maxRank));
  constexpr uint64_t largest = uint64_t(1) << 62;
  uint64_t size = byteSize(type), extents = 1;
  for (int64_t extent : shape) {
    if (extent < 0)
      return failure("tensor " + inQuotes(name) + " has the extent " + Twine(extent));
    // Extents beside a zero must not overflow either, so the product leaves zeros out.
    bool overflow = false;
    extents = SaturatingMultiply<uint64_t>(extents, std::max<int64_t>(extent, 1), &overflow);
    if (overflow || extents > largest / byteSize(type))
      return failure("the shape of tensor " + inQuotes(name) + " is too large");
    size *= extent;
  }
  return size;
}

Expected<NamedTensor> makeTensor(StringRef name, DType type, ArrayRef<int64_t> shape,
                                 const Bytes &bytes) {
  Expected<uint64_t> size = denseSize(name, type, shape);
  if (!size)
    return size.takeError();
  if (*size != bytes.data.size())
    return failure("tensor " + inQuotes(name) + " has " + Twine(bytes.data.size()) +
                   " bytes, expected " + Twine(*size) + " for its shape");
  Bytes content = aligned(bytes, byteSize(type));
  if (type == DType::Bool && any_of(content.data, [](uint8_t byte) { return byte > 1; })) {
    auto [data, copy] = allocate(content.data.size());
    transform(content.data, data, [](uint8_t byte) { return byte != 0; });
    content = copy;
  }
  NamedTensor tensor;
  tensor.name = name.str();
  tensor.view = {type, Shape(shape), content.data};
  tensor.owner = content.owner;
  return tensor;
}

Error checkNames(const Tensors &tensors) {
  StringSet<> names;
  for (const NamedTensor &tensor : tensors)
    if (!names.insert(tensor.name).second)
      return failure("two tensors have the name " + inQuotes(tensor.name));
  return Error::success();
}

/// Maps a whole file for reading.
static Expected<Bytes> mapFile(StringRef path) {
  auto systemError = [] { return failure(sys::StrError(errno)); };
  int descriptor = open(path.str().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return systemError();
  struct stat status;
  void *address = nullptr;
  size_t size = 0;
  Error error = Error::success();
  if (fstat(descriptor, &status) != 0)
    error = joinErrors(std::move(error), systemError());
  else if (!S_ISREG(status.st_mode))
    error = joinErrors(std::move(error), failure("expected a regular file"));
  else if ((size = status.st_size) &&
           (address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0)) == MAP_FAILED)
    error = joinErrors(std::move(error), systemError());
  close(descriptor);
  if (error)
    return error;
  if (size == 0)
    return failure("the file is empty");
  std::shared_ptr<const void> owner(address, [size](void *mapped) { munmap(mapped, size); });
  return Bytes{ArrayRef(static_cast<const uint8_t *>(address), size), owner};
}

static bool startsWith(ArrayRef<uint8_t> file, StringRef magic) {
  return toStringRef(file.take_front(magic.size())) == magic;
}

static Expected<Tensors> readAny(const Bytes &file, StringRef path) {
  StringRef stem = sys::path::stem(path);
  if (startsWith(file.data, StringRef("PK\3\4", 4)) ||
      startsWith(file.data, StringRef("PK\5\6", 4)))
    return readZip(file, stem);
  if (isNpy(file.data)) {
    Expected<NamedTensor> tensor = readNpy(stem, file);
    if (!tensor)
      return tensor.takeError();
    Tensors tensors;
    tensors.push_back(std::move(*tensor));
    return tensors;
  }
  if (isLegacyTorch(file.data))
    return readLegacyTorch(file, stem);
  if (file.data.size() > 8 && file.data[8] == '{')
    return readSafetensors(file);
  return failure("unknown format, expected safetensors, npy, npz or a file of 'torch.save'");
}

} // namespace weights

static Error withPath(StringRef path, Error error) {
  return weights::failure("cannot read weights " + weights::inQuotes(path) + ": " +
                          toString(std::move(error)));
}

Expected<std::vector<NamedTensor>> readWeights(StringRef path, ArrayRef<uint8_t> content,
                                               std::shared_ptr<const void> owner) {
  Expected<weights::Tensors> tensors = weights::readAny({content, std::move(owner)}, path);
  if (!tensors)
    return withPath(path, tensors.takeError());
  if (Error error = weights::checkNames(*tensors))
    return withPath(path, std::move(error));
  return tensors;
}

Expected<std::vector<NamedTensor>> readWeights(StringRef path) {
  Expected<weights::Bytes> file = weights::mapFile(path);
  if (!file)
    return withPath(path, file.takeError());
  return readWeights(path, file->data, file->owner);
}

} // namespace kiln
