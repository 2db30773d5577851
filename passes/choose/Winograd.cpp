//===- Winograd.cpp - which convolutions take few products ------------------===//

#include "passes/choose/Winograd.h"
#include "ir/Winograd.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

/// Operations that an element of a transform counts for, and the part of the plain sum's time below
/// which an estimate must be: more is within its error.
static constexpr double perElement = 12, worthIt = 0.9;
/// How often reading the filters counts: they come from a file too, and take room there.
static constexpr double perByte = 1.5;
/// Tiles that a task takes together from which on products of them are worth it.
static constexpr int64_t fewTiles = 4;
/// Part of the peak that products of so few rows reach.
static constexpr double efficiency = 0.85;

/// Whether the kernel is the convolution and what is computed of each element of its result alone.
static bool hasForm(KernelOp kernel, Conv2dOp conv) {
  auto isOnes = [](ArrayRef<int64_t> values) {
    return llvm::all_of(values, [](int64_t value) { return value == 1; });
  };
  SmallVector<DimExpr> w = dimsOf(conv.getWeight().getType()), y = dimsOf(conv.getType());
  bool isShort = w[1] == DimExpr(winogradTaps) && w[2] == DimExpr(winogradTaps) &&
                 isOnes(conv.getStride()) && isOnes(conv.getDilation()) && conv.getGroups() == 1;
  auto isWhole = [](const DimExpr &extent) {
    std::optional<int64_t> known = extent.constantValue();
    return known && *known > 0 && *known % panelWidth == 0;
  };
  if (!isShort || !conv.getChannelsLast() || !isWhole(w[0]) || !isWhole(w[3]) ||
      dtypeOf(conv.getType()) != DType::F32 || !isa<BlockArgument>(conv.getWeight()) ||
      kernel.getNumResults() != 1 || dimsOf(kernel.getResultTypes()[0]) != y)
    return false;
  return llvm::all_of(kernel.getBody().front().without_terminator(), [&](Operation &op) {
    auto fusable = dyn_cast<Fusable>(op);
    FusionRole role = fusable ? fusable.getFusionRole() : FusionRole::Opaque;
    return &op == conv || role == FusionRole::Pointwise || role == FusionRole::Constant ||
           isa<BroadcastToOp>(op);
  });
}

std::optional<WinogradChoice> passes::chooseWinograd(KernelOp kernel, const ImageSize &size,
                                                     const target::Target &facts,
                                                     StringRef wanted) {
  auto conv = dyn_cast_or_null<Conv2dOp>(anchorOf(kernel));
  if (wanted == "off" || !conv || !hasForm(kernel, conv))
    return std::nullopt;
  SmallVector<DimExpr> w = dimsOf(conv.getWeight().getType());
  double columns = *w[0].constantValue(), channels = *w[3].constantValue();
  auto microseconds = [&](double operations, double elements) {
    return operations / (facts.peakF32 * 1e3) + perByte * 4 * elements / (facts.peakMemory * 1e3);
  };
  double filters = columns * channels, taps = winogradTaps * winogradTaps;
  double plain =
      microseconds(2 * taps * filters * size.images * size.height * size.width, taps * filters);
  std::optional<WinogradChoice> best;
  double least = wanted == "auto" ? worthIt * plain : INFINITY;
  for (int64_t tile : {2, 4}) {
    bool isWanted = wanted == "auto" || wanted == (tile == 2 ? "f2" : "f4");
    if (!isWanted || winogradTiles(tile, static_cast<int64_t>(channels)) < fewTiles)
      continue;
    double points = (tile + 2) * (tile + 2);
    double tiles =
        size.images * llvm::divideCeil(size.height, tile) * llvm::divideCeil(size.width, tile);
    double products = 2 * points * tiles * filters / efficiency;
    double time = microseconds(products + perElement * points * tiles * (channels + columns),
                               points * filters);
    if (time >= least)
      continue;
    least = time;
    best = {tile, ""};
    llvm::raw_string_ostream(best->reason)
        << ", tiles of " << tile << " x " << tile
        << llvm::format(" by Winograd's transforms are estimated to take %.2f of the plain sum's "
                        "time on ",
                        time / plain)
        << facts.name.data();
  }
  return best;
}
