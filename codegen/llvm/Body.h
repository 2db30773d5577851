//===- Body.h - the value of a stage at a point ----------------*- C++ -*-===//
//
// What the generators for processors and for GPUs share: coordinates as DimExpr polynomials over
// the spec's symbols and over names bound to values, and the values of bodies at them. How memory
// is read is the generator's; its loops stand in a class derived from this.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_LLVM_BODY_H
#define KILN_CODEGEN_LLVM_BODY_H

#include "codegen/llvm/Values.h"

#include "llvm/IR/Module.h"

#include <string>
#include <string_view>
#include <vector>

namespace kiln::codegen {

using Coordinates = std::vector<DimExpr>;
using LoopBody = llvm::function_ref<void(llvm::Value *)>;

inline constexpr std::string_view laneName = "%l", rowName = "%q";

/// A coordinate of a read with `outside`, and the extent it must be checked against.
struct Guard {
  const spec::Index *index;
  DimExpr coordinate, extent;
};

/// A point of a stage at which expressions are evaluated: domain, then reduction.
struct Frame {
  const spec::Stage *stage = nullptr;
  Coordinates at;
  std::vector<Guard> guards; ///< checks of the reads that led here through inlined stages
  std::string key;           ///< identifies stage and coordinates
};

/// Buffers of operands and of stages kept whole.
struct Memory {
  const spec::Operand *facts;
  llvm::Value *base = nullptr;
};

inline bool isArg(spec::Combiner combiner) {
  return combiner == spec::Combiner::ArgMax || combiner == spec::Combiner::ArgMin;
}

/// The type that a stage's accumulator compares or sums.
inline DType accumulated(const spec::Stage &stage) {
  return isArg(stage.combiner) ? stage.body->type : stage.type;
}

/// Steps of an f32 or f64 sum in a row, from which on it is added to a total in f64: rounding
/// errors of a step grow with the number of steps before it.
inline constexpr int64_t blockSteps = 32;

/// Reads that are chosen among, from which on the choice branches.
inline constexpr size_t fewChoices = 4;

class Body {
public:
  Body(const spec::KernelSpec &spec, llvm::Module &module, bool hasHalf, bool hasRounding)
      : spec(spec), module(module), b(module.getContext()), values(b, hasHalf, hasRounding) {}
  virtual ~Body() = default;

protected:
  // Body.cpp: polynomials, conditions, control flow.
  static Frame frameOf(const spec::Stage &stage, Coordinates at, std::vector<Guard> guards = {});
  llvm::Value *emit(const DimExpr &expr);
  llvm::Value *emitAtom(const DimAtom &atom);
  int depthOf(const DimExpr &expr);
  DimExpr bind(llvm::Value *value, const std::string &prefix, DimBounds bounds = {});
  bool isVarying(const DimExpr &expr);
  DimExpr position(const spec::Operand &facts, const Coordinates &at);
  llvm::Value *condition(const Guard &guard);
  void checks(const std::vector<Guard> &guards, llvm::Value *&scalar, llvm::Value *&lanes);
  llvm::Value *address(const Memory &memory, const DimExpr &position);
  /// `step` is 1 if absent.
  void loop(llvm::Value *from, llvm::Value *to, LoopBody body, llvm::Value *step = nullptr);
  void branch(llvm::Value *condition, llvm::function_ref<void()> yes,
              llvm::function_ref<void()> no);
  Coordinates storedAt(const spec::Stage &root, const spec::Operand &facts, const Frame &frame,
                       bool emits);

  // Evaluate.cpp: bodies at a point.
  llvm::Value *evaluate(const spec::ExprPtr &expr, const Frame &frame);
  llvm::Value *evaluateNode(const spec::Expr &expr, const Frame &frame);
  llvm::Value *evaluateRead(const spec::Expr &expr, const Frame &frame);
  llvm::Value *evaluateBranch(const spec::Expr &expr, const Frame &frame);
  std::optional<DimExpr> computed(const spec::Index &index, const DimExpr &extent,
                                  const Frame &frame) const;
  DimExpr coordinate(const spec::Index &index, const DimExpr &extent, const Frame &frame,
                     bool emits);
  llvm::Value *loadNeighbours(const Memory &memory, const Coordinates &at,
                              const std::vector<Guard> &guards, double outside);
  const Coordinates &shapeOf(const spec::Read &read);

  /// The element of a buffer where all guards hold, `outside` elsewhere; nothing is read there.
  virtual llvm::Value *load(const Memory &memory, const Coordinates &at,
                            const std::vector<Guard> &guards, double outside) = 0;

  const spec::KernelSpec &spec;
  llvm::Module &module;
  llvm::IRBuilder<> b;
  Values values;
  DimExpr::BoundsMap bounds; ///< of symbols and loop variables
  std::map<std::string, std::pair<llvm::Value *, int>, std::less<>> env; ///< and binding order
  std::map<std::string, Memory, std::less<>> memories;
  std::map<std::pair<const spec::Expr *, std::string>, llvm::Value *> memo; ///< of one point
  std::map<std::string, llvm::Value *> placedValues; ///< of reducing stages, by the frame's key
  std::set<const spec::Index *> proven;              ///< checked for the whole tile
  int lanes = 1, unique = 0;
  bool mayBranch = true; ///< within a body: no value is shared among points
  std::string message;   ///< what the generator does not do
};

} // namespace kiln::codegen

#endif // KILN_CODEGEN_LLVM_BODY_H
