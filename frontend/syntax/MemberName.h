//===- MemberName.h - names of members with numbers in them ----*- C++ -*-===//
//
// `weight_ih_l{l}` is a parameter for each value of `l`: weight_ih_l0, weight_ih_l1, as published
// weights are called.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_SYNTAX_MEMBERNAME_H
#define KILN_FRONTEND_SYNTAX_MEMBERNAME_H

#include "frontend/syntax/AST.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <string>

namespace kiln {

/// The name with each part between braces replaced by what `number` gives for the name in it.
std::string withNumbers(const ast::Ident &name,
                        llvm::function_ref<std::string(const ast::Ident &)> number);

/// What names have in common that differ in their numbers alone: "weight_ih_l{}".
std::string formOfName(const ast::Ident &name);

} // namespace kiln

#endif // KILN_FRONTEND_SYNTAX_MEMBERNAME_H
