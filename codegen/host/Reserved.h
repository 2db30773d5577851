//===- Reserved.h - names that C and C++ have taken ------------*- C++ -*-===//
#ifndef KILN_CODEGEN_HOST_RESERVED_H
#define KILN_CODEGEN_HOST_RESERVED_H

#include "llvm/ADT/StringRef.h"

namespace kiln::host {

/// What a parameter in a header cannot be called: a keyword of C or C++, a macro of the standard
/// headers or of usual compilers, a type that the header uses. Sources: ISO/IEC 9899:2018, ISO/IEC
/// 14882:2020, POSIX.1-2017.
bool isReservedParameter(llvm::StringRef name);

/// What a type in a header cannot be called beside that: an identifier of the C library or of
/// POSIX, or one whose functions (NAME_create, …) are.
bool isReservedType(llvm::StringRef name);

} // namespace kiln::host

#endif // KILN_CODEGEN_HOST_RESERVED_H
