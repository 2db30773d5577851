//===- Zip.h - archives of stored and deflated entries ---------*- C++ -*-===//
#ifndef KILN_FRONTEND_WEIGHTS_ZIP_H
#define KILN_FRONTEND_WEIGHTS_ZIP_H

#include "frontend/weights/Bytes.h"

namespace kiln::weights {

/// The directory of an archive, zip64 included. All ranges lie in the file and none overlap, so
/// that the entries together account for no more than the file's size (times 1032 if deflated).
class Zip {
public:
  struct Entry {
    llvm::StringRef name; ///< points into the file
    bool deflated;
    uint32_t crc;
    uint64_t size; ///< when inflated
    Bytes stored;  ///< as it lies in the file
  };

  static llvm::Expected<Zip> open(const Bytes &file);
  const std::vector<Entry> &list() const { return entries; }
  /// The first entry of a name, or null.
  const Entry *find(llvm::StringRef name) const;
  /// The content, checked against its CRC: a part of the file, or inflated memory.
  static llvm::Expected<Bytes> read(const Entry &entry);

private:
  std::vector<Entry> entries;
};

} // namespace kiln::weights

#endif // KILN_FRONTEND_WEIGHTS_ZIP_H
