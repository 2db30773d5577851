//===- Builder.h - what the op families share in lowering ------*- C++ -*-===//
#ifndef KILN_CODEGEN_LOWER_BUILDER_H
#define KILN_CODEGEN_LOWER_BUILDER_H

#include "codegen/spec/KernelSpec.h"
#include "ir/KilnOps.h"
#include "ir/NumberBlock.h"

#include "llvm/ADT/DenseMap.h"

namespace kiln::lower {

/// A position in a value: one coordinate a dimension, over the dimensions of the stage being built.
using At = std::vector<spec::Index>;

/// The type in which a kernel computes: f32 for the narrower floats.
DType computeType(DType type);
/// The value in a type of memory, and back to the type of computing.
spec::ExprPtr narrow(const spec::ExprPtr &value, DType storage);
spec::ExprPtr widen(const spec::ExprPtr &value);

/// sum(coefficient * d[dim]) + offset; dimensions in any order.
spec::Index affine(std::vector<std::pair<int, int64_t>> terms, DimExpr offset = 0);
/// coefficient * index + offset.
spec::Index scaled(const spec::Index &index, int64_t coefficient, const DimExpr &offset);
/// The coordinate as an i64.
spec::ExprPtr valueOf(const spec::Index &index);
/// [d0, d1, …].
At identity(size_t rank);
/// A computed index, which from -extent on counts from the end, as a position from the front.
spec::Index positionOf(const spec::ExprPtr &index, const DimExpr &extent);
/// A polynomial as a value of a type.
spec::ExprPtr number(const DimExpr &value, DType type);
/// The least value of a type of computing: the start of a maximum (and largest, of a minimum).
double lowest(DType type);
double largest(DType type);
/// A number brought into the type's range.
spec::ExprPtr saturated(double value, DType type);

/// Builds the spec of one kernel. A value is *stored* if it lies in an operand or in the result of
/// a stage; others are expressions built anew where they are read.
class SpecBuilder {
public:
  explicit SpecBuilder(ir::KernelOp kernel) : kernel(kernel) {}
  llvm::FailureOr<spec::KernelSpec> run();

  /// The value's element, rounded to the value's type, in the type of computing. With `outside`,
  /// positions beyond its shape are allowed and give that number. Appends stages where a value must
  /// be stored first.
  spec::ExprPtr load(mlir::Value value, const At &at, std::optional<double> outside = std::nullopt);
  bool isStored(mlir::Value value) const { return sources.contains(value); }
  /// Makes the value the result of a stage, unless it is stored.
  void store(mlir::Value value);
  /// Appends a stage; gives its name. The role is taken from the stage only if it is the anchor.
  std::string append(spec::Stage stage, bool isAnchor = false);
  /// Appends the anchor stage of an op with one result and says that it holds the result.
  void appendAnchor(mlir::Operation *op, spec::Stage stage);
  /// Says how elements of a result follow from stages.
  void derive(mlir::Value value, std::function<spec::ExprPtr(const At &)> element) {
    derived[value] = std::move(element);
  }
  /// An element read from a stage's result.
  spec::ExprPtr readStage(const std::string &stage, At at) const;

private:
  spec::ExprPtr loadExact(mlir::Value value, const At &at, std::optional<double> outside);
  struct Source {
    std::string name;
    DType type;
    bool isRounded = true; ///< to the value's type; sums in f32 are not
  };
  void addOperands();
  void addPanel(mlir::BlockArgument argument, mlir::DenseI64ArrayAttr logical);
  bool lowerOp(mlir::Operation &op);
  bool lowerProcedure(mlir::Operation &op);
  void addOutputs(ir::ReturnOp op);
  void rename(const std::string &from, const std::string &to);

  ir::KernelOp kernel;
  spec::KernelSpec spec;
  llvm::DenseMap<mlir::Value, Source> sources;
  llvm::DenseMap<mlir::Value, std::function<spec::ExprPtr(const At &)>> derived;
  mlir::Operation *unsupported = nullptr;
  bool hasAnchor = false;
};

// The families. Those of elements give null, and those of stages false, for an op they do not know.
spec::ExprPtr loadPointwise(SpecBuilder &builder, mlir::Operation *op, const At &at);
/// Activations, and functions by the op's name, of an x that is a double, an f32 or, where the
/// function is defined on them, an integer.
spec::ExprPtr activation(mlir::Operation *op, const spec::ExprPtr &x);
spec::ExprPtr furtherFunction(llvm::StringRef name, const spec::ExprPtr &x);
spec::ExprPtr log1p(const spec::ExprPtr &x);
spec::ExprPtr expm1(const spec::ExprPtr &x);
/// Of integers.
spec::ExprPtr wholePower(const spec::ExprPtr &a, const spec::ExprPtr &b);
spec::ExprPtr loadConstant(mlir::Operation *op, const At &at);
/// kiln.quantize, kiln.requantize and kiln.dequantize.
spec::ExprPtr loadQuantized(SpecBuilder &builder, mlir::Operation *op, const At &at);
/// The bytes of the block of numbers at a position of a stored tensor, as one i32 that numberOf()
/// takes apart; `along` is where its first byte lies.
spec::ExprPtr loadBlock(SpecBuilder &builder, mlir::Value stored, At at, int64_t axis,
                        const spec::Index &along, ir::NumberBlock block);
/// One number of those as an i32.
spec::ExprPtr numberOf(const spec::ExprPtr &bytes, const spec::ExprPtr &i, ir::NumberBlock block,
                       bool isSigned);
/// Null also if the op cannot be read through with `outside`: then it must be stored.
spec::ExprPtr loadMovement(SpecBuilder &builder, mlir::Operation *op, const At &at,
                           std::optional<double> outside);
bool lowerContraction(SpecBuilder &builder, mlir::Operation *op);
bool lowerPooling(SpecBuilder &builder, mlir::Operation *op);
void lowerInterpolation(SpecBuilder &builder, ir::InterpolateOp op);
bool lowerReduction(SpecBuilder &builder, mlir::Operation *op);

/// A procedure and the bytes of scratch memory that it works in, if it does in any.
struct ProcedureCall {
  spec::Procedure procedure;
  std::optional<DimExpr> scratchBytes;
};
std::optional<ProcedureCall> procedureOf(mlir::Operation *op, const DimExpr::BoundsMap &bounds);

} // namespace kiln::lower

#endif // KILN_CODEGEN_LOWER_BUILDER_H
