//===- Loader.h - the Halide generator, seen from the compiler -*- C++ -*-===//
//
// Loads libkiln-halide and turns its bitcode into a module whose only exported symbol is a kernel
// of the kernel ABI (runtime/Abi.h): int32_t name(kiln_ctx *, void *const *bufs, const int64_t
// *dims).
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_HALIDE_LOADER_H
#define KILN_CODEGEN_HALIDE_LOADER_H

#include "codegen/spec/KernelSpec.h"

#include "llvm/ADT/StringRef.h"

#include <memory>
#include <string>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace kiln::halide {

/// What came of a request. `code` 0: `module` holds the kernel; 1: no template takes the spec, and
/// another generator may; 2: an error; 3: one that may pass the next time.
struct Generated {
  int code = 2;
  std::string message;
  std::unique_ptr<llvm::Module> module;
  double milliseconds = 0;
  bool isPassing() const { return code == 3; }
};

/// The plug-in. Thread-safe once loaded.
class Generator {
public:
  /// Loads the plug-in from a path; null and a message if that fails.
  static std::unique_ptr<Generator> load(const std::string &path, std::string &error);
  /// Where the plug-in lies for a program: ../lib/kiln/libkiln-halide.so beside the folder of the
  /// executable.
  static std::string defaultPath(llvm::StringRef executable);
  /// Version of Halide and hash of the plug-in's file: part of the key of a kernel cache.
  const std::string &version() const { return versionText; }
  /// Generates a spec as kernel `symbol` for a target of ir/target/Target.h. Functions are expanded
  /// here. The result depends on the arguments alone.
  Generated generate(const spec::KernelSpec &spec, llvm::StringRef symbol, llvm::StringRef target,
                     llvm::LLVMContext &context) const;

private:
  void *generateFunction = nullptr, *freeFunction = nullptr;
  std::string versionText;
};

/// Adds the kernel-ABI function `symbol` to a module that has the generated function
/// "<symbol>.body", whose arguments the text describes (Plugin.h). Empty, or what is wrong.
std::string addShim(llvm::Module &module, const spec::KernelSpec &spec, llvm::StringRef symbol,
                    llvm::StringRef arguments);
/// Makes everything but `symbol` internal, names functions and globals by position, drops debug
/// data and names of values. Gives the name of a symbol that a kernel must not refer to, or "".
std::string normalise(llvm::Module &module, llvm::StringRef symbol);

} // namespace kiln::halide

#endif // KILN_CODEGEN_HALIDE_LOADER_H
