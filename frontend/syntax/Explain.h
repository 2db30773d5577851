//===- Explain.h - the long form of errors ---------------------*- C++ -*-===//
#ifndef KILN_FRONTEND_SYNTAX_EXPLAIN_H
#define KILN_FRONTEND_SYNTAX_EXPLAIN_H

#include "frontend/syntax/Diagnostics.h"

namespace kiln {

/// The code of that number or name ("K0301", "k0301", "unknown-name").
std::optional<DiagCode> findCode(llvm::StringRef text);
/// ", did you mean 'K0301'" for a number or name that there is not, or nothing.
std::string nearestCode(llvm::StringRef text);
/// What errors of the code are, with a wrong model and its correction.
void explain(llvm::raw_ostream &os, DiagCode code);
/// A page (Markdown) of all codes.
void explainAll(llvm::raw_ostream &os);

} // namespace kiln

#endif // KILN_FRONTEND_SYNTAX_EXPLAIN_H
