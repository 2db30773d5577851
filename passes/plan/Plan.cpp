//===- Plan.cpp - places every value in one arena -------------------------===//
//
// Needs: functions of kiln.get, states, kiln.reshape, kiln.launch, loops, branches and func.return
// (after kiln-fuse or kiln-outline).
// Guarantees: every launch carries `offsets`, one a result: its first byte in the arena, or -1 - r
// where it is written straight into the function's result r; loops and branches carry those of
// their results. Values whose lives overlap do not share bytes; every offset is a multiple of 64.
// The function carries `kiln.arena`, the arena's size. Reports: a remark a function with the
// arena's size and the sum of what was placed in it; each slice that is written in place, or why
// it is not.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/plan/Places.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace kiln::passes {
#define GEN_PASS_DEF_PLAN
#include "passes/Passes.h.inc"
} // namespace kiln::passes

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

namespace {

/// Whether a is at least b for all dimensions in their bounds.
bool atLeast(const DimExpr &a, const DimExpr &b, const DimExpr::BoundsMap &bounds) {
  std::optional<int64_t> low = (a - b).bounds(bounds).lower;
  return low && *low >= 0;
}

bool overlap(const Lifetime &a, const Lifetime &b) { return a.begin <= b.end && b.begin <= a.end; }

/// The part of a size that all sizes have in common: a monomial times a number. Sizes like
/// 4*N*784 and 4*N*10 are placed by their numbers; offsets are multiples of N.
std::optional<DimExpr> commonFactor(ArrayRef<Lifetime> lives) {
  std::optional<DimExpr::Monomial> factor;
  for (const Lifetime &life : lives) {
    if (life.size.monomials().empty())
      continue;
    if (life.size.monomials().size() != 1)
      return std::nullopt;
    const DimExpr::Monomial &monomial = life.size.monomials().begin()->first;
    if (factor && *factor != monomial)
      return std::nullopt;
    factor = monomial;
  }
  DimExpr result(1);
  for (const DimAtom &atom : factor.value_or(DimExpr::Monomial()))
    result = result * DimExpr::ofAtom(atom);
  return result;
}

int64_t roundUp(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/// Largest first, each at the lowest place where it fits beside those it overlaps in time.
DimExpr placeByNumbers(MutableArrayRef<Lifetime> lives, const DimExpr &factor) {
  std::vector<int64_t> size(lives.size()), offset(lives.size(), -1);
  std::vector<size_t> order(lives.size());
  for (size_t i = 0; i < lives.size(); ++i) {
    order[i] = i;
    size[i] =
        lives[i].size.monomials().empty() ? 0 : roundUp(lives[i].size.monomials().begin()->second);
  }
  llvm::stable_sort(order, [&](size_t a, size_t b) { return size[a] > size[b]; });
  int64_t total = 0;
  for (size_t i : order) {
    std::vector<std::pair<int64_t, int64_t>> taken;
    for (size_t j = 0; j < lives.size(); ++j)
      if (offset[j] >= 0 && overlap(lives[i], lives[j]))
        taken.push_back({offset[j], offset[j] + size[j]});
    llvm::sort(taken);
    int64_t at = 0;
    for (auto [begin, end] : taken)
      if (begin < at + size[i])
        at = std::max(at, end);
    offset[i] = at;
    lives[i].offset = DimExpr(at) * factor;
    total = std::max(total, at + size[i]);
  }
  return DimExpr(total) * factor;
}

/// For sizes that cannot be compared as numbers: each value takes the first free slot that is
/// provably large enough, or a new one behind all others.
DimExpr placeInSlots(MutableArrayRef<Lifetime> lives, const DimExpr::BoundsMap &bounds) {
  struct Slot {
    DimExpr offset, size;
    SmallVector<size_t> users;
  };
  SmallVector<Slot> slots;
  DimExpr total(0);
  for (size_t i = 0; i < lives.size(); ++i) {
    DimExpr size = DimExpr::floorDiv(lives[i].size + DimExpr(63), DimExpr(64)) * DimExpr(64);
    auto free = llvm::find_if(slots, [&](const Slot &slot) {
      return atLeast(slot.size, size, bounds) &&
             llvm::none_of(slot.users, [&](size_t j) { return overlap(lives[i], lives[j]); });
    });
    if (free == slots.end()) {
      slots.push_back({total, size, {}});
      total = total + size;
      free = std::prev(slots.end());
    }
    free->users.push_back(i);
    lives[i].offset = free->offset;
  }
  return total;
}

struct Plan : passes::impl::PlanBase<Plan> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (failed(checkBound(function)))
        return signalPassFailure();
      plan(function);
    }
  }

  void plan(func::FuncOp function);
};

void Plan::plan(func::FuncOp function) {
  Places places(function);
  SmallVector<Lifetime> lives = places.lifetimes();
  std::optional<DimExpr> factor = commonFactor(lives);
  DimExpr total =
      factor ? placeByNumbers(lives, *factor) : placeInSlots(lives, enclosingBounds(function));
  places.write(lives);
  DimExpr sum(0);
  for (Lifetime &life : lives)
    sum = sum + life.size;
  function->setAttr("kiln.arena", DimsAttr::get(&getContext(), total));
  function.emitRemark() << "arena of '" << function.getName() << "': " << total.str()
                        << " bytes for " << sum.str() << " bytes of values";
}

} // namespace
