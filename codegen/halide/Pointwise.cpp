//===- Pointwise.cpp - one loop nest without a reduction ------------------===//
//
// Loads and stores of the tail are guarded, never shifted inwards, so that the output may be the
// memory of an input.
//
//===----------------------------------------------------------------------===//

#include "codegen/halide/Build.h"

using namespace kiln;
using namespace kiln::halide;
using namespace kiln::spec;
using Halide::Var;

/// Points below which a loop nest runs in one task.
static constexpr int64_t serialPoints = 1 << 15;

static int64_t pointsOf(const Stage &stage) {
  int64_t product = 1;
  for (const DimExpr &extent : stage.domain)
    product = std::min<int64_t>(product, int64_t(1) << 32) *
              std::min<int64_t>(extent.constantValue().value_or(serialPoints), int64_t(1) << 30);
  return product;
}

/// Vectorises the innermost dimension and shares out the outermost.
static void schedulePointwise(Builder &builder, Halide::Func func, const Stage &stage) {
  std::vector<Var> vars = func.args();
  if (vars.empty())
    return;
  int lanes = builder.target.lanesF32;
  std::optional<int64_t> inner = stage.domain.back().constantValue();
  if (inner && *inner < lanes)
    func.vectorize(vars[0], static_cast<int>(std::max<int64_t>(*inner, 1)),
                   Halide::TailStrategy::GuardWithIf);
  else
    func.vectorize(vars[0], lanes, Halide::TailStrategy::GuardWithIf);
  if (pointsOf(stage) < serialPoints || vars.size() == 1)
    return;
  Var fused = vars[1];
  for (size_t i = 2; i < vars.size(); ++i) {
    Var next("f" + std::to_string(i));
    func.fuse(fused, vars[i], next);
    fused = next;
  }
  int64_t rows = std::max<int64_t>(pointsOf(stage) / std::max<int64_t>(inner.value_or(256), 1), 1);
  int block = static_cast<int>(std::clamp<int64_t>(rows / 64, 1, 4096));
  Var outer("o"), within("w");
  func.split(fused, outer, within, block, Halide::TailStrategy::GuardWithIf).parallel(outer);
}

void halide::definePointwise(Builder &builder, const Stage &stage) {
  builder.defineStage(stage);
  if (!builder.writesOperand(stage))
    return;
  Halide::Func func = builder.function(stage.name);
  func.compute_root();
  builder.output(func, stage);
  schedulePointwise(builder, func, stage);
}

void halide::buildPointwise(Builder &builder) {
  for (const Stage &stage : builder.spec.stages)
    definePointwise(builder, stage);
}
