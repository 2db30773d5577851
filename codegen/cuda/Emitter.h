//===- Emitter.h - one kernel as grids of threads --------------*- C++ -*-===//
//
// Each grid of a plan becomes one entry point: pointers of the operands and of scratch memory in
// global memory, then the symbols.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_CUDA_EMITTER_H
#define KILN_CODEGEN_CUDA_EMITTER_H

#include "codegen/cuda/Plan.h"
#include "codegen/llvm/Body.h"

namespace kiln::cuda {

/// LLVM's numbers of NVPTX's address spaces.
inline constexpr unsigned globalSpace = 1, sharedSpace = 3;

class Emitter : codegen::Body {
public:
  Emitter(const spec::KernelSpec &spec, const Plan &plan, llvm::Module &module);
  /// Emits the entry point of a grid of the plan. Nothing on success, else what is not supported.
  std::string emitGrid(const Grid &grid, llvm::StringRef name);

private:
  /// An accumulator in registers.
  struct Kept {
    llvm::AllocaInst *value = nullptr, *position = nullptr;
    llvm::AllocaInst *total = nullptr, *steps = nullptr; ///< of a long sum, in f64
  };

  // Emitter.cpp: the grid and its memory.
  void start(const Grid &grid, llvm::StringRef name);
  codegen::Coordinates decompose(llvm::Value *flat, const std::vector<DimExpr> &extents,
                                 const std::string &prefix);
  void computePoint(const Grid &grid, codegen::Coordinates at);
  void store(const Grid &grid, const codegen::Frame &frame, llvm::Value *value);
  llvm::Value *load(const codegen::Memory &memory, const codegen::Coordinates &at,
                    const std::vector<codegen::Guard> &guards, double outside) override;
  llvm::Value *special(llvm::Intrinsic::ID id);
  DimBounds indexBounds(const DimExpr &extent) const;

  // Reduce.cpp: reductions of one point by its team.
  llvm::Value *reduce(const spec::Stage &stage, codegen::Coordinates at);
  Kept allocate(const spec::Stage &stage);
  bool isBlocked(const spec::Stage &stage) const;
  void reduceLevel(const spec::Stage &stage, codegen::Coordinates &at, const Kept &kept);
  void reduceFlat(const spec::Stage &stage, const codegen::Coordinates &at, const Kept &kept);
  void step(const spec::Stage &stage, const codegen::Coordinates &at, const Kept &kept);
  void flush(const Kept &kept);
  codegen::Accumulated shareWarp(spec::Combiner combiner, DType type, codegen::Accumulated mine,
                                 int width);
  codegen::Accumulated shareBlock(spec::Combiner combiner, DType type, codegen::Accumulated mine);
  llvm::Value *shuffle(llvm::Value *value, int distance);
  llvm::GlobalVariable *sharedRow(llvm::Type *type, llvm::StringRef purpose);

  const Plan &plan;
  Team team = Team::Thread;
  llvm::Function *function = nullptr;
  llvm::Value *thread = nullptr; ///< in the block
  llvm::Value *member = nullptr; ///< in the team; null in a team of one
};

} // namespace kiln::cuda

#endif // KILN_CODEGEN_CUDA_EMITTER_H
