//===- Value.h - what expressions evaluate to ------------------*- C++ -*-===//
#ifndef KILN_FRONTEND_ELABORATE_VALUE_H
#define KILN_FRONTEND_ELABORATE_VALUE_H

#include "frontend/syntax/Modules.h"
#include "ir/build/TensorBuilder.h"

#include "mlir/IR/Value.h"
#include "llvm/ADT/MapVector.h"

#include <variant>

namespace kiln {

struct Instance;
struct Value;
using ListPtr = std::shared_ptr<const std::vector<Value>>;

/// What stands for an argument that is not given.
struct None {};

/// Several results of a call.
struct Results {
  ListPtr values;
};

/// A parameter, buffer or state of an instance of a layer.
struct Weight {
  const ast::MemberDecl *decl;
  mlir::RankedTensorType type;
  std::string path;              ///< set once the model is built
  ir::Number first = int64_t(0); ///< all elements of a state before any call
};

/// A compile-time value, a dimension or a tensor. The empty value stands for an error that has been
/// reported: whatever uses it is silent.
struct Value {
  std::variant<std::monostate, None, int64_t, double, bool, std::string, DType, DimExpr, ListPtr,
               Results, Instance *, Weight *, mlir::Value>
      data;

  Value() = default;
  template <typename T> Value(T value) : data(std::move(value)) {}
  /// A dimension; a number if it is constant.
  static Value dim(const DimExpr &expr) {
    if (std::optional<int64_t> constant = expr.constantValue())
      return *constant;
    return expr;
  }
  static Value list(std::vector<Value> values) {
    return ListPtr(std::make_shared<const std::vector<Value>>(std::move(values)));
  }

  template <typename T> const T *as() const { return std::get_if<T>(&data); }
  bool isError() const { return as<std::monostate>(); }
  bool isNumber() const { return as<int64_t>() || as<double>() || as<bool>(); }
  std::optional<ir::Number> asNumber() const {
    if (auto *integer = as<int64_t>())
      return ir::Number(*integer);
    if (auto *number = as<double>())
      return ir::Number(*number);
    if (auto *flag = as<bool>())
      return ir::Number(*flag);
    return std::nullopt;
  }
  /// A number, a dimension or a tensor: what arithmetic takes.
  bool isArithmetic() const { return isNumber() || as<DimExpr>() || as<mlir::Value>(); }
  /// An integer or a dimension as a polynomial.
  std::optional<DimExpr> asDim() const {
    if (auto *integer = as<int64_t>())
      return DimExpr(*integer);
    if (auto *expr = as<DimExpr>())
      return *expr;
    return std::nullopt;
  }
};

/// Whether a list spells a tensor: of numbers, dimensions and scalars of a call, or of lists of one
/// length that do.
bool spellsTensor(const Value &value);
/// That tensor if all of it is known.
std::optional<ir::Table> tableOf(const Value &value);

/// How messages name a value: "the integer 3", "f32[N, 10]", "a layer".
std::string describe(const Value &value);

/// A layer with its arguments. Paths are given when the whole model is built.
struct Instance {
  const ast::LayerDecl *decl;
  const Module *module;
  llvm::StringMap<Value> arguments;
  llvm::MapVector<llvm::StringRef, Value> members; ///< keys live in the source
  std::vector<const ast::IgnoreDecl *> ignores;
  std::vector<const ast::TieDecl *> ties;
  std::vector<const ast::FnDecl *> functions; ///< of the body and of branches taken in it
  std::string path;
  bool named = false;
  llvm::SMRange made;                    ///< the call that made it
  llvm::StringMap<llvm::SMRange> places; ///< of its members
};

/// An argument as given at a call.
struct Arg {
  llvm::StringRef name; ///< empty if positional
  Value value;
  llvm::SMRange range;
};

} // namespace kiln

#endif // KILN_FRONTEND_ELABORATE_VALUE_H
