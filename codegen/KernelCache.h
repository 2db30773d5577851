//===- KernelCache.h - generated kernels on disk ---------------*- C++ -*-===//
#ifndef KILN_CODEGEN_KERNELCACHE_H
#define KILN_CODEGEN_KERNELCACHE_H

#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace kiln::codegen {

/// Bitcode by key, one file each. A file carries its checksum and is written to a temporary name
/// and renamed, so that a reader never sees half of one; a damaged file is no hit. An empty folder
/// name disables the cache. Failures to write are not errors: the next build is slower, not wrong.
class KernelCache {
public:
  explicit KernelCache(std::string folder) : folder(std::move(folder)) {}

  /// Key of everything the bitcode depends on.
  static std::string key(llvm::StringRef specText, llvm::StringRef generator,
                         llvm::StringRef version, llvm::StringRef target, int optLevel);
  std::optional<std::string> find(llvm::StringRef key) const;
  void insert(llvm::StringRef key, llvm::StringRef bitcode) const;

  /// $KILN_KERNEL_CACHE, else $XDG_CACHE_HOME/kiln/kernels, else ~/.cache/kiln/kernels.
  static std::string defaultFolder();

private:
  std::string folder;
};

} // namespace kiln::codegen

#endif // KILN_CODEGEN_KERNELCACHE_H
