//===- Structure.cpp - weights, constants, kernels ------------------------===//

#include "ir/ops/Common.h"

#include "mlir/Interfaces/FunctionImplementation.h"

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

//===----------------------------------------------------------------------===//
// constant
//===----------------------------------------------------------------------===//

LogicalResult ConstantOp::verify() {
  int64_t bytes = getType().getNumElements() * byteSize(*dtypeOf(getType()));
  if (bytes > 4096) // constant-c1
    return emitOpError("expected at most 4096 bytes, got ") << bytes;
  return success();
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

KILN_EVALUATE(ConstantOp) {
  auto elements = dyn_cast<DenseElementsAttr>(getValue());
  if (!elements)
    return emitOpError("expected dense elements");
  int64_t i = 0;
  Tensor &y = results[0];
  if (y.isFloat()) {
    for (APFloat v : elements.getValues<APFloat>()) {
      bool lost;
      v.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
      y.floats[i++] = v.convertToDouble();
    }
    return success();
  }
  for (APInt v : elements.getValues<APInt>())
    y.ints[i++] = y.type == DType::U8 || y.type == DType::Bool
                      ? static_cast<int64_t>(v.getZExtValue())
                      : v.getSExtValue();
  return success();
}

//===----------------------------------------------------------------------===//
// weight, get, pack
//===----------------------------------------------------------------------===//

LogicalResult WeightOp::verify() {
  if (!cast<RankedTensorType>(getType()).hasStaticShape()) // weight-c1
    return emitOpError("expected constant extents, got ") << typeText(getType());
  return success();
}

LogicalResult GetOp::verifySymbolUses(SymbolTableCollection &tables) {
  auto weight = tables.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight || weight.getType() != getType()) // get-c1
    return emitOpError("expected '")
           << getWeight() << "' to be a weight of type " << typeText(getType());
  return success();
}

LogicalResult PackOp::verify() {
  auto from = cast<RankedTensorType>(getWeight().getType()), to = cast<RankedTensorType>(getType());
  if (!from.hasStaticShape() || from.getRank() < 2) // pack-c1
    return emitOpError("expected constant extents in at least two dimensions, got ")
           << typeText(from);
  SmallVector<int64_t> shape(from.getShape());
  shape[0] = (shape[0] + 15) / 16;
  shape.push_back(16);
  if (to.getShape() != ArrayRef<int64_t>(shape) || to.getElementType() != from.getElementType())
    return emitOpError("expected panels of 16, got ") << typeText(to) << " for " << typeText(from);
  return success();
}

KILN_EVALUATE(PackOp) {
  const Tensor &w = *operands[0];
  int64_t columns = w.shape[0], depth = columns ? w.numElements() / columns : 0;
  for (int64_t n = 0; n < columns; ++n)
    for (int64_t k = 0; k < depth; ++k)
      copyElement(w, n * depth + k, results[0], (n / 16 * depth + k) * 16 + n % 16);
  return success();
}

//===----------------------------------------------------------------------===//
// kernel, launch
//===----------------------------------------------------------------------===//

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  auto build = [](Builder &b, ArrayRef<Type> arguments, ArrayRef<Type> results,
                  function_interface_impl::VariadicFlag,
                  std::string &) { return b.getFunctionType(arguments, results); };
  return function_interface_impl::parseFunctionOp(
      parser, result, /*allowVariadic=*/false, getFunctionTypeAttrName(result.name), build,
      getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void KernelOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(printer, *this, /*isVariadic=*/false,
                                           getFunctionTypeAttrName(), getArgAttrsAttrName(),
                                           getResAttrsAttrName());
}

LogicalResult KernelOp::verify() {
  if (getBody().empty())
    return emitOpError("expected a body");
  auto end = dyn_cast<ReturnOp>(getBody().front().getTerminator());
  if (!end || end.getOperandTypes() != TypeRange(getResultTypes())) // kernel-c1
    return emitOpError("expected kiln.return of the results' types");
  return success();
}

std::optional<unsigned> KernelOp::getOverwritten() {
  auto op = dyn_cast<Overwriting>(getBody().front().front());
  return op && op->getNextNode() == getBody().front().getTerminator()
             ? std::optional(op.getOverwritten())
             : std::nullopt;
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &tables) {
  auto kernel = tables.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel || TypeRange(kernel.getArgumentTypes()) != getOperandTypes() ||
      TypeRange(kernel.getResultTypes()) != getResultTypes()) // launch-c1
    return emitOpError("expected '")
           << getKernel() << "' to be a kernel of these operands and results";
  return success();
}
