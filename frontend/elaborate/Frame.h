//===- Frame.h - calls in progress -----------------------------*- C++ -*-===//
#ifndef KILN_FRONTEND_ELABORATE_FRAME_H
#define KILN_FRONTEND_ELABORATE_FRAME_H

#include "frontend/elaborate/Value.h"

#include "mlir/IR/Location.h"

namespace kiln {

using ir::Dims;

/// A call in progress: of a function, or the making of a layer.
struct Frame {
  explicit Frame(const Module *module) : module(module) {}
  const Module *module;
  Instance *self = nullptr;
  const ast::Stmt *decl = nullptr;
  Frame *caller = nullptr;
  llvm::SMRange callPlace;
  std::optional<mlir::Location> callLoc; ///< absent in an entry point
  llvm::StringMap<Value> locals;         ///< also generics and compile-time parameters
  std::optional<Dims> leading;           ///< what `...` stands for
  std::optional<Value> result;
  llvm::SMRange resultPlace; ///< of the return statement
  int64_t rounds = 0;
  bool inLayer = false;   ///< assignments declare members
  bool inDefault = false; ///< a parameter's default is evaluated

  /// How messages call it: a layer's `forward` by the layer's name.
  std::string title() const {
    const ast::Ident &name = declaredName(decl);
    return inQuotes(self && name.text == "forward" ? self->decl->name.text : name.text);
  }
};
/// A pattern of a signature beside the extent found there.
struct Equation {
  DimExpr expected, actual;
  llvm::SMRange place, declared;
  std::string what;
};
/// A parameter of whatever is called.
struct Formal {
  llvm::StringRef name;
  bool required, byName;
};

} // namespace kiln

#endif // KILN_FRONTEND_ELABORATE_FRAME_H
