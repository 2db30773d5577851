//===- AST.h - what a model file says --------------------------*- C++ -*-===//
//
// The syntax tree as parsed: no name is resolved, no shape known. Nodes are plain, immutable after
// parsing, allocated in an AstArena, and each knows its range in the source. Texts point into the
// source buffer or the arena. ASTExpr.h has expressions and types, ASTStmt.h statements and
// declarations.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_SYNTAX_AST_H
#define KILN_FRONTEND_SYNTAX_AST_H

#include "frontend/syntax/ASTExpr.h"
#include "frontend/syntax/ASTStmt.h"

#include "llvm/Support/Allocator.h"
#include "llvm/Support/raw_ostream.h"

#include <utility>

namespace kiln::ast {

/// Owns the nodes of one or more files; none has a destructor to run.
class AstArena {
public:
  template <typename Node, typename... Args> Node *make(Args &&...args) {
    static_assert(std::is_trivially_destructible_v<Node>);
    return new (allocator.Allocate<Node>()) Node{std::forward<Args>(args)...};
  }
  template <typename Element> llvm::ArrayRef<Element> copy(llvm::ArrayRef<Element> list) {
    return list.copy(allocator);
  }
  llvm::StringRef copy(llvm::StringRef text) { return text.copy(allocator); }

private:
  llvm::BumpPtrAllocator allocator;
};

/// Declarations of one file in their order: ImportDecl, ConstDecl, FnDecl, LayerDecl (layers and
/// models) and RecipeDecl.
struct File {
  unsigned bufferId = 0;
  llvm::ArrayRef<const Stmt *> decls;

  /// Writes the tree as s-expressions, one declaration or statement a line.
  void dump(llvm::raw_ostream &os) const;
};

/// Writes one node as an s-expression.
void dump(const Expr *expr, llvm::raw_ostream &os);
void dump(const Type *type, llvm::raw_ostream &os);
void dump(const Stmt *stmt, llvm::raw_ostream &os, unsigned indent = 0);

} // namespace kiln::ast

#endif // KILN_FRONTEND_SYNTAX_AST_H
