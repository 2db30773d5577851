//===- Build.h - kernel specs as Halide functions --------------*- C++ -*-===//
//
// What all templates share: parameters for operands and symbols, stages as Halide functions, and
// pieces of outputs. Halide's dimensions stand innermost first, a spec's outermost first.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_HALIDE_BUILD_H
#define KILN_CODEGEN_HALIDE_BUILD_H

#include "codegen/spec/KernelSpec.h"
#include "ir/target/Target.h"

#include "Halide.h"

#include <stdexcept>

namespace kiln::halide {

/// The template does not take this spec; another generator may.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One coordinate of a stage's point. In a blocked dimension value = 16 * panel + lane, and a panel
/// of 16 is addressed without division.
struct Coordinate {
  Halide::Expr value, lane, panel;
  int32_t firstPanel = 0; ///< of the part: a weight is read at firstPanel + panel
  Halide::Expr row,
      tile; ///< of a dimension in tiles of constant size: value = base + size * tile + row
  Coordinate() = default;
  Coordinate(Halide::Expr value) : value(std::move(value)) {}
};
using Coordinates = std::vector<Coordinate>;

/// A function that computes a stage, or a part of one.
struct StageFunc {
  Halide::Func func;
  /// Spec dimension of the domain that is split into (lane, panel); -1 if none.
  int blockedDim = -1;
  /// Spec dimension that is split into (row, tile); -1 if none.
  int tiledDim = -1;
  const spec::Stage *stage = nullptr;
};

/// A rectangle of a stage's domain that one function writes.
struct Piece {
  Halide::Func func;
  const spec::Stage *stage = nullptr;
  DimExpr offset;                        ///< of the first element, in elements
  std::vector<DimExpr> extents, strides; ///< of the function's dimensions, innermost first
};

class Builder {
public:
  Builder(const spec::KernelSpec &spec, const target::Target &target);

  /// Throws Unsupported if a reduction that may be empty does not depend on what it reduces: Halide
  /// moves what is the same in every round out of a loop, even where there is no round.
  void checkReductions() const;
  /// A dimension expression over the symbols' parameters.
  Halide::Expr extent(const DimExpr &value);
  /// The value as a term of the reduction, whose rounds Halide drops if an update mentions none of
  /// its variables.
  static Halide::Expr term(const Halide::RDom &reduction, const Halide::Expr &value);
  /// The constant of an extent, or nothing.
  static std::optional<int64_t> known(const DimExpr &value) { return value.constantValue(); }
  /// Whether a part of the spec is not strict, and no factor of its products is chosen (0 * NaN
  /// would be lost). Halide then assumes of its casts, too, that there is no NaN or infinity; it is
  /// told to be strict everywhere otherwise.
  bool isRelaxed = false;
  int64_t parameter(const char *name, int64_t otherwise);
  DimExpr::BoundsMap symbolBounds() const;

  /// The value of an expression of a stage at a point; `coordinates` are domain and reduction.
  Halide::Expr value(const spec::ExprPtr &root, const spec::Stage &stage,
                     const Coordinates &coordinates);
  /// While set, guarded reads of inputs go through a function over the source's coordinates, made
  /// once for each source and kept in `padded`, which the template computes in blocks.
  bool usesPadding = false;
  std::function<bool(const spec::Expr &)> copies; ///< reads that go through it without a guard too
  std::vector<std::pair<std::string, Halide::Func>> padded;
  void resetPadding() {
    padded.clear();
    paddings.clear();
  }
  /// The element that a read names, with its guard.
  Halide::Expr load(const spec::Expr &node, const spec::Stage &stage,
                    const Coordinates &coordinates,
                    const std::function<Halide::Expr(const spec::ExprPtr &)> &evaluate);

  /// Makes a stage readable by later ones.
  void define(const std::string &name, StageFunc func) { stages[name] = std::move(func); }
  Halide::Func function(const std::string &name) const { return stages.at(name).func; }
  /// Defines a stage without a reduction as a function of its own.
  void defineStage(const spec::Stage &stage);
  /// Makes a function of the stage's whole domain an output: where it lies is told by the operand's
  /// strides and the stage's store. Bounds of the function are set.
  void output(Halide::Func func, const spec::Stage &stage);
  void output(Piece piece);
  /// Stride of a domain dimension of a stage in the operand it writes, and the offset of its
  /// origin.
  DimExpr outputStride(const spec::Stage &stage, size_t dim) const;
  DimExpr outputOffset(const spec::Stage &stage) const;
  bool writesOperand(const spec::Stage &stage) const {
    return spec.findOperand(stage.name) != nullptr;
  }

  /// The arguments in order: inputs, symbols; outputs follow.
  std::vector<Halide::Argument> arguments();
  /// Text for kiln_halide_result::arguments.
  std::string describeArguments();
  Halide::Pipeline pipeline();

  const spec::KernelSpec &spec;
  const target::Target &target;

private:
  /// Arguments, innermost first, of a call of a stage at spec coordinates.
  std::vector<Halide::Expr> stageArguments(const StageFunc &source, const spec::Expr &node,
                                           const Coordinates &coordinates,
                                           const std::vector<Halide::Expr> &indices);
  Halide::Func padding(const spec::Expr &node, const spec::Operand &operand,
                       Halide::ImageParam &image);
  Halide::Expr address(const spec::Operand &operand, Halide::ImageParam &image,
                       const spec::Expr &node, const Coordinates &coordinates,
                       const std::vector<Halide::Expr> &indices);

  /// A relaxed value of which LLVM does not know that it stems from instructions without NaN.
  Halide::Expr opaque(const Halide::Expr &value);
  /// What a guard chose, so that LLVM does not make a choice of the relaxed product: 0 * inf is
  /// NaN.
  Halide::Expr factor(const Halide::Expr &chosen);

  std::map<std::string, Halide::Param<int32_t>> symbols;
  Halide::Param<int32_t> zero{"zero"}; ///< an argument that is 0, which LLVM cannot know
  bool usesZero = false;
  std::map<std::string, Halide::ImageParam> images;
  std::map<std::string, StageFunc> stages;
  std::map<std::string, Halide::Func> paddings;
  std::vector<Piece> pieces;
};

/// Element type of memory; refuses the 8-bit floats.
Halide::Type memoryType(DType type);
/// Type of values in expressions: bool is a Halide bool.
Halide::Type valueType(DType type);
/// Type in which a reduction is summed where each accumulator takes every `lanes`-th element: f64
/// for long sums of f32, whose rounding errors would grow with the number of steps.
DType accumulatorType(const spec::Stage &stage, int64_t lanes);
/// One step of a reduction; NaN propagates through Max and Min.
Halide::Expr combine(spec::Combiner combiner, const Halide::Expr &kept, const Halide::Expr &item,
                     bool isStrict);
/// By the bits: Halide and its fast-math flags may take is_nan for false.
Halide::Expr isNaN(const Halide::Expr &x);
/// The value that changes nothing when combined.
Halide::Expr identity(spec::Combiner combiner, DType type);

/// Builder::defineStage; if the stage writes an operand, an output with a schedule.
void definePointwise(Builder &builder, const spec::Stage &stage);

/// A template: builds and schedules all stages of the builder's spec. Throws Unsupported.
using Template = void (*)(Builder &);
void buildTiled(Builder &builder);
void buildPointwise(Builder &builder);
void buildRowwise(Builder &builder);

} // namespace kiln::halide

#endif // KILN_CODEGEN_HALIDE_BUILD_H
