//===- Primitives.h - signatures of the ops of the dialect ------*- C++ -*-===//
//
// Every registered op with the interface Primitive is a function of the language. Its signature,
// "name(x, weight, bias?, xs..., sizes: parts, *, stride: pair = 1)", is parsed once.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_EMIT_PRIMITIVES_H
#define KILN_FRONTEND_EMIT_PRIMITIVES_H

#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/StringMap.h"

#include <vector>

namespace kiln {

struct Primitive {
  struct Slot {
    std::string name;
    std::string kind; ///< of an attribute; empty for an operand
    std::string defaultText;
    bool optional = false; ///< an operand that may be left out, or an attribute with a default
    bool variadic = false; ///< an operand fed by a list
    bool byName = false;   ///< stands after `*`
    bool isOperand() const { return kind.empty(); }
  };
  mlir::RegisteredOperationName op;
  std::string signature, summary;
  std::vector<Slot> slots; ///< operands first
};

/// All primitive functions by name. The dialect must be loaded.
class PrimitiveTable {
public:
  explicit PrimitiveTable(mlir::MLIRContext &context);
  const Primitive *find(llvm::StringRef name) const;
  /// The function FAMILY.NAME.
  const Primitive *find(llvm::StringRef family, llvm::StringRef name) const;
  llvm::SmallVector<llvm::StringRef> names() const;

private:
  llvm::StringMap<Primitive> table;
};

} // namespace kiln

#endif // KILN_FRONTEND_EMIT_PRIMITIVES_H
