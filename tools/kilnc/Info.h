//===- Info.h - what kilnc says of itself ----------------------*- C++ -*-===//
#ifndef KILN_TOOLS_KILNC_INFO_H
#define KILN_TOOLS_KILNC_INFO_H

#include "llvm/Support/raw_ostream.h"

#include <string>

namespace kiln {

/// "kiln 0.1.0, LLVM 22.1.8".
std::string versionText();
/// The names for --target, with what each is, and which one this machine is.
void printTargets(llvm::raw_ostream &os);
/// Every primitive function by family of roles: signature and summary.
void printFunctions(llvm::raw_ostream &os);

} // namespace kiln

#endif // KILN_TOOLS_KILNC_INFO_H
