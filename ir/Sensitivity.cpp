//===- Sensitivity.cpp - how far errors of single ops carry ---------------===//

#include "ir/Sensitivity.h"

#include "ir/Interpreter.h"
#include "ir/KilnOps.h"
#include "ir/Tolerance.h"

#include <cmath>
#include <random>

using namespace kiln;
using namespace kiln::ir;

/// Errors of several ops may add up to more than those that were tried.
static constexpr double margin = 3;

static constexpr double infinity = std::numeric_limits<double>::infinity();

/// The terms that an op adds up may be larger than their sum.
static double scaleOf(FusionRole role, llvm::ArrayRef<const Tensor *> operands,
                      const Tensor &result) {
  double scale = largestFinite(result);
  bool multiplies = role == FusionRole::Contraction || role == FusionRole::Convolution;
  if (multiplies && operands.size() > 1)
    return std::max(scale, largestFinite(*operands[0]) * largestFinite(*operands[1]));
  for (const Tensor *operand : operands)
    scale = std::max(scale, largestFinite(*operand));
  return scale;
}

/// Moves each element by a part of the op's tolerance.
static void perturb(Fusable op, llvm::ArrayRef<const Tensor *> operands, Tensor &result,
                    bool toZero, llvm::function_ref<double()> part) {
  FusionRole role = op.getFusionRole();
  if (!result.isFloat() || role == FusionRole::Constant)
    return;
  bool sums = toleranceOf(role).sums || cancels(op->getName().stripDialect());
  double scale = sums ? scaleOf(role, operands, result) : 0;
  for (double &value : result.floats)
    if (std::isfinite(value)) {
      double step = errorOf(role, result.type, std::max(std::fabs(value), scale));
      double moved = roundTo(result.type, value + part() * step);
      value = toZero && std::fabs(value) <= step ? 0 : moved;
    }
}

static double distance(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b)))
    return 0;
  double apart = std::fabs(a - b);
  return std::isnan(apart) ? infinity : apart;
}

namespace {
/// Comparisons of floats, in the order in which they are computed. Errors that are tried hardly
/// ever make two numbers equal; whether they are is open where the errors move their difference by
/// as much as it is.
class Comparisons {
public:
  static bool isOne(mlir::Operation *op) {
    return isa<EqOp, NeOp, LtOp, LeOp, GtOp, GeOp>(op) &&
           isFloat(*dtypeOf(op->getOperand(0).getType()));
  }
  void note(llvm::ArrayRef<const Tensor *> operands) { exact.push_back(differences(operands)); }
  void restart() { next = 0; }
  void doubt(llvm::ArrayRef<const Tensor *> operands, Tensor &result, bool answer) {
    if (next == exact.size())
      return; // a loop with other rounds
    const std::vector<double> &before = exact[next++];
    std::vector<double> now = differences(operands);
    for (size_t i = 0; now.size() == before.size() && i < now.size(); ++i)
      if (double moved = std::fabs(now[i] - before[i]);
          moved > 0 && std::fabs(before[i]) <= margin * moved)
        result.ints[i] = answer;
  }

private:
  static std::vector<double> differences(llvm::ArrayRef<const Tensor *> operands) {
    std::vector<double> all(operands[0]->floats);
    for (size_t i = 0; i < all.size(); ++i)
      all[i] -= operands[1]->floats[i];
    return all;
  }
  std::vector<std::vector<double>> exact;
  size_t next = 0;
};
} // namespace

std::vector<Allowed> ir::surelyAllowedErrors(mlir::FunctionOpInterface function,
                                             llvm::ArrayRef<Tensor> arguments,
                                             llvm::ArrayRef<Tensor> expected) {
  ErrorStates states(numSureRuns);
  return allowedErrors(function, arguments, expected, states);
}

/// Of the runs the first moves everything up by all of its tolerance, the second down, the third to
/// zero where that is within it, and the others by random parts: errors of one size could cancel
/// exactly in every run.
std::vector<Allowed> ir::allowedErrors(mlir::FunctionOpInterface function,
                                       llvm::ArrayRef<Tensor> arguments,
                                       llvm::ArrayRef<Tensor> expected, ErrorStates &states) {
  std::vector<Allowed> allowed;
  for (const Tensor &tensor : expected)
    allowed.emplace_back(tensor.numElements(), 0);
  Comparisons comparisons;
  States before = states[0];
  bool compares = function
                      ->walk([](mlir::Operation *op) {
                        return Comparisons::isOne(op) ? mlir::WalkResult::interrupt()
                                                      : mlir::WalkResult::advance();
                      })
                      .wasInterrupted();
  if (compares)
    (void)interpret(
        function, arguments,
        [&](mlir::Operation *op, llvm::ArrayRef<const Tensor *> operands,
            llvm::MutableArrayRef<Tensor>) {
          if (Comparisons::isOne(op))
            comparisons.note(operands);
        },
        &before);
  for (unsigned run = 0; run < states.size(); ++run) {
    std::mt19937_64 random(run);
    std::uniform_real_distribution<double> parts(-1, 1);
    comparisons.restart();
    auto part = [&] { return run == 0 ? 1 : run == 1 ? -1 : run == 2 ? 0 : parts(random); };
    auto moved = interpret(
        function, arguments,
        [&](mlir::Operation *op, llvm::ArrayRef<const Tensor *> operands,
            llvm::MutableArrayRef<Tensor> results) {
          if (auto fusable = dyn_cast<Fusable>(op))
            for (Tensor &result : results)
              perturb(fusable, operands, result, run == 2, part);
          if (Comparisons::isOne(op))
            // One answer for all, then any for each: those of a loop's rounds follow from another.
            comparisons.doubt(operands, results[0], run < 2 ? run == 0 : random() % 2 == 0);
        },
        &states[run]);
    for (size_t r = 0; r < expected.size(); ++r)
      for (size_t i = 0; i < allowed[r].size(); ++i) {
        double apart = failed(moved) ? infinity
                       : expected[r].isFloat()
                           ? margin * distance(expected[r].floats[i], (*moved)[r].floats[i])
                       : expected[r].ints[i] == (*moved)[r].ints[i] ? 0
                                                                    : infinity;
        allowed[r][i] = std::max(allowed[r][i], apart);
      }
  }
  return allowed;
}

bool ir::isWithin(const Tensor &expected, const Tensor &got, int64_t element,
                  const Allowed &allowed) {
  if (allowed[element] == infinity)
    return true;
  return expected.isFloat()
             ? distance(expected.floats[element], got.floats[element]) <= allowed[element]
             : expected.ints[element] == got.ints[element];
}
