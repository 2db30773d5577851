//===- ASTExpr.h - expressions and types ------------------------*- C++ -*-===//
#ifndef KILN_FRONTEND_SYNTAX_ASTEXPR_H
#define KILN_FRONTEND_SYNTAX_ASTEXPR_H

#include "frontend/syntax/Lexer.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Casting.h"
#include "llvm/Support/SMLoc.h"

#include <cstdint>

namespace kiln::ast {

struct Stmt;

/// Deepest nesting of expressions, types and blocks: consumers may recurse over the tree.
inline constexpr unsigned maxDepth = 256;

/// A name with its place.
struct Ident {
  llvm::StringRef text;
  llvm::SMRange range;
};

struct Expr {
  enum class Kind : uint8_t {
    Int,
    Float,
    String,
    Bool,
    Name,
    Self,
    Wildcard,
    Ellipsis,
    Unary,
    Binary,
    Conditional,
    Cast,
    Call,
    Member,
    Index,
    Slice,
    List,
    Comprehension,
    Scan,
    While,
  };
  Kind kind;
  uint16_t depth; ///< 1 + the largest of the parts, at most maxDepth
  llvm::SMRange range;
};

/// Gives each node its classof.
template <Expr::Kind K> struct ExprOf : Expr {
  static constexpr Kind nodeKind = K;
  static bool classof(const Expr *expr) { return expr->kind == K; }
};

struct IntExpr : ExprOf<Expr::Kind::Int> {
  int64_t value;
};
struct FloatExpr : ExprOf<Expr::Kind::Float> {
  double value;
};
struct StringExpr : ExprOf<Expr::Kind::String> {
  llvm::StringRef value; ///< escapes resolved
};
struct BoolExpr : ExprOf<Expr::Kind::Bool> {
  bool value;
};
struct NameExpr : ExprOf<Expr::Kind::Name> {
  llvm::StringRef name;
};
struct SelfExpr : ExprOf<Expr::Kind::Self> {};
/// `_`: an inferred dimension, or a dropped result as a target.
struct WildcardExpr : ExprOf<Expr::Kind::Wildcard> {};
/// `...` in a type or an index; `_...` in a type.
struct EllipsisExpr : ExprOf<Expr::Kind::Ellipsis> {
  bool isOwn; ///< not those of the signature's other types
};

enum class UnaryOp : uint8_t { Negate, Not };
struct UnaryExpr : ExprOf<Expr::Kind::Unary> {
  UnaryOp op;
  const Expr *operand;
};
struct BinaryExpr : ExprOf<Expr::Kind::Binary> {
  TokenKind op; ///< one of BINARY_OPERATOR in Tokens.def, or StarStar
  llvm::SMRange opRange;
  const Expr *lhs, *rhs;
};
/// `thenValue if condition else elseValue`
struct ConditionalExpr : ExprOf<Expr::Kind::Conditional> {
  const Expr *condition, *thenValue, *elseValue;
};
/// `operand as type`; the type is an element type, a generic or compile-time name of one.
struct CastExpr : ExprOf<Expr::Kind::Cast> {
  const Expr *operand;
  Ident type;
};
struct Argument {
  Ident name; ///< empty text if positional; positional ones come first
  const Expr *value;
};
struct CallExpr : ExprOf<Expr::Kind::Call> {
  const Expr *callee;
  llvm::ArrayRef<Argument> arguments;
};
/// `base.name`
struct MemberExpr : ExprOf<Expr::Kind::Member> {
  const Expr *base;
  Ident name;
};
/// `base[subscripts]`; a subscript may be a SliceExpr or (once) an EllipsisExpr.
struct IndexExpr : ExprOf<Expr::Kind::Index> {
  const Expr *base;
  llvm::ArrayRef<const Expr *> subscripts;
};
/// `start:stop:step`, each part may be null; only as a subscript.
struct SliceExpr : ExprOf<Expr::Kind::Slice> {
  const Expr *start, *stop, *step;
};
struct ListExpr : ExprOf<Expr::Kind::List> {
  llvm::ArrayRef<const Expr *> elements;
};
/// `for names in range`; several names take the elements of a list apart.
struct ForClause {
  llvm::ArrayRef<Ident> names;
  const Expr *range;
};
/// `[element for … for …]`, the last clause running fastest.
struct ComprehensionExpr : ExprOf<Expr::Kind::Comprehension> {
  const Expr *element;
  llvm::ArrayRef<ForClause> clauses;
};

/// A name that goes from round to round: `name = initial`.
struct Carried {
  Ident name;
  const Expr *initial;
};
/// `scan elements in sequences axis a reverse with carried { body }`
struct ScanExpr : ExprOf<Expr::Kind::Scan> {
  llvm::ArrayRef<Ident> elements; ///< as many as sequences; `_` drops
  llvm::ArrayRef<const Expr *> sequences;
  const Expr *axis; ///< null if not given
  bool reverse;
  llvm::ArrayRef<Carried> carried;
  llvm::ArrayRef<const Stmt *> body;
};
/// `while condition limit n with carried { body }`
struct WhileExpr : ExprOf<Expr::Kind::While> {
  const Expr *condition, *limit;
  llvm::ArrayRef<Carried> carried;
  llvm::ArrayRef<const Stmt *> body;
};

/// A type as written: `f32[N, 2*H]`, `D[...]`, `[int]`, `int | str`.
struct Type {
  enum class Kind : uint8_t { Named, List, Union };
  Kind kind;
  uint16_t depth;
  llvm::SMRange range;
  Ident name;                           ///< Named: element type, generic, `int`, `layer`, …
  bool hasShape;                        ///< Named: whether `[…]` stands after the name
  llvm::ArrayRef<const Expr *> dims;    ///< Named: extents; WildcardExpr, EllipsisExpr (once)
  llvm::ArrayRef<const Type *> members; ///< List: the element type alone; Union: alternatives
};

} // namespace kiln::ast

#endif // KILN_FRONTEND_SYNTAX_ASTEXPR_H
