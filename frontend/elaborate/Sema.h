//===- Sema.h - names in all code ------------------------------*- C++ -*-===//
#ifndef KILN_FRONTEND_ELABORATE_SEMA_H
#define KILN_FRONTEND_ELABORATE_SEMA_H

#include "frontend/emit/Primitives.h"
#include "frontend/syntax/Modules.h"

namespace kiln {

/// The value of a name that every file knows (inf, nan, pi); declarations hide it.
std::optional<double> namedConstant(llvm::StringRef name);

/// Reports names that are declared nowhere, undeclared dimensions, members that a layer cannot
/// have, unknown arguments of functions that are known by name, and functions declared twice: in
/// all code of all modules, also where the model never comes.
void resolveNames(const Modules &modules, const PrimitiveTable &primitives, Diagnostics &diags);

} // namespace kiln

#endif // KILN_FRONTEND_ELABORATE_SEMA_H
