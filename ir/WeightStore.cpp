//===- WeightStore.cpp - the bytes of trained tensors ---------------------===//

#include "ir/WeightStore.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"

#include <sys/mman.h>
#include <unistd.h>

using namespace kiln;

int64_t WeightView::numElements() const {
  int64_t n = 1;
  for (int64_t extent : shape)
    n *= extent;
  return n;
}

static std::string contentHash(const WeightView &view) {
  llvm::SHA256 sha;
  std::string header(name(view.type));
  for (int64_t extent : view.shape)
    header += "," + std::to_string(extent);
  sha.update(header + ";");
  sha.update(view.bytes);
  return llvm::toHex(sha.final(), /*LowerCase=*/true).substr(0, 32);
}

std::string WeightStore::addBorrowed(const WeightView &view, std::shared_ptr<const void> owner) {
  std::string hash = contentHash(view);
  std::lock_guard lock(mutex);
  entries.try_emplace(hash, Entry{view, std::move(owner)});
  return hash;
}

std::string WeightStore::addOwned(DType type, llvm::ArrayRef<int64_t> shape,
                                  std::vector<uint8_t> bytes) {
  auto owned = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
  WeightView view{type, llvm::SmallVector<int64_t, 4>(shape), *owned};
  return addBorrowed(view, owned);
}

const WeightView *WeightStore::find(llvm::StringRef hash) const {
  std::lock_guard lock(mutex);
  auto it = entries.find(hash);
  return it == entries.end() ? nullptr : &it->second.view;
}

void WeightStore::keepOnly(const llvm::StringSet<> &hashes) {
  std::lock_guard lock(mutex);
  llvm::SmallVector<llvm::StringRef> others;
  for (const auto &entry : entries)
    if (!hashes.contains(entry.first()))
      others.push_back(entry.first());
  for (llvm::StringRef hash : others)
    entries.erase(hash);
}

void WeightStore::dropPages(llvm::StringRef hash) {
  const WeightView *view = find(hash);
  if (!view)
    return;
  // Whole pages inside of the entry; for anonymous memory MADV_COLD only lowers their rank.
  uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  uintptr_t begin = (reinterpret_cast<uintptr_t>(view->bytes.data()) + page - 1) / page * page;
  uintptr_t end = reinterpret_cast<uintptr_t>(view->bytes.end()) / page * page;
  if (begin < end)
    madvise(reinterpret_cast<void *>(begin), end - begin, MADV_COLD);
}
