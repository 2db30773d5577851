//===- Forms.cpp - how long products with weights in few bits take ----------===//
//
// A weight in fewer bits is less to read and more to compute with: it is faster where memory binds,
// and slower where the processor does, with many rows or a weight that caches hold.
//
//===----------------------------------------------------------------------===//

#include "passes/choose/Forms.h"

#include <algorithm>
#include <iterator>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

namespace {
/// Picoseconds that a number of the weight takes in a product with so many rows.
struct Measured {
  int lanes; ///< of the target's vectors of f32
  StringRef form;
  double times[5];
};
} // namespace

static constexpr double measuredRows[] = {1, 4, 8, 16, 32};

// One thread of a shared AMD EPYC (Zen 4), LLVM's code for zen4 and x86-64-v3, a weight of 1024 x
// 2048 from the last cache, groups of 32, best of calls in turns.
static constexpr Measured table[] = {
    {8, "f32", {56, 74, 148, 280, 598}},    {8, "16 bits", {46, 78, 156, 282, 551}},
    {8, "int8", {46, 80, 159, 290, 645}},   {8, "int8 in groups", {49, 93, 192, 324, 606}},
    {8, "int4", {56, 115, 200, 333, 607}},  {8, "int3", {62, 130, 217, 350, 625}},
    {16, "f32", {41, 69, 138, 276, 561}},   {16, "16 bits", {35, 87, 150, 275, 550}},
    {16, "int8", {35, 86, 148, 272, 543}},  {16, "int8 in groups", {45, 96, 165, 319, 595}},
    {16, "int4", {48, 106, 177, 321, 597}}, {16, "int3", {56, 111, 192, 333, 608}},
};

static const Measured *find(int lanes, StringRef form) {
  const Measured *found = llvm::find_if(
      table, [&](const Measured &row) { return row.lanes == lanes && row.form == form; });
  return found == std::end(table) ? nullptr : found;
}

/// In between the measured rows along lines. Beyond the last a weight is widened once for all rows,
/// and what that takes beside f32 stays.
static double timeOfNumber(const Measured &form, const Measured &f32, double rows) {
  constexpr size_t last = std::size(measuredRows) - 1;
  if (rows >= measuredRows[last])
    return f32.times[last] * rows / measuredRows[last] + form.times[last] - f32.times[last];
  size_t at = 0;
  while (rows >= measuredRows[at + 1])
    ++at;
  double part = (rows - measuredRows[at]) / (measuredRows[at + 1] - measuredRows[at]);
  return form.times[at] + std::max(part, 0.0) * (form.times[at + 1] - form.times[at]);
}

namespace {
/// How a kernel's weight is stored.
struct Form {
  StringRef name;
  double bits; ///< of a number, with its part of the scales
  BlockArgument numbers;
};
} // namespace

static std::optional<Form> formOf(Operation *anchor) {
  Value weight = anchor->getOperand(1);
  if (!isa<MatmulOp>(anchor) || dimsOf(weight.getType()).size() != 2 ||
      dtypeOf(weight.getType()) != DType::F32)
    return std::nullopt;
  Form form;
  if (auto cast = weight.getDefiningOp<CastOp>()) {
    std::optional<DType> from = dtypeOf(cast.getX().getType());
    form.name = from == DType::BF16 || from == DType::F16 ? "16 bits" : "";
    form.bits = 16;
    form.numbers = dyn_cast<BlockArgument>(cast.getX());
  } else if (auto op = weight.getDefiningOp<DequantizeOp>()) {
    int64_t bits = op.getBits(), group = op.getGroup();
    form.name = bits == 3 ? "int3" : bits == 4 ? "int4" : group ? "int8 in groups" : "int8";
    form.bits = static_cast<double>(bits);
    auto widened = op.getScale().getDefiningOp<CastOp>(); // of scales in f16
    Value scale = widened ? widened.getX() : op.getScale();
    int64_t bytes = byteSize(*dtypeOf(scale.getType())) + (op.getZeroPoint() ? 1 : 0);
    if (group)
      form.bits += 8.0 * static_cast<double>(bytes) / static_cast<double>(group);
    form.numbers = dyn_cast<BlockArgument>(op.getX());
  }
  return !form.name.empty() && form.numbers ? std::optional(form) : std::nullopt;
}

std::optional<FormEstimate> passes::estimateForm(Operation *anchor,
                                                 const target::KernelShape &shape,
                                                 const target::Target &facts,
                                                 const Launches &launches) {
  std::optional<Form> form = formOf(anchor);
  auto found = launches.find(anchor->getParentOfType<KernelOp>().getSymNameAttr());
  if (!form || found == launches.end())
    return std::nullopt;
  LaunchOp launch = found->second.front();
  if (!launch.getOperands()[form->numbers.getArgNumber()].getDefiningOp<GetOp>())
    return std::nullopt;
  double rows = static_cast<double>(shape.rows);
  const Measured *widened = find(facts.lanesF32, form->name), *f32 = find(facts.lanesF32, "f32");
  if (!widened || !f32)
    return std::nullopt;
  double numbers = static_cast<double>(shape.columns * shape.depth);
  FormEstimate estimate;
  estimate.form = form->name;
  estimate.bytes = numbers * form->bits / 8;
  estimate.bytesF32 = numbers * 4;
  // The other weights are taken to be stored alike.
  double all = static_cast<double>(weightBytesAround(launch));
  auto microseconds = [&](double bytes, double picoseconds) {
    bool stays = all * bytes / estimate.bytes <= static_cast<double>(residentBytes);
    double cached = numbers * picoseconds * 1e-6;
    return stays ? cached : std::max(cached, bytes / (facts.peakMemory * 1e3));
  };
  estimate.time = microseconds(estimate.bytes, timeOfNumber(*widened, *f32, rows));
  estimate.timeF32 = microseconds(estimate.bytesF32, timeOfNumber(*f32, *f32, rows));
  return estimate;
}
