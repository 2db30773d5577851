//===- KernelCache.cpp - generated kernels on disk ------------------------===//

#include "codegen/KernelCache.h"

#include "runtime/Abi.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace kiln::codegen;
using namespace llvm;

static std::string digest(StringRef text) {
  return toHex(SHA256::hash(ArrayRef(text.bytes_begin(), text.size())), /*LowerCase=*/true);
}

std::string KernelCache::key(StringRef specText, StringRef generator, StringRef version,
                             StringRef target, int optLevel) {
  std::string text;
  for (StringRef part : {specText, generator, version, target})
    text += std::to_string(part.size()) + ":" + part.str();
  return digest(text + std::to_string(optLevel) + "/" + std::to_string(KILN_ABI_VERSION));
}

std::optional<std::string> KernelCache::find(StringRef key) const {
  if (folder.empty())
    return std::nullopt;
  SmallString<128> path(folder);
  sys::path::append(path, key);
  ErrorOr<std::unique_ptr<MemoryBuffer>> file =
      MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return std::nullopt;
  StringRef content = (*file)->getBuffer(), sum = content.take_front(64),
            body = content.drop_front(sum.size());
  return sum == digest(body) ? std::optional(body.str()) : std::nullopt;
}

void KernelCache::insert(StringRef key, StringRef bitcode) const {
  if (folder.empty() || sys::fs::create_directories(folder))
    return;
  SmallString<128> path(folder);
  sys::path::append(path, key);
  Error error = writeToOutput(path, [&](raw_ostream &os) -> Error {
    os << digest(bitcode) << bitcode;
    return Error::success();
  });
  consumeError(std::move(error));
}

std::string KernelCache::defaultFolder() {
  if (const char *own = std::getenv("KILN_KERNEL_CACHE"))
    return own;
  SmallString<128> path;
  if (const char *xdg = std::getenv("XDG_CACHE_HOME"); xdg && *xdg)
    path = xdg;
  else if (const char *home = std::getenv("HOME"); home && *home)
    sys::path::append(path, home, ".cache");
  else
    return "";
  sys::path::append(path, "kiln", "kernels");
  return std::string(path);
}
