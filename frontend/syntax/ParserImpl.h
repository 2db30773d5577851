//===- ParserImpl.h - the recursive descent --------------------*- C++ -*-===//
//
// Private to Parser*.cpp. A function for a rule returns null (or false) after it has reported an
// error; parseBody then skips to the next statement.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_SYNTAX_PARSERIMPL_H
#define KILN_FRONTEND_SYNTAX_PARSERIMPL_H

#include "frontend/syntax/AST.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

namespace kiln {

class Parser {
public:
  Parser(unsigned bufferId, Diagnostics &diags, ast::AstArena &arena)
      : bufferId(bufferId), diags(diags), arena(arena), tokens(lex(bufferId, diags)) {}
  ast::File parseFile();

private:
  enum class Scope : uint8_t { File, Layer, Model, Function, Round };
  using Exprs = llvm::ArrayRef<const ast::Expr *>;

  unsigned bufferId;
  Diagnostics &diags;
  ast::AstArena &arena;
  std::vector<Token> tokens;
  size_t position = 0;
  llvm::SMRange body;   ///< the brace that opens the block being read
  unsigned depth = 0;   ///< of the recursion
  unsigned deepest = 0; ///< of the expressions made since it was last reset

  /// Counts one level of recursion while it lives.
  struct Level {
    Parser &parser;
    explicit Level(Parser &parser) : parser(parser) { ++parser.depth; }
    ~Level() { --parser.depth; }
  };

  // Tokens.
  const Token &current() const { return tokens[position]; }
  const Token &previous() const { return tokens[position - 1]; }
  const Token &peek(size_t ahead = 1) const {
    return tokens[std::min(position + ahead, tokens.size() - 1)];
  }
  bool at(TokenKind kind) const { return current().is(kind); }
  /// Whether an identifier that is a keyword in the heads of scan and while stands here.
  bool atWord(llvm::StringRef word) const {
    return at(TokenKind::Identifier) && current().text == word;
  }
  void advance() { position += !at(TokenKind::End); }
  bool accept(TokenKind kind);
  bool acceptWord(llvm::StringRef word);
  bool expect(TokenKind kind, llvm::StringRef where);
  bool expectName(ast::Ident &name, llvm::StringRef what);
  bool expectMemberName(ast::Ident &name, llvm::StringRef what);
  void takeNumbers(ast::Ident &name);
  void skipNewlines();
  void skipStatement();
  /// `opener`: a place that the error is about as well.
  bool reportUnexpected(const llvm::Twine &expected, llvm::SMRange opener = {},
                        const llvm::Twine &note = "");
  std::string keywordHint() const;
  bool checkDepth();
  llvm::SMRange rangeFrom(llvm::SMLoc start) const { return {start, previous().endLoc()}; }
  /// `item` until the closer, with commas between and at most one at the end.
  bool parseList(TokenKind closer, llvm::StringRef where, llvm::function_ref<bool()> item);
  /// Reports a name that is in the list already.
  template <typename List> bool checkUnique(const List &list, const ast::Ident &name);

  // Expressions and types (ParserExpr.cpp).
  template <typename Node, typename... Parts>
  const Node *makeExpr(llvm::SMRange range, unsigned partDepth, Parts &&...parts);
  const ast::Expr *parseExpr();
  const ast::Expr *parseBinary(int minPrecedence);
  const ast::Expr *parseUnary(int minPrecedence);
  const ast::Expr *parsePower();
  const ast::Expr *parseCast();
  const ast::Expr *parsePostfix();
  const ast::Expr *parsePrimary();
  const ast::Expr *parseInteger(bool negative);
  const ast::Expr *parseLiteral();
  const ast::Expr *parseCall(const ast::Expr *callee);
  const ast::Expr *parseIndex(const ast::Expr *base);
  const ast::Expr *parseSubscript();
  const ast::Expr *parseBracketed();
  const ast::Expr *parseComprehension(llvm::SMLoc start, const ast::Expr *element);
  const ast::Expr *parseEllipsis();
  const ast::Expr *parseDim();
  const ast::Type *parseType();
  const ast::Type *parseTypeAtom();

  // Statements (ParserStmt.cpp).
  using Stmts = llvm::SmallVector<const ast::Stmt *, 8>;
  const ast::Stmt *parseStmt(Scope scope);
  bool parseStmts(Scope scope, Stmts &into);
  bool parseBlock(Scope scope, ast::Block &body);
  const ast::Stmt *parseAssign(Scope scope);
  bool checkTarget(const ast::Expr *target, Scope scope);
  const ast::Stmt *parseIf(Scope scope);
  const ast::Stmt *parseFor(Scope scope);
  const ast::Stmt *parseReturn(Scope scope);
  const ast::Stmt *parseYield(Scope scope);
  bool parseExprs(llvm::SmallVectorImpl<const ast::Expr *> &into);
  bool parseForClause(ast::ForClause &clause);
  bool parseNames(llvm::SmallVectorImpl<ast::Ident> &names, llvm::StringRef what);
  const ast::Expr *parseScan();
  const ast::Expr *parseWhile();
  bool parseCarried(llvm::ArrayRef<ast::Carried> &carried);
  bool parseRound(ast::Block &body, unsigned &partDepth);

  // Declarations (Parser.cpp).
  const ast::Stmt *parseDecl(Scope scope);
  const ast::Stmt *parseImport();
  const ast::Stmt *parseConst(bool isPrivate = false);
  const ast::Stmt *parseFn();
  const ast::Stmt *parseLayer(bool isPrivate = false);
  const ast::Stmt *parseRecipe();
  const ast::Stmt *parseMember();
  const ast::Stmt *parseIgnore();
  const ast::Stmt *parseTie();
  bool parsePath(ast::Ident &path);
  bool parseGenerics(llvm::ArrayRef<ast::Generic> &generics);
  bool parseParameters(llvm::ArrayRef<ast::Parameter> &parameters, llvm::StringRef where);
  bool parseResults(llvm::ArrayRef<ast::Result> &results);
};

template <typename List> bool Parser::checkUnique(const List &list, const ast::Ident &name) {
  for (const auto &other : list)
    if (other.name.text == name.text && !name.text.empty()) {
      diags
          .error(name.range, DiagCode::DuplicateName,
                 "the name " + inQuotes(name.text) + " stands twice")
          .note(other.name.range, "the first one is here");
      return false;
    }
  return true;
}

template <typename Node, typename... Parts>
const Node *Parser::makeExpr(llvm::SMRange range, unsigned partDepth, Parts &&...parts) {
  if (partDepth >= ast::maxDepth) {
    diags.error(range.Start, DiagCode::TooDeep,
                "the expression nests deeper than " + llvm::Twine(ast::maxDepth));
    return nullptr;
  }
  deepest = std::max(deepest, partDepth + 1);
  ast::Expr head{Node::nodeKind, static_cast<uint16_t>(partDepth + 1), range};
  return arena.make<Node>(ast::ExprOf<Node::nodeKind>{head}, std::forward<Parts>(parts)...);
}

} // namespace kiln

#endif // KILN_FRONTEND_SYNTAX_PARSERIMPL_H
