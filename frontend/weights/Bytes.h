//===- Bytes.h - what the readers of formats share -------------*- C++ -*-===//
//
// Private to frontend/weights. Errors made here have no file name; readWeights adds it.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_WEIGHTS_BYTES_H
#define KILN_FRONTEND_WEIGHTS_BYTES_H

#include "frontend/weights/Reader.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Endian.h"

namespace kiln::weights {

using Tensors = std::vector<NamedTensor>;
using Shape = llvm::SmallVector<int64_t, 4>;

/// Largest rank that is read; NumPy's is 64, PyTorch's likewise.
inline constexpr size_t maxRank = 64;

/// A range of bytes with who keeps it alive.
struct Bytes {
  llvm::ArrayRef<uint8_t> data;
  std::shared_ptr<const void> owner;
  Bytes slice(size_t offset, size_t size) const { return {data.slice(offset, size), owner}; }
};

llvm::Error failure(const llvm::Twine &reason);
/// A name from a file, in quotes, shortened and escaped.
std::string inQuotes(llvm::StringRef text);
/// A zeroed buffer and the bytes of it.
std::pair<uint8_t *, Bytes> allocate(size_t size);
/// The bytes themselves if they are aligned so, else a copy.
Bytes aligned(const Bytes &bytes, size_t alignment);
/// Size of a dense tensor in bytes; an error if an extent is negative or the size overflows.
llvm::Expected<uint64_t> denseSize(llvm::StringRef name, DType type, llvm::ArrayRef<int64_t> shape);
/// A dense little-endian tensor, copied if misaligned or if a bool is neither 0 nor 1. The size of
/// `bytes` must be that of the shape.
llvm::Expected<NamedTensor> makeTensor(llvm::StringRef name, DType type,
                                       llvm::ArrayRef<int64_t> shape, const Bytes &bytes);
/// An error if two tensors have one name.
llvm::Error checkNames(const Tensors &tensors);

/// The formats. `stem` names a tensor that has no name in the file.
llvm::Expected<Tensors> readSafetensors(const Bytes &file);
llvm::Expected<NamedTensor> readNpy(llvm::StringRef name, const Bytes &file);
/// .npz or PyTorch's zip form.
llvm::Expected<Tensors> readZip(const Bytes &file, llvm::StringRef stem);
llvm::Expected<Tensors> readLegacyTorch(const Bytes &file, llvm::StringRef stem);
bool isNpy(llvm::ArrayRef<uint8_t> file);
bool isLegacyTorch(llvm::ArrayRef<uint8_t> file);

} // namespace kiln::weights

#endif // KILN_FRONTEND_WEIGHTS_BYTES_H
