//===- ParserExpr.cpp - expressions and types ------------------------------===//
#include "frontend/syntax/ParserImpl.h"

#include <limits>

using namespace llvm;

namespace kiln {

using namespace ast;

static unsigned depthOf(const Expr *expr) { return expr ? expr->depth : 0; }
static unsigned depthOf(ArrayRef<const Expr *> list) {
  unsigned depth = 0;
  for (const Expr *expr : list)
    depth = std::max(depth, depthOf(expr));
  return depth;
}

static int binaryPrecedence(TokenKind kind) {
  switch (kind) {
#define BINARY_OPERATOR(kind, spelling, precedence)                                                \
  case TokenKind::kind:                                                                            \
    return precedence;
#include "frontend/syntax/Tokens.def"
  default:
    return 0;
  }
}

constexpr int notPrecedence = 3, comparisonPrecedence = 4;

/// expr = scan | while | binary [ "if" binary "else" expr ]
const Expr *Parser::parseExpr() {
  Level level(*this);
  if (!checkDepth())
    return nullptr;
  if (at(TokenKind::kw_scan))
    return parseScan();
  if (at(TokenKind::kw_while))
    return parseWhile();
  const Expr *value = parseBinary(1);
  SMRange word = current().range();
  if (!value || !accept(TokenKind::kw_if))
    return value;
  const Expr *condition = parseBinary(1);
  if (!condition)
    return nullptr;
  if (at(TokenKind::Newline) && peek().is(TokenKind::kw_else))
    advance();
  if (!accept(TokenKind::kw_else)) {
    reportUnexpected("'else' after the condition of 'if'", word, "the 'if' is here");
    return nullptr;
  }
  while (accept(TokenKind::Newline))
    ;
  const Expr *other = parseExpr();
  if (!other)
    return nullptr;
  unsigned parts = std::max({depthOf(value), depthOf(condition), depthOf(other)});
  return makeExpr<ConditionalExpr>({value->range.Start, other->range.End}, parts, condition, value,
                                   other);
}

const Expr *Parser::parseBinary(int minPrecedence) {
  const Expr *lhs = parseUnary(minPrecedence);
  SMRange comparison;
  while (lhs) {
    TokenKind op = current().kind;
    int precedence = binaryPrecedence(op);
    if (precedence == 0 || precedence < minPrecedence)
      return lhs;
    SMRange opRange = current().range();
    if (precedence == comparisonPrecedence) {
      if (comparison.isValid()) {
        diags
            .error(opRange, DiagCode::ChainedComparison,
                   "comparisons do not chain, expected 'and' between two of them")
            .note(comparison, "the first comparison is here");
        return nullptr;
      }
      comparison = opRange;
    } else if (precedence < comparisonPrecedence) {
      comparison = {};
    }
    advance();
    const Expr *rhs = parseBinary(precedence + 1);
    if (!rhs)
      return nullptr;
    lhs = makeExpr<BinaryExpr>({lhs->range.Start, rhs->range.End},
                               std::max(depthOf(lhs), depthOf(rhs)), op, opRange, lhs, rhs);
  }
  return nullptr;
}

/// unary = "not" comparison | "-" unary | power. A `not` inside of an operator that binds tighter
/// is an error, as in Python.
const Expr *Parser::parseUnary(int minPrecedence) {
  SMLoc start = current().loc();
  if (!at(TokenKind::kw_not) && !at(TokenKind::Minus))
    return parsePower();
  Level level(*this);
  if (!checkDepth())
    return nullptr;
  if (at(TokenKind::kw_not) && minPrecedence <= notPrecedence) {
    advance();
    const Expr *operand = parseBinary(notPrecedence);
    return operand ? makeExpr<UnaryExpr>({start, operand->range.End}, depthOf(operand),
                                         UnaryOp::Not, operand)
                   : nullptr;
  }
  if (!at(TokenKind::Minus))
    return parsePower();
  bool isLowest =
      peek().is(TokenKind::Integer) && integerValue(peek().text).value_or(0) == uint64_t(1) << 63;
  advance();
  if (isLowest)
    return parseInteger(/*negative=*/true);
  const Expr *operand = parseUnary(notPrecedence + 1);
  return operand ? makeExpr<UnaryExpr>({start, operand->range.End}, depthOf(operand),
                                       UnaryOp::Negate, operand)
                 : nullptr;
}

/// power = cast [ "**" ( power | "-" unary ) ]
const Expr *Parser::parsePower() {
  const Expr *base = parseCast();
  if (!base || !at(TokenKind::StarStar))
    return base;
  Level level(*this);
  if (!checkDepth())
    return nullptr;
  SMRange opRange = current().range();
  advance();
  const Expr *exponent = parseUnary(notPrecedence + 1);
  if (!exponent)
    return nullptr;
  return makeExpr<BinaryExpr>({base->range.Start, exponent->range.End},
                              std::max(depthOf(base), depthOf(exponent)), TokenKind::StarStar,
                              opRange, base, exponent);
}

const Expr *Parser::parseCast() {
  const Expr *operand = parsePostfix();
  while (operand && accept(TokenKind::kw_as)) {
    Ident type;
    if (!expectName(type, "an element type after 'as'"))
      return nullptr;
    operand =
        makeExpr<CastExpr>({operand->range.Start, type.range.End}, depthOf(operand), operand, type);
  }
  return operand;
}

const Expr *Parser::parsePostfix() {
  const Expr *expr = parsePrimary();
  while (expr) {
    if (accept(TokenKind::LeftParen)) {
      expr = parseCall(expr);
    } else if (accept(TokenKind::LeftBracket)) {
      expr = parseIndex(expr);
    } else if (accept(TokenKind::Dot)) {
      Ident name;
      if (!expectMemberName(name, "a member's name after '.'"))
        return nullptr;
      takeNumbers(name);
      expr = makeExpr<MemberExpr>({expr->range.Start, name.range.End}, depthOf(expr), expr, name);
    } else {
      return expr;
    }
  }
  return nullptr;
}

const Expr *Parser::parseCall(const Expr *callee) {
  SmallVector<Argument> list;
  unsigned parts = depthOf(callee);
  bool parsed = parseList(TokenKind::RightParen, "after the arguments", [&] {
    Argument argument{};
    if ((at(TokenKind::Identifier) || current().isKeyword()) && peek().is(TokenKind::Equal)) {
      if (!expectMemberName(argument.name, "an argument's name") ||
          !checkUnique(list, argument.name))
        return false;
      advance();
    } else if (!list.empty() && !list.back().name.text.empty()) {
      diags
          .error(current().range(), DiagCode::ArgumentOrder,
                 "expected a named argument after a named one")
          .note(list.back().name.range, "the named one is here");
      return false;
    }
    argument.value = parseExpr();
    parts = std::max(parts, depthOf(argument.value));
    list.push_back(argument);
    return argument.value != nullptr;
  });
  if (!parsed)
    return nullptr;
  return makeExpr<CallExpr>(rangeFrom(callee->range.Start), parts, callee,
                            arena.copy(ArrayRef<Argument>(list)));
}

const Expr *Parser::parseIndex(const Expr *base) {
  SmallVector<const Expr *> list;
  const Expr *ellipsis = nullptr;
  bool parsed = parseList(TokenKind::RightBracket, "after the index", [&] {
    const Expr *subscript = parseSubscript();
    if (!subscript)
      return false;
    if (isa<EllipsisExpr>(subscript)) {
      if (ellipsis) {
        diags
            .error(subscript->range, DiagCode::RepeatedEllipsis,
                   "expected '...' at most once in an index")
            .note(ellipsis->range, "the first one is here");
        return false;
      }
      ellipsis = subscript;
    }
    list.push_back(subscript);
    return true;
  });
  if (!parsed)
    return nullptr;
  if (list.empty()) {
    diags.error(previous().range(), DiagCode::UnexpectedToken, "expected an index, got ']'");
    return nullptr;
  }
  return makeExpr<IndexExpr>(rangeFrom(base->range.Start), std::max(depthOf(base), depthOf(list)),
                             base, arena.copy(Exprs(list)));
}

/// subscript = "..." | [ expr ] [ ":" [ expr ] [ ":" [ expr ] ] ]
const Expr *Parser::parseSubscript() {
  if (at(TokenKind::Ellipsis))
    return parseEllipsis();
  SMLoc start = current().loc();
  const Expr *parts[3] = {};
  if (!at(TokenKind::Colon) && !(parts[0] = parseExpr()))
    return nullptr;
  if (!at(TokenKind::Colon))
    return parts[0];
  for (int i = 1; i < 3 && accept(TokenKind::Colon); ++i)
    if (!at(TokenKind::Colon) && !at(TokenKind::Comma) && !at(TokenKind::RightBracket) &&
        !(parts[i] = parseExpr()))
      return nullptr;
  return makeExpr<SliceExpr>(rangeFrom(start), depthOf(parts), parts[0], parts[1], parts[2]);
}

const Expr *Parser::parseEllipsis() {
  SMRange range = current().range();
  advance();
  return makeExpr<EllipsisExpr>(range, 0, false);
}

const Expr *Parser::parseInteger(bool negative) {
  SMRange range = current().range();
  uint64_t value = integerValue(current().text).value_or(0);
  if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) && !negative) {
    diags.error(range, DiagCode::InvalidNumber,
                "number " + inQuotes(current().text) + " is out of range of i64");
    value = 0;
  }
  advance();
  return makeExpr<IntExpr>(range, 0, static_cast<int64_t>(negative ? 0 - value : value));
}

/// Number, string, true, false; null without a report where none stands.
const Expr *Parser::parseLiteral() {
  const Token &token = current();
  switch (token.kind) {
  case TokenKind::Integer:
    return parseInteger(/*negative=*/false);
  case TokenKind::Float:
    advance();
    return makeExpr<FloatExpr>(token.range(), 0, floatValue(token.text).value_or(0));
  case TokenKind::String:
    advance();
    return makeExpr<StringExpr>(token.range(), 0,
                                arena.copy(StringRef(stringValue(token.text).value_or(""))));
  case TokenKind::kw_true:
  case TokenKind::kw_false:
    advance();
    return makeExpr<BoolExpr>(token.range(), 0, token.is(TokenKind::kw_true));
  default:
    return nullptr;
  }
}

const Expr *Parser::parsePrimary() {
  const Token &token = current();
  switch (token.kind) {
  case TokenKind::Integer:
  case TokenKind::Float:
  case TokenKind::String:
  case TokenKind::kw_true:
  case TokenKind::kw_false:
    return parseLiteral();
  case TokenKind::Identifier:
    advance();
    if (token.text == "_")
      return makeExpr<WildcardExpr>(token.range(), 0);
    return makeExpr<NameExpr>(token.range(), 0, token.text);
  case TokenKind::kw_self:
    advance();
    return makeExpr<SelfExpr>(token.range(), 0);
  case TokenKind::LeftBracket:
    return parseBracketed();
  case TokenKind::LeftParen: {
    advance();
    const Expr *inner = parseExpr();
    StringRef wanted = current().kind == TokenKind::Comma
                           ? "')' after the expression (lists stand in brackets, '[a, b]')"
                           : "')' after the expression";
    bool closed = inner && (accept(TokenKind::RightParen) ||
                            reportUnexpected(wanted, token.range(), "'(' is here"));
    return closed ? inner : nullptr;
  }
  default:
    reportUnexpected("an expression");
    return nullptr;
  }
}

/// "[" [ expr { "," expr } ] "]", or a comprehension.
const Expr *Parser::parseBracketed() {
  SMLoc start = current().loc();
  advance();
  SmallVector<const Expr *> list;
  const Expr *comprehension = nullptr;
  bool isComprehension = false;
  bool parsed = parseList(TokenKind::RightBracket, "after the list", [&] {
    const Expr *element = parseExpr();
    list.push_back(element);
    isComprehension = element && list.size() == 1 && at(TokenKind::kw_for);
    if (isComprehension)
      comprehension = parseComprehension(start, element);
    return element && (!isComprehension || comprehension);
  });
  if (!parsed)
    return nullptr;
  if (!comprehension)
    return makeExpr<ListExpr>(rangeFrom(start), depthOf(list), arena.copy(Exprs(list)));
  if (list.size() == 1)
    return comprehension;
  diags.error(list[1]->range, DiagCode::UnexpectedToken, "expected ']' after the comprehension")
      .note(comprehension->range, "the comprehension is here");
  return nullptr;
}

/// Stops before the closing bracket, which belongs to the range all the same.
const Expr *Parser::parseComprehension(SMLoc start, const Expr *element) {
  SmallVector<ForClause> clauses;
  unsigned parts = depthOf(element);
  while (accept(TokenKind::kw_for)) {
    ForClause clause;
    if (!parseForClause(clause))
      return nullptr;
    parts = std::max(parts, depthOf(clause.range));
    clauses.push_back(clause);
  }
  return makeExpr<ComprehensionExpr>(SMRange(start, current().endLoc()), parts, element,
                                     arena.copy(ArrayRef<ForClause>(clauses)));
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

const Type *Parser::parseType() {
  Level level(*this);
  const Type *first = checkDepth() ? parseTypeAtom() : nullptr;
  if (!first || !at(TokenKind::Pipe))
    return first;
  SmallVector<const Type *> members{first};
  unsigned parts = first->depth;
  while (accept(TokenKind::Pipe)) {
    const Type *member = parseTypeAtom();
    if (!member)
      return nullptr;
    parts = std::max<unsigned>(parts, member->depth);
    members.push_back(member);
  }
  return arena.make<Type>(Type::Kind::Union, static_cast<uint16_t>(parts + 1),
                          rangeFrom(first->range.Start), Ident(), false, Exprs(),
                          arena.copy(ArrayRef<const Type *>(members)));
}

/// "[" type "]" | NAME [ "[" dims "]" ] | "layer"
const Type *Parser::parseTypeAtom() {
  SMLoc start = current().loc();
  if (accept(TokenKind::LeftBracket)) {
    const Type *element = parseType();
    if (!element || !expect(TokenKind::RightBracket, "after the element's type"))
      return nullptr;
    return arena.make<Type>(Type::Kind::List, static_cast<uint16_t>(element->depth + 1),
                            rangeFrom(start), Ident(), false, Exprs(),
                            arena.copy(ArrayRef<const Type *>(element)));
  }
  Ident name{current().text, current().range()};
  if (!accept(TokenKind::kw_layer) && !expectName(name, "a type"))
    return nullptr;
  SmallVector<const Expr *> dims;
  const Expr *ellipsis = nullptr;
  bool hasShape = accept(TokenKind::LeftBracket);
  if (hasShape && !parseList(TokenKind::RightBracket, "after the shape", [&] {
        const Expr *dim = parseDim();
        if (!dim)
          return false;
        if (isa<EllipsisExpr>(dim) && ellipsis) {
          diags
              .error(dim->range, DiagCode::RepeatedEllipsis,
                     "expected '...' at most once in a type")
              .note(ellipsis->range, "the first one is here");
          return false;
        }
        if (isa<EllipsisExpr>(dim))
          ellipsis = dim;
        dims.push_back(dim);
        return true;
      }))
    return nullptr;
  return arena.make<Type>(Type::Kind::Named, uint16_t(1), rangeFrom(start), name, hasShape,
                          arena.copy(Exprs(dims)), ArrayRef<const Type *>());
}

const Expr *Parser::parseDim() {
  if (at(TokenKind::Ellipsis))
    return parseEllipsis();
  const Expr *dim = parseExpr();
  if (!dim || !isa<WildcardExpr>(dim) || !accept(TokenKind::Ellipsis))
    return dim;
  return makeExpr<EllipsisExpr>(rangeFrom(dim->range.Start), 0, true);
}

} // namespace kiln
