//===- Link.cpp - from Program and kernels to a library -------------------===//
#include "codegen/link/Link.h"

#include "codegen/link/Compile.h"
#include "codegen/link/StubLibc.h"
#include "codegen/link/TemporaryFolder.h"
#include "codegen/link/WeightsObject.h"

#include "lld/Common/Driver.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace llvm;

namespace kiln::link {

OutputKind kindOf(StringRef path) {
  return path.ends_with(".a")   ? OutputKind::Archive
         : path.ends_with(".o") ? OutputKind::Object
                                : OutputKind::Shared;
}

/// Opens a file, lets `write` fill it, and reports any failure of the system.
static Error writeFile(StringRef path, function_ref<Error(raw_fd_ostream &)> write) {
  std::error_code code;
  raw_fd_ostream os(path, code);
  if (code)
    return createStringError("cannot write '" + path + "': " + code.message());
  os.SetBufferSize(size_t(1) << 20);
  Error error = write(os);
  os.close();
  if (os.has_error()) {
    code = os.error();
    os.clear_error();
    consumeError(std::move(error));
    return createStringError("cannot write '" + path + "': " + code.message());
  }
  return error;
}

Error runLinker(ArrayRef<std::string> arguments) {
  std::vector<const char *> pointers = {"ld.lld"};
  for (const std::string &argument : arguments)
    pointers.push_back(argument.c_str());
  std::string text;
  raw_string_ostream os(text);
  // LLD keeps its state in globals.
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  lld::Result result = lld::lldMain(pointers, os, os, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode == 0)
    return Error::success();
  return createStringError("linking failed: " + StringRef(text).rtrim());
}

static std::vector<std::string> exportsOf(const host::Program &program,
                                          ArrayRef<host::Target> targets, StringRef reflection) {
  std::vector<std::string> names = {reflection.str()};
  for (const char *name :
       {"create", "destroy", "last_error", "reset", "cancel", "state_get", "state_set"})
    names.push_back(program.modelName + "_" + name);
  bool isForDevice = host::computesOnDevice(targets);
  if (isForDevice)
    names.push_back(program.modelName + "_wait");
  for (const host::EntryPoint &entry : program.entries) {
    names.push_back(program.modelName + "_" + entry.name);
    if (isForDevice)
      names.push_back(names.back() + "_enqueue");
  }
  return names;
}

static Error writeCode(const LibraryInputs &inputs, StringRef path) {
  const host::Program &program = *inputs.program;
  std::string reflection =
      inputs.kind == OutputKind::Shared ? "kiln_model_v1" : program.modelName + "_kiln_model_v1";
  std::vector<host::Target> targets;
  for (const TargetKernels &target : inputs.targets)
    targets.push_back(target.target);
  auto machine = makeTargetMachine();
  if (!machine)
    return machine.takeError();
  LLVMContext context;
  std::unique_ptr<Module> module = host::emitHost(context, program, targets, reflection);
  if (Error error = merge(*module, inputs, **machine, exportsOf(program, targets, reflection)))
    return error;
  return writeFile(path, [&](raw_fd_ostream &os) {
    emitObject(*module, **machine, os);
    return Error::success();
  });
}

static Error writeWeights(const LibraryInputs &inputs, StringRef path) {
  std::vector<WeightSymbol> symbols;
  for (size_t i = 0; i < inputs.program->weights.size(); ++i)
    symbols.push_back(
        {host::weightSymbol(*inputs.program, i), uint64_t(inputs.program->weights[i].bytes)});
  return writeFile(
      path, [&](raw_fd_ostream &os) { return writeWeightsObject(os, symbols, inputs.weights); });
}

static Error linkShared(const LibraryInputs &inputs, const TemporaryFolder &folder,
                        ArrayRef<std::string> objects, StringRef output) {
  Expected<std::vector<std::string>> stubs =
      writeStubLibc([&](StringRef name) { return folder.file(name); });
  if (!stubs)
    return stubs.takeError();
  std::vector<std::string> arguments = {"-shared",
                                        "-m",
                                        "elf_x86_64",
                                        "--no-undefined",
                                        "--as-needed",
                                        "-O1",
                                        "--gc-sections",
                                        "--hash-style=gnu",
                                        "-z",
                                        "relro",
                                        "-z",
                                        "now",
                                        "-z",
                                        "noexecstack",
                                        "--build-id=sha1",
                                        "--threads=1",
                                        "-soname",
                                        sys::path::filename(inputs.outputPath).str(),
                                        "-o",
                                        output.str()};
  if (!inputs.keepSymbols)
    arguments.push_back("--strip-all");
  if (!inputs.mapPath.empty())
    arguments.push_back("-Map=" + inputs.mapPath);
  arguments.insert(arguments.end(), objects.begin(), objects.end());
  arguments.insert(arguments.end(), stubs->begin(), stubs->end());
  return runLinker(arguments);
}

static Error writeArchiveFile(ArrayRef<std::string> objects, StringRef output) {
  std::vector<NewArchiveMember> members;
  for (const std::string &object : objects) {
    Expected<NewArchiveMember> member = NewArchiveMember::getFile(object, /*Deterministic=*/true);
    if (!member)
      return member.takeError();
    member->MemberName = sys::path::filename(member->MemberName);
    members.push_back(std::move(*member));
  }
  return writeArchive(output, members, SymtabWritingMode::NormalSymtab, object::Archive::K_GNU,
                      /*Deterministic=*/true, /*Thin=*/false);
}

static Error rename(StringRef from, StringRef to) {
  if (std::error_code code = sys::fs::rename(from, to))
    return createStringError("cannot write '" + to + "': " + code.message());
  return Error::success();
}

static Error linkObjects(const LibraryInputs &inputs, const TemporaryFolder &folder,
                         ArrayRef<std::string> objects, StringRef output) {
  switch (inputs.kind) {
  case OutputKind::Shared:
    return linkShared(inputs, folder, objects, output);
  case OutputKind::Archive:
    return writeArchiveFile(objects, output);
  case OutputKind::Object: {
    std::vector<std::string> arguments = {"-r",          "-m", "elf_x86_64",
                                          "--threads=1", "-o", output.str()};
    arguments.insert(arguments.end(), objects.begin(), objects.end());
    return runLinker(arguments);
  }
  }
  return Error::success();
}

Error buildLibrary(const LibraryInputs &inputs) {
  const host::Program &program = *inputs.program;
  if (Error error = host::check(program))
    return error;
  if (inputs.targets.empty())
    return createStringError("expected kernels for at least 1 target, got none");
  Expected<TemporaryFolder> folder = TemporaryFolder::beside(inputs.outputPath);
  if (!folder)
    return folder.takeError();
  std::vector<std::string> objects = {folder->file(program.modelName + ".o")};
  if (Error error = writeCode(inputs, objects[0]))
    return error;
  if (!program.weights.empty()) {
    objects.push_back(folder->file(program.modelName + "_weights.o"));
    if (Error error = writeWeights(inputs, objects[1]))
      return error;
  }
  std::string library = folder->file("library"), header = folder->file("header");
  if (Error error = linkObjects(inputs, *folder, objects, library))
    return error;
  if (!inputs.headerPath.empty()) {
    if (Error error = writeFile(header, [&](raw_fd_ostream &os) {
          bool isForDevice = any_of(inputs.targets, [](const TargetKernels &target) {
            return target.target.device != nullptr;
          });
          os << host::writeHeader(program, isForDevice);
          return Error::success();
        }))
      return error;
    if (Error error = rename(header, inputs.headerPath))
      return error;
  }
  return rename(library, inputs.outputPath);
}

} // namespace kiln::link
