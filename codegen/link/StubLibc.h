//===- StubLibc.h - stand-ins for libc to link against ----------*- C++ -*-===//
#ifndef KILN_CODEGEN_LINK_STUBLIBC_H
#define KILN_CODEGEN_LINK_STUBLIBC_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace kiln::link {

/// Writes one stub library for each library that Libc.def names: a shared object with its name and
/// with the functions and versions listed, so that what is linked against it asks for exactly
/// those. `place` turns a file's name into its path. Gives the paths.
llvm::Expected<std::vector<std::string>>
writeStubLibc(llvm::function_ref<std::string(llvm::StringRef name)> place);

/// Runs LLD's ELF linker in this process; its messages become the error.
llvm::Error runLinker(llvm::ArrayRef<std::string> arguments);

} // namespace kiln::link

#endif // KILN_CODEGEN_LINK_STUBLIBC_H
