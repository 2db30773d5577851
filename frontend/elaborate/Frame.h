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
  llvm::StringMap<llvm::SMRange> bound;  ///< where statements and loops bind locals
  std::optional<Dims> leading;           ///< what `...` stands for
  llvm::SMRange leadingPlace;            ///< of the argument that tells it
  std::optional<Value> result;
  llvm::SMRange resultPlace;                  ///< of the return statement
  llvm::ArrayRef<const ast::Expr *> returned; ///< its values
  std::optional<std::vector<Value>> yielded;  ///< of the round in progress
  llvm::SMRange yieldPlace;
  std::vector<const ast::Generic *> open; ///< dimensions that only results tell
  unsigned roundDepth = 0;                ///< rounds of loops in progress
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
  std::set<std::string> unknowns = {}; ///< that stood in `expected`
  std::string told = {};               ///< the one of them that is solved by this equation
};
/// A parameter of whatever is called.
struct Formal {
  llvm::StringRef name;
  bool required, byName;
  llvm::SMRange place = {};
};
/// What is called, for messages.
struct Callee {
  std::string title; ///< in quotes
  llvm::SMRange declared = {};
  std::string signature = {}; ///< of a primitive function, which has no place
};

/// What a subscript takes of one axis: a part that the dimensions alone decide, or elements at
/// computed positions, whose dimensions (for a slice, one) stand in the axis' place.
struct Subscript {
  ir::AxisPart part;
  mlir::Value at;        ///< integers; null for a part
  bool isSlice = false;  ///< written with ':'
  bool isInside = false; ///< the positions are known to be in range
  bool isFull(const DimExpr &extent) const {
    return !at && !part.isIndex && part.step == 1 && part.size == extent;
  }
};

/// Largest number of iterations of one function, elements of a range, and steps and layers of a
/// whole model.
inline constexpr int64_t maxRounds = 100000, maxSteps = 1000000, maxLayers = 100000;
/// Deepest nesting of calls, and of expressions over all of them.
inline constexpr unsigned maxCalls = 100, maxEvalDepth = 1500;

/// The type of the tensors that a type takes; null if it takes compile-time values.
const ast::Type *tensorType(const ast::Type *type);
/// A type as it is written.
std::string textOf(const ast::Type *type);
/// Whether an argument of the type may be None.
bool takesNone(const ast::Type *type);
/// A polynomial as messages write it.
std::string dimText(const DimExpr &expr);
/// An unknown dimension of a signature while it is being solved; no name of the language has '$'.
DimExpr unknownDim(llvm::StringRef name);
/// Solves the unknown dimensions one by one, and puts what is found into the equations.
using Solution = std::map<std::string, DimExpr, std::less<>>;
Solution solve(llvm::MutableArrayRef<Equation> equations);
/// The list behind a value, if it is one of integers and dimensions (a single one counts).
std::optional<Dims> dimList(const Value &value);

} // namespace kiln

#endif // KILN_FRONTEND_ELABORATE_FRAME_H
