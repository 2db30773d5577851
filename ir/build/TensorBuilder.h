//===- TensorBuilder.h - ops from values and numbers ------------*- C++ -*-===//
//
// What importers and passes share: broadcasting, the types of numbers beside tensors, matmul's
// shapes, slices. Made for one place of the user's; it knows no syntax. Whatever fails has called
// the error function once and returns null, false or nothing.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_IR_BUILD_TENSORBUILDER_H
#define KILN_IR_BUILD_TENSORBUILDER_H

#include "ir/Requirement.h"
#include "ir/build/Rules.h"

#include "mlir/IR/Builders.h"

#include <functional>
#include <variant>

namespace kiln::ir {

/// What is known and required of the dimensions of the function being built.
class DimScope {
public:
  explicit DimScope(DimExpr::BoundsMap bounds = {}) : declared(bounds), kept(std::move(bounds)) {}

  /// Judges for what stands in the block, and keeps with its place what the bounds do not decide.
  Verdict require(const Requirement &requirement, mlir::Location place, mlir::Block *block);
  /// A dimension that a value decides, from 0 to `most`.
  void declare(const std::string &dimension, const DimExpr &most);
  /// As declared. What an index means follows from these alone, not from what is required so far.
  const DimExpr::BoundsMap &bounds() const { return declared; }
  const Requirements &requirements() const { return kept; }
  /// Lists what is kept in the function's `kiln.requires`.
  void attachTo(mlir::Operation *function) const;

private:
  DimExpr::BoundsMap declared;
  Requirements kept;
  llvm::SmallVector<mlir::Location> places; ///< of those kept
};

/// A number that is known while building; "the integer 3" in messages.
using Number = std::variant<int64_t, double, bool>;
std::string describe(const Number &number);
/// A list of numbers, or of lists of them, all of one length: the tensor that it spells.
struct Table {
  llvm::SmallVector<int64_t, 4> shape;
  std::vector<Number> numbers; ///< row-major
};
/// What may stand where a tensor is wanted.
using Operand = std::variant<mlir::Value, Number, DimExpr, Table>;
/// The element type that numbers among the operands take: that of the first tensor; f32 beside a
/// float; none if each stands for itself.
std::optional<DType> commonType(llvm::ArrayRef<Operand> operands);

/// What a subscript takes of one axis.
struct AxisPart {
  DimExpr start, size;
  int64_t step = 1;
  bool isIndex = false; ///< the axis is dropped
};

enum class BuildError : uint8_t {
  Type,  ///< an element type
  Shape, ///< extents that must be equal or within others
  Value, ///< a position or size
  Op,    ///< the op refuses its operands
};

class TensorBuilder {
public:
  using ErrorFn = std::function<void(BuildError, const std::string &)>;
  TensorBuilder(mlir::OpBuilder &builder, mlir::Location place, DimScope &scope, ErrorFn onError)
      : builder(builder), place(place), scope(scope), onError(std::move(onError)) {}

  // Ops (TensorBuilder.cpp)

  /// Infers the results' types, builds and verifies the op. Operands that it wants aligned are
  /// viewed under the extents that theirs are required to equal.
  mlir::Operation *create(mlir::RegisteredOperationName op, mlir::ValueRange operands,
                          mlir::NamedAttrList attributes);
  /// The first result of `kiln.NAME`.
  mlir::Value create(llvm::StringRef name, mlir::ValueRange operands,
                     mlir::NamedAttrList attributes = {});
  /// The same for an elementwise op, of the operands broadcast to one shape.
  mlir::Value elementwise(llvm::StringRef name, llvm::ArrayRef<mlir::Value> operands);
  /// False after an error: the requirement can never hold.
  bool require(const Requirement &requirement, BuildError kind = BuildError::Shape);

  // Numbers and dimensions (Values.cpp)

  /// The operand as a tensor; numbers and dimensions take the type `like`, or their own.
  mlir::Value tensor(const Operand &operand, std::optional<DType> like = std::nullopt);
  /// A float is rounded to the type; an integer must fit it exactly.
  mlir::Value scalar(const Number &number, DType type);
  /// The same of each number, as a `kiln.constant`.
  mlir::Value table(const Table &table, DType type);
  /// An i64, or cast to a floating type.
  mlir::Value extent(const DimExpr &dim, std::optional<DType> like = std::nullopt);
  mlir::Value cast(mlir::Value value, DType type);

  // Shapes (Values.cpp)

  /// NumPy's common shape. Extents that may differ are compared at entry; only the constant 1 is
  /// repeated.
  std::optional<Dims> broadcastShape(llvm::ArrayRef<Dims> shapes);
  bool broadcastAll(llvm::MutableArrayRef<mlir::Value> values);
  mlir::Value broadcastTo(mlir::Value value, llvm::ArrayRef<DimExpr> dims);
  /// The value itself if it has these extents.
  mlir::Value reshape(mlir::Value value, llvm::ArrayRef<DimExpr> dims);
  /// NumPy's matmul: a vector is a row on the left and a column on the right; leading dimensions
  /// are broadcast, but a lone matrix on the right serves all.
  mlir::Value matmul(mlir::Value a, mlir::Value b);

  // Slices (Slice.cpp)

  /// One element of an axis. A position that is always negative counts from the end.
  std::optional<AxisPart> index(const DimExpr &position, const DimExpr &extent);
  /// The position of a slice's bound. A number clips, as NumPy's; what is computed must lie within.
  std::optional<DimExpr> sliceBound(const DimExpr &bound, const DimExpr &extent, int64_t step);
  /// What lies between two positions. Those the wrong way round give nothing if `mayCross`, and
  /// must not be else. The step is not 0.
  std::optional<AxisPart> sliceBetween(const DimExpr &from, const DimExpr &to, int64_t step,
                                       bool mayCross);
  /// One part for each axis.
  mlir::Value slice(mlir::Value value, llvm::ArrayRef<AxisPart> parts);
  /// The size of each of `count` equal parts, which must make up the extent.
  std::optional<DimExpr> equalPart(const DimExpr &extent, int64_t count);

private:
  mlir::OpBuilder &builder;
  mlir::Location place;
  DimScope &scope;
  ErrorFn onError;

  std::nullptr_t fail(BuildError kind, const llvm::Twine &message);
  std::nullptr_t refuse(mlir::RegisteredOperationName op, llvm::StringRef complaint);
  bool align(mlir::RegisteredOperationName op, llvm::SmallVectorImpl<mlir::Value> &operands,
             mlir::DictionaryAttr attributes);
  mlir::Attribute dimsAttr(llvm::ArrayRef<DimExpr> dims);
};

} // namespace kiln::ir

#endif // KILN_IR_BUILD_TENSORBUILDER_H
