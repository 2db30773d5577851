//===- Modules.h - the files of a model ------------------------*- C++ -*-===//
//
// Loads a file and what it imports, once each, and names their declarations.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_SYNTAX_MODULES_H
#define KILN_FRONTEND_SYNTAX_MODULES_H

#include "frontend/syntax/AST.h"
#include "frontend/syntax/Diagnostics.h"

#include "llvm/ADT/StringMap.h"

#include <map>
#include <memory>

namespace kiln {

/// One loaded file. Names of declarations and of imports are different.
struct Module {
  std::string path;
  ast::File file;
  llvm::StringMap<const ast::Stmt *> decls; ///< ConstDecl, FnDecl, LayerDecl, RecipeDecl
  llvm::StringMap<const Module *> imports;
  llvm::SMRange imported; ///< the import that loaded it
  bool complete = false;  ///< false while its imports are being loaded
  /// The declaration of that name, if it is not private.
  const ast::Stmt *exported(llvm::StringRef name) const;
  /// Names for "did you mean" where the module is imported.
  llvm::SmallVector<llvm::StringRef> exportedNames() const;
  /// All names that expressions of the file can use.
  llvm::SmallVector<llvm::StringRef> names() const;
};

class Modules {
public:
  Modules(Diagnostics &diags, std::string stdDir) : diags(diags), stdDir(std::move(stdDir)) {}

  /// The file and all it imports; null if it could not be read (reported).
  const Module *load(llvm::StringRef path, llvm::SMRange from = llvm::SMRange(),
                     const Module *importer = nullptr);
  /// Modules in the order of loading, for checks over all code.
  llvm::ArrayRef<std::unique_ptr<Module>> all() const { return modules; }
  ast::AstArena &arena() { return nodes; }

private:
  Diagnostics &diags;
  std::string stdDir;
  ast::AstArena nodes;
  std::vector<std::unique_ptr<Module>> modules;
  std::map<std::string, Module *> byPath;

  void declare(Module &module);
  void import(Module &module, const ast::ImportDecl &decl);
};

/// The name that a declaration introduces.
const ast::Ident &declaredName(const ast::Stmt *decl);

} // namespace kiln

#endif // KILN_FRONTEND_SYNTAX_MODULES_H
