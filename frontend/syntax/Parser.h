//===- Parser.h - tokens to the syntax tree ---------------------*- C++ -*-===//
#ifndef KILN_FRONTEND_SYNTAX_PARSER_H
#define KILN_FRONTEND_SYNTAX_PARSER_H

#include "frontend/syntax/AST.h"
#include "frontend/syntax/Diagnostics.h"

namespace kiln {

/// Parses a buffer of the manager of `diags` (see openSource). Statements with errors are reported
/// and left out; the rest of the file is there. The tree is fit for use only if no error was added.
ast::File parseFile(unsigned bufferId, Diagnostics &diags, ast::AstArena &arena);

} // namespace kiln

#endif // KILN_FRONTEND_SYNTAX_PARSER_H
