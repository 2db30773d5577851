//===- Choose.cpp - each kernel's generator and template --------------------===//
//
// Needs: kernels and launches (after kiln-fuse or kiln-outline).
// Guarantees: every kernel has `kiln.generator` ("halide" or "llvm") and `kiln.template`, a row of
// ir/target/Templates.def, if one fits; without one the generator is "llvm".
// Reports: a remark a kernel with the choice, its reason and what decides its time; one where the
// form of its weight costs time.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/choose/Forms.h"
#include "passes/choose/Weights.h"
#include "passes/choose/Winograd.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/Format.h"

namespace kiln::passes {
#define GEN_PASS_DEF_CHOOSE
#include "passes/Passes.h.inc"
} // namespace kiln::passes

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

namespace {
/// A template's name (empty: none) and why it was taken.
struct Choice {
  StringRef name;
  std::string reason;
};

/// What a dimension that only a call knows counts for, but those that name a batch.
constexpr int64_t openExtent = 128;

/// The extents' product. A dimension that a call gives counts as 1 where it is (part of) the first
/// of several: most calls have a batch of one; else, a length or a size, as `openExtent`.
int64_t sizeOf(ArrayRef<DimExpr> dims) {
  std::set<std::string> batch;
  if (dims.size() > 1)
    dims.front().collectSymbols(batch);
  return numElements(dims)
      .evaluate([&](std::string_view name) {
        return std::optional<int64_t>(
            dims.size() == 1 || batch.count(std::string(name)) ? 1 : openExtent);
      })
      .value_or(1);
}

/// From how many places of its result on a convolution is worth a weight that is packed at each
/// launch: packing an element takes about as long as two products of it are shorter.
constexpr int64_t placesWorthPacking = 8;

/// From which ratio of two estimates on one is slower; less than that is noise.
constexpr double slower = 1.1;

/// Of images, by its attributes: floats and small integers have each an op.
Choice chooseConvolution(Operation *op, const Launches &launches) {
  SmallVector<DimExpr> w = dimsOf(op->getOperand(1).getType());
  if (w.size() != 4)
    return {"", "no template has such an anchor"};
  if (!op->hasAttr("channels_last"))
    return {"", "the channels are not last"};
  int64_t groups = op->getAttrOfType<IntegerAttr>("groups").getInt();
  if (groups > 1 && w[3] == DimExpr(1) && w[0] == DimExpr(groups))
    return {"depthwise", "each channel is a group"};
  std::string reason;
  if (weightOf(op, launches, reason))
    return {"conv2d", "the weight can be packed"};
  if (!computedWeightOf(op, launches))
    return {"", reason};
  if (sizeOf(ArrayRef(dimsOf(op->getResult(0).getType())).drop_back()) < placesWorthPacking)
    return {"", "the weight is computed, and packing it would take longer than it spares"};
  return {"conv2d", "the weight is computed and packed at each launch"};
}

Choice chooseTemplate(KernelOp kernel, const Launches &launches) {
  Operation *anchor = anchorOf(kernel);
  if (!anchor)
    return {"pointwise", "no op needs more than one element"};
  if (hasFurtherAnchor(kernel))
    return {"", "several ops are computed row by row"};
  switch (cast<Fusable>(anchor).getFusionRole()) {
  case FusionRole::Convolution:
    return chooseConvolution(anchor, launches);
  case FusionRole::Contraction: {
    std::string reason;
    auto sparse = dyn_cast<SparseMatmulOp>(anchor);
    if (sparse && (sparse.getColumns() || sparse.getBlock() % panelWidth != 0))
      return {"", "its blocks are no panels"};
    bool isFlat = dimsOf(anchor->getOperand(1).getType()).size() == 2;
    if (isFlat && weightOf(anchor, launches, reason))
      return {"linear", "the weight can be packed"};
    return {"matmul", isFlat ? reason : "both operands are stacks of matrices"};
  }
  case FusionRole::Window:
    if (isa<InterpolateOp>(anchor))
      return {"", "positions are computed"};
    if (!anchor->hasAttr("channels_last"))
      return {"", "the channels are not last"};
    return {"pool", "the channels are last"};
  case FusionRole::RowWise:
    return {"rowwise", "whole rows are reduced"};
  case FusionRole::Procedure:
    return {"", "a procedure has code of its own"};
  default:
    return {"", "no template has such an anchor"};
  }
}

/// What decides the time of the kernel's code.
target::KernelShape shapeOf(KernelOp kernel, StringRef templateName) {
  target::KernelShape shape{std::string_view(templateName), 1, 1, 1, 1, 1};
  Operation *anchor = anchorOf(kernel);
  SmallVector<DimExpr> result =
      dimsOf(anchor ? anchor->getResult(0).getType() : kernel.getResultTypes()[0]);
  if (!result.empty()) {
    shape.columns = sizeOf(result.back());
    shape.rows = sizeOf(ArrayRef(result).drop_back());
  }
  auto window = [&](ArrayRef<int64_t> strides, int64_t taps) {
    shape.taps = taps;
    shape.stride = std::max(strides[0], strides[1]);
  };
  if (isa_and_nonnull<Conv2dOp, QConv2dOp>(anchor)) {
    SmallVector<DimExpr> weight = dimsOf(anchor->getOperand(1).getType());
    shape.depth = sizeOf(ArrayRef(weight).drop_front());
    window(anchor->getAttrOfType<DenseI64ArrayAttr>("stride"), sizeOf({weight[1], weight[2]}));
  } else if (auto sparse = dyn_cast_or_null<SparseMatmulOp>(anchor)) {
    shape.depth = sizeOf(dimsOf(sparse.getWeight().getType()).back());
  } else if (isa_and_nonnull<MatmulOp, QMatmulOp>(anchor)) {
    shape.depth = sizeOf(dimsOf(anchor->getOperand(0).getType()).back());
  } else if (auto pool = dyn_cast_or_null<MaxPool2dOp>(anchor)) {
    window(pool.getStride(), pool.getKernelSize()[0] * pool.getKernelSize()[1]);
  } else if (auto pool = dyn_cast_or_null<AvgPool2dOp>(anchor)) {
    window(pool.getStride(), pool.getKernelSize()[0] * pool.getKernelSize()[1]);
  } else if (anchor) { // rows are reduced: what goes in counts
    shape.depth = sizeOf(dimsOf(anchor->getOperand(0).getType()));
  }
  return shape;
}

struct Choose : passes::impl::ChooseBase<Choose> {
  using ChooseBase::ChooseBase;

  /// Who generates a kernel that a template fits; adds the reason.
  StringRef generatorOf(const target::KernelShape &shape, Operation *anchor, std::string &reason) {
    if (generator != "auto")
      return generator == "llvm" ? "llvm" : "halide";
    auto widened = anchor && anchor->getNumOperands() > 1
                       ? anchor->getOperand(1).getDefiningOp<DequantizeOp>()
                       : DequantizeOp();
    if (widened && widened.getBits() < 8) {
      reason += ", its weight is stored in parts of bytes, which was not measured";
      return "llvm";
    }
    const target::Target *facts = target::find(std::string_view(target));
    std::optional<double> ratio = facts ? target::halideRatio(facts->name, shape) : std::nullopt;
    if (!ratio) {
      reason += ", nothing like it was measured";
      return "llvm";
    }
    llvm::raw_string_ostream(reason)
        << ", Halide's code takes " << llvm::format("%.2f", *ratio) << " of LLVM's time";
    return *ratio < 0.97 ? "halide" : "llvm"; // less than that is noise
  }

  /// Where fewer bits of a weight are estimated to save memory alone.
  void reportForm(KernelOp kernel, const target::KernelShape &shape, const Launches &launches) {
    Operation *anchor = anchorOf(kernel);
    const target::Target *facts = target::find(std::string_view(target));
    if (!anchor || !facts)
      return;
    std::optional<FormEstimate> form = estimateForm(anchor, shape, *facts, launches);
    if (!form || form->time <= slower * form->timeF32)
      return;
    std::string text;
    llvm::raw_string_ostream(text)
        << "'" << kernel.getName() << "': its weight in " << form->form << " is estimated to take "
        << llvm::format("%.2f of f32's time on %s, %.3g us for %.3g, and %.3g MB for %.3g",
                        form->time / form->timeF32, facts->name.data(), form->time, form->timeF32,
                        form->bytes * 1e-6, form->bytesF32 * 1e-6)
        << " (rows " << shape.rows << ", one thread)";
    remark::missed(kernel.getLoc(), remark::RemarkOpts::name("form").category("choose")) << text;
  }

  /// The tiles by which a convolution of short filters that are known takes few products.
  std::optional<WinogradChoice> winogradOf(KernelOp kernel, StringRef name,
                                           const Launches &launches) {
    std::string reason;
    const target::Target *facts = target::find(std::string_view(target));
    if (name != "conv2d" || !facts || !weightOf(anchorOf(kernel), launches, reason))
      return std::nullopt;
    SmallVector<DimExpr> y = dimsOf(anchorOf(kernel)->getResult(0).getType());
    int64_t images = sizeOf(y[0]), rows = sizeOf({y[0], y[1]}), columns = sizeOf({y[0], y[2]});
    images = std::max<int64_t>(images, 1);
    return chooseWinograd(kernel, {images, rows / images, columns / images}, *facts, fastConv);
  }

  void runOnOperation() override {
    Launches launches = launchesOf(getOperation());
    Builder builder(&getContext());
    for (auto kernel : getOperation().getOps<KernelOp>()) {
      Choice choice = chooseTemplate(kernel, launches);
      if (!choice.name.empty())
        kernel->setAttr("kiln.template", builder.getStringAttr(choice.name));
      target::KernelShape shape = shapeOf(kernel, choice.name);
      Operation *anchor = anchorOf(kernel);
      bool isOfBytes = anchor && groupOf(anchor) > 1;
      if (isOfBytes)
        choice.reason += ", products of bytes are summed by groups";
      bool isSparse = isa_and_nonnull<SparseMatmulOp>(anchor);
      if (isSparse && !choice.name.empty())
        choice.reason += ", inputs are read at positions";
      std::optional<WinogradChoice> tiles = winogradOf(kernel, choice.name, launches);
      if (tiles) {
        choice.reason += tiles->reason;
        kernel->setAttr("kiln.tile", builder.getDictionaryAttr(builder.getNamedAttr(
                                         "winograd", builder.getI64IntegerAttr(tiles->tile))));
      }
      StringRef chosen = choice.name.empty() || isOfBytes || isSparse || tiles
                             ? "llvm"
                             : generatorOf(shape, anchor, choice.reason);
      kernel->setAttr("kiln.generator", builder.getStringAttr(chosen));
      std::string text =
          ("'" + kernel.getName() + "': " +
           (choice.name.empty() ? "no template, "
                                : "template '" + choice.name + "' of " + chosen + ", ") +
           choice.reason + " (rows " + Twine(shape.rows) + ", columns " + Twine(shape.columns) +
           ", depth " + Twine(shape.depth) + ", taps " + Twine(shape.taps) + ", stride " +
           Twine(shape.stride) + ")")
              .str();
      auto note = remark::RemarkOpts::name("template").category("choose");
      (choice.name.empty() ? remark::missed(kernel.getLoc(), note)
                           : remark::passed(kernel.getLoc(), note))
          << text;
      if (chosen == "llvm")
        reportForm(kernel, shape, launches);
    }
  }
};
} // namespace
