//===- Lexer.h - text to tokens --------------------------------*- C++ -*-===//
#ifndef KILN_FRONTEND_SYNTAX_LEXER_H
#define KILN_FRONTEND_SYNTAX_LEXER_H

#include "frontend/syntax/Diagnostics.h"

#include <optional>
#include <string>
#include <vector>

namespace kiln {

enum class TokenKind : uint8_t {
  End,
  Newline, ///< ends a statement: a line's end where it does, or ';'
  Identifier,
  Integer,
  Float,
  String,
#define PUNCTUATION(kind, spelling) kind,
#define KEYWORD(spelling) kw_##spelling,
#include "frontend/syntax/Tokens.def"
};

/// How messages name a kind: its spelling, or "a name", "end of file".
llvm::StringRef spelling(TokenKind kind);

/// A piece of the source buffer, which owns the text.
struct Token {
  TokenKind kind = TokenKind::End;
  llvm::StringRef text;

  bool is(TokenKind other) const { return kind == other; }
  bool isKeyword() const { return kind >= TokenKind::kw_import; }
  llvm::SMLoc loc() const { return llvm::SMLoc::getFromPointer(text.begin()); }
  llvm::SMLoc endLoc() const { return llvm::SMLoc::getFromPointer(text.end()); }
  llvm::SMRange range() const { return {loc(), endLoc()}; }
};

/// Value of an Integer token, at most 2^63 (the parser folds a minus before it).
std::optional<uint64_t> integerValue(llvm::StringRef text);
/// Value of a Float token; nothing if it overflows.
std::optional<double> floatValue(llvm::StringRef text);
/// Value of a String token, quotes and escapes resolved; nothing if an escape is unknown.
std::optional<std::string> stringValue(llvm::StringRef text);

/// Cuts a buffer of the manager into tokens, the last of which is End. Newlines that do not end a
/// statement are left out (all but the one before `with`, which only a parser can judge), as are
/// comments, repeated newlines and what is no token, which is reported.
std::vector<Token> lex(unsigned bufferId, Diagnostics &diags);

} // namespace kiln

#endif // KILN_FRONTEND_SYNTAX_LEXER_H
