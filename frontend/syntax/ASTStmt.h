//===- ASTStmt.h - statements and declarations ------------------*- C++ -*-===//
#ifndef KILN_FRONTEND_SYNTAX_ASTSTMT_H
#define KILN_FRONTEND_SYNTAX_ASTSTMT_H

#include "frontend/syntax/ASTExpr.h"

namespace kiln::ast {

struct Stmt {
  enum class Kind : uint8_t {
    Assign,
    If,
    For,
    Return,
    Yield,
    Member,
    Ignore,
    Tie,
    Import,
    Const,
    Fn,
    Layer,
    Recipe,
  };
  Kind kind;
  llvm::SMRange range;
};

/// Gives each node its classof.
template <Stmt::Kind K> struct StmtOf : Stmt {
  static constexpr Kind nodeKind = K;
  static bool classof(const Stmt *stmt) { return stmt->kind == K; }
};

using Block = llvm::ArrayRef<const Stmt *>;

/// `targets = value`. A target is a NameExpr, WildcardExpr, `self.name` (MemberExpr of SelfExpr),
/// or an IndexExpr whose base is a NameExpr or `self.name`. In the body of a layer, outside of its
/// functions, it declares a layer or a compile-time value.
struct AssignStmt : StmtOf<Stmt::Kind::Assign> {
  llvm::ArrayRef<const Expr *> targets; ///< at least one
  const Expr *value;
};
/// Compile-time; an `else if` is an IfStmt alone in elseBody.
struct IfStmt : StmtOf<Stmt::Kind::If> {
  const Expr *condition;
  Block thenBody, elseBody;
};
/// Compile-time loop.
struct ForStmt : StmtOf<Stmt::Kind::For> {
  ForClause clause;
  Block body;
};
struct ReturnStmt : StmtOf<Stmt::Kind::Return> {
  llvm::ArrayRef<const Expr *> values;
};
struct YieldStmt : StmtOf<Stmt::Kind::Yield> {
  llvm::ArrayRef<const Expr *> values;
};

enum class MemberKind : uint8_t { Param, Buffer, State };
/// `param name: type`, and so on.
struct MemberDecl : StmtOf<Stmt::Kind::Member> {
  MemberKind member;
  Ident name;
  const Type *type;
  const Expr *initial; ///< State only, may be null
};
struct IgnoreDecl : StmtOf<Stmt::Kind::Ignore> {
  llvm::ArrayRef<const StringExpr *> patterns;
};
/// `tie alias = stored`: dotted parameter paths without `self.`
struct TieDecl : StmtOf<Stmt::Kind::Tie> {
  Ident alias, stored;
};

struct ImportDecl : StmtOf<Stmt::Kind::Import> {
  Ident path; ///< a standard module's name, or a file's path (unquoted)
  bool isFile;
  Ident name; ///< what the importing file calls it; never empty
};
struct ConstDecl : StmtOf<Stmt::Kind::Const> {
  Ident name;
  bool isPrivate; ///< hidden from importers
  const Expr *value;
};

/// `D: float`, `N <= 1024` or `N`; bound and dtypeClass exclude each other.
struct Generic {
  Ident name;
  Ident dtypeClass;  ///< empty text for a dimension
  const Expr *bound; ///< null if there is none
  const Expr *least; ///< the bound below; null if there is none
};
struct Parameter {
  Ident name;
  const Type *type;
  const Expr *defaultValue; ///< null if there is none
};
struct Result {
  Ident name; ///< empty text if unnamed
  const Type *type;
};
struct FnDecl : StmtOf<Stmt::Kind::Fn> {
  Ident name;
  bool isPrivate; ///< hidden from importers; in a model, no entry point
  llvm::ArrayRef<Generic> generics;
  llvm::ArrayRef<Parameter> parameters;
  llvm::ArrayRef<Result> results;
  Block body;
};
/// A layer or a model. Its body holds MemberDecl, IgnoreDecl, TieDecl, FnDecl, AssignStmt (of
/// names), IfStmt and ForStmt.
struct LayerDecl : StmtOf<Stmt::Kind::Layer> {
  bool isModel, isPrivate; ///< private: hidden from importers
  Ident name;
  llvm::ArrayRef<Parameter> parameters;
  Block body;
};
/// Statements of a recipe are kept as tokens: another parser reads them, also from files of their
/// own.
struct RecipeDecl : StmtOf<Stmt::Kind::Recipe> {
  Ident name;
  Ident model; ///< empty text if there is no `for`
  llvm::ArrayRef<llvm::ArrayRef<Token>> statements;
};

} // namespace kiln::ast

#endif // KILN_FRONTEND_SYNTAX_ASTSTMT_H
