//===- Common.cpp - what the op families share ----------------------------===//

#include "ir/ops/Common.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

bool ir::inDomain(DType type, Domain domain) {
  switch (domain) {
  case Domain::Float:
    return kiln::isFloat(type);
  case Domain::Integer:
    return kiln::isInteger(type);
  case Domain::Number:
    return type != DType::Bool;
  case Domain::Bool:
    return type == DType::Bool;
  case Domain::Any:
    return true;
  }
  return false;
}

StringRef ir::domainText(Domain domain) {
  switch (domain) {
  case Domain::Float:
    return "a tensor of floats";
  case Domain::Integer:
    return "a tensor of integers";
  case Domain::Number:
    return "a tensor of numbers";
  case Domain::Bool:
    return "a tensor of bool";
  case Domain::Any:
    return "a tensor";
  }
  return "";
}

LogicalResult ir::requireDomain(MaybeLoc loc, StringRef op, Type type, Domain domain) {
  std::optional<DType> dtype = dtypeOf(type);
  if (dtype && inDomain(*dtype, domain))
    return success();
  return emitOptionalError(loc, "'", op, "' expected ", domainText(domain), ", got ",
                           typeText(type));
}

bool ir::align(DimExpr &extent, const DimExpr &wanted, StringRef subject, AlignExtent require) {
  if (extent == wanted)
    return true;
  bool ok = require(extent, wanted, subject);
  extent = wanted;
  return ok;
}

/// Numbers before names before formulas.
static int simplicity(const DimExpr &extent) {
  return extent.isConstant() ? 2 : extent.asSymbol() ? 1 : 0;
}

void ir::alignToFirst(MutableArrayRef<SmallVector<DimExpr>> shapes, int64_t except,
                      AlignExtent require) {
  if (llvm::any_of(shapes, [&](auto &shape) { return shape.size() != shapes[0].size(); }))
    return;
  for (size_t i = 0; !shapes.empty() && i < shapes[0].size(); ++i) {
    if (static_cast<int64_t>(i) == except)
      continue;
    DimExpr wanted = shapes[0][i];
    for (SmallVector<DimExpr> &shape : shapes)
      if (simplicity(shape[i]) > simplicity(wanted))
        wanted = shape[i];
    for (SmallVector<DimExpr> &shape : shapes)
      if (!align(shape[i], wanted, "extent " + std::to_string(i) + " of an operand", require))
        return;
  }
}

void ir::forEachIndex(ArrayRef<int64_t> shape, function_ref<void(ArrayRef<int64_t>)> body) {
  for (int64_t extent : shape)
    if (extent <= 0)
      return;
  SmallVector<int64_t, 6> index(shape.size(), 0);
  while (true) {
    body(index);
    size_t d = shape.size();
    while (d > 0 && ++index[d - 1] == shape[d - 1])
      index[--d] = 0;
    if (d == 0)
      return;
  }
}

void ir::gatherElements(const Tensor &source, Tensor &result,
                        function_ref<int64_t(ArrayRef<int64_t>)> map) {
  int64_t position = 0;
  forEachIndex(result.shape, [&](ArrayRef<int64_t> index) {
    copyElement(source, map(index), result, position++);
  });
}
