//===- ParserStmt.cpp - statements and loops -------------------------------===//
#include "frontend/syntax/ParserImpl.h"
#include "frontend/syntax/Suggest.h"

using namespace llvm;

namespace kiln {

using namespace ast;

/// Statements up to a closing brace or the end; those in error are left out. False if there was an
/// error in any.
bool Parser::parseStmts(Scope scope, Stmts &into) {
  bool sound = true;
  skipNewlines();
  while (!at(TokenKind::RightBrace) && !at(TokenKind::End) && !diags.isFull()) {
    size_t before = position;
    const Stmt *stmt = parseStmt(scope);
    if (stmt)
      into.push_back(stmt);
    if (stmt && !at(TokenKind::Newline) && !at(TokenKind::RightBrace) && !at(TokenKind::End) &&
        !previous().is(TokenKind::RightBrace)) {
      reportUnexpected("the end of the statement");
      stmt = nullptr;
    }
    if (!stmt) {
      sound = false;
      if (position == before)
        advance();
      skipStatement();
    }
    skipNewlines();
  }
  return sound;
}

/// A block in error is closed all the same, so that what follows it is read rightly.
bool Parser::parseBlock(Scope scope, Block &body) {
  Level level(*this);
  if (!checkDepth())
    return false;
  SMRange opening = current().range();
  if (!expect(TokenKind::LeftBrace, "before the body"))
    return false;
  Stmts list;
  SMRange outer = std::exchange(this->body, opening);
  parseStmts(scope, list);
  this->body = outer;
  body = arena.copy(ArrayRef<const Stmt *>(list));
  if (accept(TokenKind::RightBrace))
    return true;
  if (!diags.hasErrors())
    diags.error(opening, DiagCode::Unbalanced, "'{' is never closed");
  return false;
}

static std::string didYouMeanDeclaration(StringRef word) {
  constexpr StringLiteral known[] = {"import", "const", "fn", "layer", "model", "recipe"};
  StringRef meant = meantKeyword(word);
  return is_contained(known, meant)
             ? ", did you mean " + inQuotes(meant)
             : didYouMean(word, SmallVector<StringRef>(std::begin(known), std::end(known)));
}

const Stmt *Parser::parseStmt(Scope scope) {
  bool inLayer = scope == Scope::Layer || scope == Scope::Model;
  if (inLayer && current().isKeyword() && peek().is(TokenKind::Equal))
    return parseAssign(scope);
  if (current().isKeyword()) {
    size_t before = position;
    const Stmt *decl = parseDecl(scope);
    if (decl || position != before)
      return decl;
  }
  bool inFunction = scope == Scope::Function || scope == Scope::Round;
  switch (current().kind) {
  case TokenKind::kw_if:
    if (scope != Scope::File)
      return parseIf(scope);
    break;
  case TokenKind::kw_for:
    if (scope != Scope::File)
      return parseFor(scope);
    break;
  case TokenKind::kw_return:
    if (scope == Scope::Function)
      return parseReturn(scope);
    break;
  case TokenKind::kw_yield:
    if (scope == Scope::Round)
      return parseYield(scope);
    break;
  case TokenKind::Identifier:
  case TokenKind::kw_self:
    if (scope != Scope::File)
      return parseAssign(scope);
    break;
  default:
    if (inFunction && !current().isKeyword())
      return parseAssign(scope);
  }
  StringRef place = scope == Scope::File       ? "at the top of a file"
                    : scope == Scope::Function ? "in a function"
                    : scope == Scope::Round    ? "in the body of a scan or while"
                                               : "in the body of a layer or model";
  auto &error = diags.error(
      current().range(), DiagCode::MisplacedStatement,
      inQuotes(current().text) + " cannot stand " + place +
          (scope == Scope::File ? didYouMeanDeclaration(current().text) : std::string()));
  if (body.isValid())
    error.note(body, "the body begins here");
  return nullptr;
}

bool Parser::parseExprs(SmallVectorImpl<const Expr *> &into) {
  do {
    const Expr *expr = parseExpr();
    if (!expr)
      return false;
    into.push_back(expr);
  } while (accept(TokenKind::Comma));
  return true;
}

const Stmt *Parser::parseAssign(Scope scope) {
  SMLoc start = current().loc();
  StringRef meant = at(TokenKind::Identifier) ? meantKeyword(current().text) : StringRef();
  SmallVector<const Expr *> targets;
  if (current().isKeyword() && peek().is(TokenKind::Equal)) { // a member called by a reserved word
    Ident name;
    expectMemberName(name, "a name");
    targets.push_back(makeExpr<NameExpr>(name.range, 0, name.text));
  } else if (!parseExprs(targets)) {
    return nullptr;
  }
  if (!at(TokenKind::Equal)) {
    if (!at(TokenKind::Newline) && !at(TokenKind::RightBrace))
      reportUnexpected("'='");
    else
      diags.error(rangeFrom(start), DiagCode::UnusedValue,
                  "the value is not used, expected '_ = …' or a name to bind it to" +
                      (meant.empty() ? "" : ", did you mean " + inQuotes(meant)));
    return nullptr;
  }
  advance();
  for (const Expr *target : targets)
    if (!checkTarget(target, scope))
      return nullptr;
  SMLoc valueStart = current().loc();
  SmallVector<const Expr *> values;
  if (!parseExprs(values))
    return nullptr;
  const Expr *value = values[0];
  if (values.size() > 1) {
    if (targets.size() == 1) {
      diags.error(rangeFrom(valueStart), DiagCode::TypeMismatch,
                  "one name cannot be bound to " + Twine(values.size()) +
                      " values, expected as many names or a list '[…]'");
      return nullptr;
    }
    unsigned depth = 0;
    for (const Expr *each : values)
      depth = std::max<unsigned>(depth, each->depth);
    value = makeExpr<ListExpr>(rangeFrom(valueStart), depth, arena.copy(Exprs(values)));
    if (!value)
      return nullptr;
  }
  return arena.make<AssignStmt>(StmtOf<Stmt::Kind::Assign>{{Stmt::Kind::Assign, rangeFrom(start)}},
                                arena.copy(Exprs(targets)), value);
}

bool Parser::checkTarget(const Expr *target, Scope scope) {
  if (isa<NameExpr>(target) || isa<WildcardExpr>(target))
    return true;
  bool inLayer = scope == Scope::Layer || scope == Scope::Model;
  const Expr *base = target;
  if (auto *index = dyn_cast<IndexExpr>(target))
    base = index->base;
  auto *member = dyn_cast<MemberExpr>(base);
  if (!inLayer &&
      ((base != target && isa<NameExpr>(base)) || (member && isa<SelfExpr>(member->base))))
    return true;
  diags.error(target->range, DiagCode::InvalidTarget,
              inLayer ? "expected a name before '=' in the body of a layer or model"
                      : "expected a name, 'self.name' or an indexed one before '='");
  return false;
}

const Stmt *Parser::parseIf(Scope scope) {
  Level level(*this);
  if (!checkDepth())
    return nullptr;
  SMLoc start = current().loc();
  advance();
  Block thenBody, elseBody;
  const Expr *condition = parseExpr();
  if (!condition || !parseBlock(scope, thenBody))
    return nullptr;
  if (at(TokenKind::Newline) && peek().is(TokenKind::kw_else))
    advance();
  if (accept(TokenKind::kw_else)) {
    if (at(TokenKind::kw_if)) {
      const Stmt *nested = parseIf(scope);
      if (!nested)
        return nullptr;
      elseBody = arena.copy(ArrayRef<const Stmt *>(nested));
    } else if (!parseBlock(scope, elseBody)) {
      return nullptr;
    }
  }
  return arena.make<IfStmt>(StmtOf<Stmt::Kind::If>{{Stmt::Kind::If, rangeFrom(start)}}, condition,
                            thenBody, elseBody);
}

bool Parser::parseNames(SmallVectorImpl<Ident> &names, StringRef what) {
  do {
    Ident name;
    if (!expectName(name, what))
      return false;
    names.push_back(name);
  } while (accept(TokenKind::Comma));
  return true;
}

/// names "in" range; the range is no conditional, so that a later `if` can get a meaning.
bool Parser::parseForClause(ForClause &clause) {
  SmallVector<Ident> names;
  if (!parseNames(names, "a name after 'for'") || !expect(TokenKind::kw_in, "after the name") ||
      !(clause.range = parseBinary(1)))
    return false;
  clause.names = arena.copy(ArrayRef<Ident>(names));
  return true;
}

const Stmt *Parser::parseFor(Scope scope) {
  SMLoc start = current().loc();
  advance();
  ForClause clause;
  Block body;
  if (!parseForClause(clause) || !parseBlock(scope, body))
    return nullptr;
  return arena.make<ForStmt>(StmtOf<Stmt::Kind::For>{{Stmt::Kind::For, rangeFrom(start)}}, clause,
                             body);
}

const Stmt *Parser::parseReturn(Scope scope) {
  SMLoc start = current().loc();
  advance();
  SmallVector<const Expr *> values;
  if (!at(TokenKind::Newline) && !at(TokenKind::RightBrace) && !parseExprs(values))
    return nullptr;
  return arena.make<ReturnStmt>(StmtOf<Stmt::Kind::Return>{{Stmt::Kind::Return, rangeFrom(start)}},
                                arena.copy(Exprs(values)));
}

const Stmt *Parser::parseYield(Scope scope) {
  SMLoc start = current().loc();
  advance();
  SmallVector<const Expr *> values;
  if (!parseExprs(values))
    return nullptr;
  return arena.make<YieldStmt>(StmtOf<Stmt::Kind::Yield>{{Stmt::Kind::Yield, rangeFrom(start)}},
                               arena.copy(Exprs(values)));
}

//===----------------------------------------------------------------------===//
// scan and while
//===----------------------------------------------------------------------===//

/// [ "with" name "=" expr { "," name "=" expr } ], also on the next line.
bool Parser::parseCarried(ArrayRef<Carried> &carried) {
  if (at(TokenKind::Newline) && peek().text == "with")
    advance();
  if (!acceptWord("with"))
    return true;
  SmallVector<Carried> list;
  do {
    Carried entry{};
    if (!expectName(entry.name, "a name after 'with'") || !checkUnique(list, entry.name) ||
        !expect(TokenKind::Equal, "and an initial value after the name") ||
        !(entry.initial = parseExpr()))
      return false;
    list.push_back(entry);
  } while (accept(TokenKind::Comma));
  carried = arena.copy(ArrayRef<Carried>(list));
  return true;
}

/// The body of a loop. The depth of its expressions counts for that of the loop, so that the limit
/// holds for whoever recurses through both.
bool Parser::parseRound(Block &body, unsigned &partDepth) {
  unsigned outer = deepest;
  deepest = 0;
  bool parsed = parseBlock(Scope::Round, body);
  partDepth = std::max(partDepth, deepest);
  deepest = std::max(deepest, outer);
  return parsed;
}

const Expr *Parser::parseScan() {
  SMLoc start = current().loc();
  advance();
  SmallVector<Ident> elements;
  SmallVector<const Expr *> sequences;
  const Expr *axis = nullptr;
  ArrayRef<Carried> carried;
  Block body;
  if (!parseNames(elements, "a name after 'scan'") ||
      !expect(TokenKind::kw_in, "after the names of the elements") || !parseExprs(sequences))
    return nullptr;
  if (elements.size() != sequences.size()) {
    diags.error(rangeFrom(start), DiagCode::UnexpectedToken,
                "expected as many sequences as names, got " + Twine(sequences.size()) + " for " +
                    Twine(elements.size()));
    return nullptr;
  }
  if (acceptWord("axis") && !(axis = parseExpr()))
    return nullptr;
  bool reverse = acceptWord("reverse");
  unsigned parts = axis ? axis->depth : 0;
  for (const Expr *sequence : sequences)
    parts = std::max<unsigned>(parts, sequence->depth);
  if (!parseCarried(carried) || !parseRound(body, parts))
    return nullptr;
  for (const Carried &entry : carried)
    parts = std::max<unsigned>(parts, entry.initial->depth);
  return makeExpr<ScanExpr>(rangeFrom(start), parts, arena.copy(ArrayRef<Ident>(elements)),
                            arena.copy(Exprs(sequences)), axis, reverse, carried, body);
}

const Expr *Parser::parseWhile() {
  SMLoc start = current().loc();
  advance();
  const Expr *condition = parseExpr();
  if (!condition)
    return nullptr;
  if (!acceptWord("limit")) {
    reportUnexpected("'limit' and the largest number of rounds after the condition of 'while'",
                     SMRange(start, start), "the loop begins here");
    return nullptr;
  }
  const Expr *limit = parseExpr();
  ArrayRef<Carried> carried;
  Block body;
  if (!limit)
    return nullptr;
  unsigned parts = std::max(condition->depth, limit->depth);
  if (!parseCarried(carried) || !parseRound(body, parts))
    return nullptr;
  for (const Carried &entry : carried)
    parts = std::max<unsigned>(parts, entry.initial->depth);
  return makeExpr<WhileExpr>(rangeFrom(start), parts, condition, limit, carried, body);
}

} // namespace kiln
