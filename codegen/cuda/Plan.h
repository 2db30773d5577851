//===- Plan.h - which grids compute a kernel -------------------*- C++ -*-===//
//
// Data only: the launches of a kernel in order, who computes a point in each, and the device memory
// that intermediate stages need. In this, the simple form, one stored stage is one grid.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_CUDA_PLAN_H
#define KILN_CODEGEN_CUDA_PLAN_H

#include "codegen/spec/KernelSpec.h"

namespace kiln::cuda {

/// Who computes one point of a stage: the reductions of a point are shared by its team.
enum class Team : uint8_t { Thread, Warp, Block };

inline constexpr int warpThreads = 32, blockThreads = 256;

/// The threads of a team.
int threadsOf(Team team);

/// One launch. Its teams go through the points in strides of the whole grid.
struct Grid {
  const spec::Stage *stage = nullptr; ///< what it stores, in an operand or in scratch memory
  /// Reducing stages computed on the way, each at the point of `stage` that is being computed.
  std::vector<const spec::Stage *> reduced;
  Team team = Team::Thread;
  DimExpr points; ///< of the stage's domain
  DimExpr blocks; ///< of `blockThreads` each; 0: nothing to launch
};

/// Device memory for an intermediate stage: dense, row-major.
struct Scratch {
  spec::Operand facts; ///< named like the stage
  DimExpr bytes;
};

struct Plan {
  std::vector<Grid> grids; ///< each may read what the ones before it stored
  std::vector<Scratch> scratch;
  std::vector<const spec::Stage *> inlined; ///< pointwise stages computed where they are read
};

/// The plan points into the spec, which must be well formed.
Plan makePlan(const spec::KernelSpec &spec);
/// Text for tests and for people.
std::string print(const Plan &plan);

} // namespace kiln::cuda

#endif // KILN_CODEGEN_CUDA_PLAN_H
