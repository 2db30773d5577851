//===- StubLibc.cpp - stand-ins for libc to link against ------------------===//
//
// A stub is linked by LLD from an object of empty functions and a version script.
//
//===----------------------------------------------------------------------===//
#include "codegen/link/StubLibc.h"

#include "codegen/link/Compile.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/FileSystem.h"

#include <map>

using namespace llvm;

namespace kiln::link {

namespace {
/// Functions of one library by version.
using Versions = std::map<std::string, std::vector<std::string>>;
} // namespace

static std::map<std::string, Versions> readTable() {
  std::map<std::string, Versions> libraries;
#define KILN_LIBC(library, version, name) libraries[library][version].push_back(name);
#include "codegen/link/Libc.def"
  return libraries;
}

static Error writeText(StringRef path, function_ref<void(raw_fd_ostream &)> write) {
  std::error_code code;
  raw_fd_ostream os(path, code);
  if (code)
    return createStringError("cannot write '" + path + "': " + code.message());
  write(os);
  return Error::success();
}

static Error writeStub(StringRef library, const Versions &versions, StringRef path,
                       TargetMachine &machine) {
  LLVMContext context;
  Module module("stub", context);
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  auto *type = FunctionType::get(Type::getVoidTy(context), false);
  std::string script;
  for (const auto &[version, names] : versions) {
    script += version + " {\n";
    for (const std::string &name : names) {
      script += "  " + name + ";\n";
      auto *function = Function::Create(type, GlobalValue::ExternalLinkage, name, module);
      IRBuilder<>(BasicBlock::Create(context, "", function)).CreateRetVoid();
    }
    script += "};\n";
  }
  std::string object = (path + ".o").str(), scriptPath = (path + ".version").str();
  if (Error error = writeText(object, [&](raw_fd_ostream &os) { emitObject(module, machine, os); }))
    return error;
  if (Error error = writeText(scriptPath, [&](raw_fd_ostream &os) { os << script; }))
    return error;
  return runLinker({"-shared", "-m", "elf_x86_64", "--threads=1", "-soname", library.str(),
                    "--version-script=" + scriptPath, "-o", path.str(), object});
}

Expected<std::vector<std::string>> writeStubLibc(function_ref<std::string(StringRef name)> place) {
  auto machine = makeTargetMachine();
  if (!machine)
    return machine.takeError();
  std::vector<std::string> paths;
  for (const auto &[library, versions] : readTable()) {
    paths.push_back(place(library));
    if (Error error = writeStub(library, versions, paths.back(), **machine))
      return error;
  }
  return paths;
}

} // namespace kiln::link
