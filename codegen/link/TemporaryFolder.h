//===- TemporaryFolder.h - a place that does not stay -----------*- C++ -*-===//
#ifndef KILN_CODEGEN_LINK_TEMPORARYFOLDER_H
#define KILN_CODEGEN_LINK_TEMPORARYFOLDER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace kiln::link {

/// A folder for intermediate files; removed with all it holds.
class TemporaryFolder {
public:
  /// On the output's file system, so that files can be renamed into place.
  static llvm::Expected<TemporaryFolder> beside(llvm::StringRef output);
  /// Where the system keeps such things.
  static llvm::Expected<TemporaryFolder> inSystem(llvm::StringRef prefix);
  /// Removes all that are there: for a program that is about to be ended.
  static void removeAll();

  TemporaryFolder(TemporaryFolder &&other);
  ~TemporaryFolder();
  std::string file(llvm::StringRef name) const { return path + "/" + name.str(); }

private:
  explicit TemporaryFolder(std::string path);
  std::string path;
};

} // namespace kiln::link

#endif // KILN_CODEGEN_LINK_TEMPORARYFOLDER_H
