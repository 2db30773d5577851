//===- TemporaryFolder.cpp - a place that does not stay -------------------===//
#include "codegen/link/TemporaryFolder.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"

#include <mutex>
#include <set>
#include <utility>

using namespace llvm;
using namespace kiln::link;

static std::mutex mutex;
static std::set<std::string> folders;

TemporaryFolder::TemporaryFolder(std::string path) : path(std::move(path)) {
  std::lock_guard lock(mutex);
  folders.insert(this->path);
}

TemporaryFolder::TemporaryFolder(TemporaryFolder &&other) : path(std::exchange(other.path, {})) {}

TemporaryFolder::~TemporaryFolder() {
  if (path.empty())
    return;
  std::lock_guard lock(mutex);
  folders.erase(path);
  (void)sys::fs::remove_directories(path);
}

void TemporaryFolder::removeAll() {
  std::lock_guard lock(mutex);
  for (const std::string &folder : folders)
    (void)sys::fs::remove_directories(folder);
}

Expected<TemporaryFolder> TemporaryFolder::beside(StringRef output) {
  SmallString<128> prefix(output), made;
  prefix += ".tmp";
  sys::fs::make_absolute(prefix);
  sys::fs::createUniquePath(prefix + "-%%%%%%%%", made, /*MakeAbsolute=*/false);
  if (std::error_code code = sys::fs::create_directory(made, /*IgnoreExisting=*/false))
    return createStringError("cannot write beside '" + output + "': " + code.message());
  return TemporaryFolder(made.str().str());
}

Expected<TemporaryFolder> TemporaryFolder::inSystem(StringRef prefix) {
  SmallString<128> made;
  if (std::error_code code = sys::fs::createUniqueDirectory(prefix, made))
    return createStringError("cannot make a temporary folder: " + code.message());
  return TemporaryFolder(made.str().str());
}
