//===- WeightStore.h - the bytes of trained tensors ------------*- C++ -*-===//
//
// Holds weights outside of the MLIR context, addressed by the hash of their content. Entries are
// memory-mapped files or owned buffers. Weights never enter an attribute, a module or text.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_IR_WEIGHTSTORE_H
#define KILN_IR_WEIGHTSTORE_H

#include "ir/DType.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace kiln {

/// A dense row-major tensor whose bytes someone keeps alive.
struct WeightView {
  DType type = DType::F32;
  llvm::SmallVector<int64_t, 4> shape;
  llvm::ArrayRef<uint8_t> bytes;

  int64_t numElements() const;
};

/// Content-addressed tensors. Thread-safe. A hash is 32 hexadecimal digits: the first half of the
/// SHA-256 of (type name, shape, bytes), so equal tensors are stored once.
class WeightStore {
public:
  /// Adds bytes that `owner` keeps alive (a mapped file, say); not copied.
  std::string addBorrowed(const WeightView &view, std::shared_ptr<const void> owner);
  /// Adds bytes the store then owns.
  std::string addOwned(DType type, llvm::ArrayRef<int64_t> shape, std::vector<uint8_t> bytes);
  /// The tensor of a hash; null if there is none. Valid as long as the store.
  const WeightView *find(llvm::StringRef hash) const;
  /// Forgets all other tensors: their views end here.
  void keepOnly(const llvm::StringSet<> &hashes);
  /// Tells the kernel that the pages behind the entry are not needed soon (mapped entries only).
  void dropPages(llvm::StringRef hash);

private:
  struct Entry {
    WeightView view;
    std::shared_ptr<const void> owner;
  };
  mutable std::mutex mutex;
  llvm::StringMap<Entry> entries;
};

} // namespace kiln

#endif // KILN_IR_WEIGHTSTORE_H
