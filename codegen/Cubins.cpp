//===- Cubins.cpp - machine code for GPUs beside their PTX ----------------===//
#include "codegen/Cubins.h"

#include "codegen/KernelCache.h"
#include "codegen/link/TemporaryFolder.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
namespace remark = mlir::remark;

namespace {
struct Assembler {
  std::string path;
  std::string version; ///< "13.0.88"; with that, equal PTX gives equal code
};
} // namespace

static std::string contentsOf(StringRef path) {
  auto file = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  return file ? (*file)->getBuffer().str() : std::string();
}

/// Runs it in a folder. The first line of what it says is the text of a failure.
static Error run(StringRef path, ArrayRef<StringRef> arguments, const link::TemporaryFolder &folder,
                 std::string &said) {
  std::string output = folder.file("output"), message;
  SmallVector<StringRef> all = {path};
  all.append(arguments.begin(), arguments.end());
  int code = sys::ExecuteAndWait(path, all, std::nullopt, {StringRef(), output, output},
                                 /*SecondsToWait=*/0, /*MemoryLimit=*/0, &message);
  said = contentsOf(output);
  if (code == 0)
    return Error::success();
  StringRef line = StringRef(said).trim().split('\n').first;
  if (message.empty())
    message = line.empty() ? "exit " + std::to_string(code) : line.str();
  return createStringError("'" + path + "' fails: " + message);
}

/// What $KILN_PTXAS names (empty: none), else that of the PATH or of where CUDA is installed. Empty
/// if there is none.
static std::string pathOfAssembler() {
  if (const char *given = std::getenv("KILN_PTXAS"))
    return given;
  ErrorOr<std::string> found = sys::findProgramByName("ptxas");
  if (!found)
    found = sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"});
  return found ? *found : std::string();
}

static Expected<Assembler> findAssembler() {
  Assembler assembler{pathOfAssembler(), ""};
  if (assembler.path.empty())
    return createStringError("there is no ptxas");
  auto folder = link::TemporaryFolder::inSystem("kilnc-ptxas");
  if (!folder)
    return folder.takeError();
  std::string said;
  if (Error error = run(assembler.path, {"--version"}, *folder, said))
    return error;
  // "Cuda compilation tools, release 13.0, V13.0.88"
  StringRef version = StringRef(said).split(", V").second.split('\n').first.trim();
  if (version.empty())
    return createStringError("'" + assembler.path + "' says no version");
  assembler.version = version.str();
  return assembler;
}

static Expected<std::string> assemble(const Assembler &assembler, StringRef ptx, StringRef chip) {
  auto folder = link::TemporaryFolder::inSystem("kilnc-ptxas");
  if (!folder)
    return folder.takeError();
  std::string from = folder->file("kernels.ptx"), to = folder->file("kernels.cubin"), said;
  std::error_code code;
  raw_fd_ostream stream(from, code);
  if (!code) {
    stream << ptx;
    stream.close();
    code = stream.error();
    stream.clear_error();
  }
  if (code)
    return createStringError("cannot write '" + from + "': " + code.message());
  if (Error error = run(assembler.path, {"-arch=" + chip.str(), from, "-o", to}, *folder, said))
    return error;
  std::string cubin = contentsOf(to);
  if (!StringRef(cubin).starts_with("\x7f"
                                    "ELF"))
    return createStringError("'" + assembler.path + "' writes no machine code");
  return cubin;
}

namespace {
/// Makes machine code of devices' PTX, through the cache.
class Cubins {
public:
  Cubins(mlir::ModuleOp module, const GenerateOptions &options)
      : module(module), options(options), cache(options.cacheFolder) {}
  std::string add(ArrayRef<std::shared_ptr<host::DeviceCode>> codes);

private:
  Expected<std::string> make(const Assembler &assembler, const host::DeviceCode &code,
                             const target::Target &target);

  mlir::ModuleOp module;
  const GenerateOptions &options;
  KernelCache cache;
};
} // namespace

Expected<std::string> Cubins::make(const Assembler &assembler, const host::DeviceCode &code,
                                   const target::Target &target) {
  std::string key = KernelCache::key(code.image, "ptxas", assembler.version,
                                     std::string(target.llvmCpu), options.optLevel);
  if (std::optional<std::string> hit = cache.find(key))
    return std::move(*hit);
  auto made = assemble(assembler, code.image, StringRef(target.llvmCpu));
  if (made)
    cache.insert(key, *made);
  return made;
}

std::string Cubins::add(ArrayRef<std::shared_ptr<host::DeviceCode>> codes) {
  auto assembler = findAssembler();
  std::vector<std::string> reasons(codes.size());
  std::string none = assembler ? "" : toString(assembler.takeError());
  if (none.empty()) {
    StdThreadPool pool(hardware_concurrency(options.jobs));
    for (size_t i = 0; i < codes.size(); ++i)
      if (codes[i])
        pool.async([&, i] {
          if (auto made = make(*assembler, *codes[i], *options.targets[i]))
            codes[i]->cubin = std::move(*made);
          else
            reasons[i] = toString(made.takeError());
        });
    pool.wait();
  }
  auto note = remark::RemarkOpts::name("cubin").category("generate");
  bool isAny = false;
  for (size_t i = 0; i < codes.size(); ++i) {
    if (!codes[i])
      continue;
    std::string name(options.targets[i]->name);
    isAny |= !codes[i]->cubin.empty();
    if (codes[i]->cubin.empty())
      remark::missed(module.getLoc(), note)
          << name + ": PTX alone, which the driver compiles at each creation: " +
                 (none.empty() ? reasons[i] : none);
    else
      remark::passed(module.getLoc(), note) << name + ": machine code beside the PTX, " +
                                                   std::to_string(codes[i]->cubin.size()) +
                                                   " bytes, by ptxas " + assembler->version;
  }
  return isAny ? "ptxas " + assembler->version : "";
}

std::string codegen::addCubins(mlir::ModuleOp module, const GenerateOptions &options,
                               ArrayRef<std::shared_ptr<host::DeviceCode>> codes) {
  return Cubins(module, options).add(codes);
}
