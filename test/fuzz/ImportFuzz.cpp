//===- ImportFuzz.cpp - damaged models through the whole front end --------===//
//
// ImportFuzz SEED COUNT: makes COUNT texts by damaging models of the zoo, and some of random
// tokens, and imports and reports them. Each may take 5 seconds of the processor, and all together
// 1 GB. What fails is left in a file. Prints how many were models.
//
//===----------------------------------------------------------------------===//
#include "frontend/Import.h"
#include "test/fuzz/Damage.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <csignal>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

using namespace kiln;
using namespace kiln::fuzz;

// LLVM's library, which is built without sanitizers, leaves what its allocators give out poisoned.
extern "C" const char *__asan_default_options();
extern "C" const char *__asan_default_options() { return "allow_user_poisoning=0"; }

static constexpr int mostSeconds = 5;
static constexpr long mostKilobytes = 1 << 20;

static void tooLong(int) {
  static constexpr char text[] = "a text takes over 5 seconds\n";
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
  _exit(1);
}

static std::vector<std::string> zoo() {
  std::vector<std::string> paths, texts;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator at(KILN_ZOO_DIR, error), end; at != end && !error;
       at.increment(error))
    if (llvm::sys::path::extension(at->path()) == ".kiln")
      paths.push_back(at->path());
  llvm::sort(paths);
  for (const std::string &path : paths)
    texts.push_back(
        llvm::cantFail(errorOrToExpected(llvm::MemoryBuffer::getFile(path)))->getBuffer().str());
  return texts;
}

/// Whether the file is a model; its errors are printed into nothing.
static bool import(llvm::StringRef path) {
  itimerval limit = {{0, 0}, {mostSeconds, 0}}, none = {};
  setitimer(ITIMER_PROF, &limit, nullptr);
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  llvm::SourceMgr sources;
  Diagnostics diags(sources);
  ImportOptions options;
  options.stdDir = KILN_STD_DIR;
  bool isModel = static_cast<bool>(importModel(context, diags, path, options));
  std::string out;
  llvm::raw_string_ostream os(out);
  diags.print(os);
  diags.printJson(os);
  setitimer(ITIMER_PROF, &none, nullptr);
  if (isModel == diags.hasErrors()) {
    llvm::errs() << "no module and no error, or both\n";
    _exit(1);
  }
  return isModel;
}

static std::string make(llvm::ArrayRef<std::string> texts, llvm::ArrayRef<std::string> tokens,
                        std::mt19937_64 &random) {
  std::string text = texts[random() % texts.size()];
  switch (random() % 8) {
  case 0:
    text.clear();
    for (unsigned count = random() % 300; count--;)
      text += tokens[random() % tokens.size()];
    return text;
  case 1:
  case 2:
    damage(text, random);
    return text;
  default:
    return damageTokens(text, tokens, random);
  }
}

int main(int argc, char **argv) {
  uint64_t seed = 0, count = 0;
  if (argc != 3 || llvm::StringRef(argv[1]).getAsInteger(10, seed) ||
      llvm::StringRef(argv[2]).getAsInteger(10, count)) {
    llvm::errs() << "usage: ImportFuzz SEED COUNT\n";
    return 1;
  }
  std::vector<std::string> texts = zoo(), tokens = tokensOf(llvm::join(texts, "\n"));
  llvm::SmallString<128> path;
  if (texts.empty() || llvm::sys::fs::createTemporaryFile("damaged", "kiln", path))
    return 1;
  signal(SIGPROF, tooLong);
  std::mt19937_64 random(seed);
  uint64_t models = 0;
  rusage used = {};
  for (uint64_t i = 0; i < count; ++i) {
    std::error_code error;
    llvm::raw_fd_ostream(path, error) << make(texts, tokens, random);
    models += import(path);
    getrusage(RUSAGE_SELF, &used);
    if (error || used.ru_maxrss > mostKilobytes) {
      llvm::errs() << path << ": text " << i << ": " << used.ru_maxrss << " kB\n";
      return 1;
    }
  }
  llvm::sys::fs::remove(path);
  llvm::outs() << "seed " << seed << ": " << models << " of " << count << " texts are models, "
               << used.ru_maxrss / 1024 << " MB\n";
  return 0;
}
