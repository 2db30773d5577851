//===- Reader.h - tensors of published weight files ------------*- C++ -*-===//
#ifndef KILN_FRONTEND_WEIGHTS_READER_H
#define KILN_FRONTEND_WEIGHTS_READER_H

#include "ir/WeightStore.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>
#include <vector>

namespace kiln {

/// A tensor of a file. The bytes are little-endian, row-major, aligned to the element's size, and
/// live as long as `owner`: the mapped file where it stores them so, else one copy. Bools are 0/1.
struct NamedTensor {
  std::string name;
  WeightView view;
  std::shared_ptr<const void> owner;
};

/// Reads the tensors of a file, in the file's order, with distinct names. The format is known by
/// content: safetensors, .npy (named as the file without its ending), .npz, and PyTorch's .pt/.pth
/// in both forms (names of nested dictionaries and lists are joined by '.'). Files are not trusted:
/// no code of a pickle runs, and no more memory is taken than the file's size accounts for. The
/// error names the file and the reason.
llvm::Expected<std::vector<NamedTensor>> readWeights(llvm::StringRef path);

/// The same for a file's content that `owner` keeps alive; `path` is for messages and names.
llvm::Expected<std::vector<NamedTensor>> readWeights(llvm::StringRef path,
                                                     llvm::ArrayRef<uint8_t> content,
                                                     std::shared_ptr<const void> owner);

} // namespace kiln

#endif // KILN_FRONTEND_WEIGHTS_READER_H
