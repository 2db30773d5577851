//===- HalideShim.cpp - calling kernels that Halide generated -------------===//
//
// Halide's functions take buffer descriptors with 32-bit extents. The shim builds them on its stack
// from the kernel ABI's pointers and dimensions; the layouts below are those of Halide 21.
//
//===----------------------------------------------------------------------===//
#include "codegen/host/Formula.h"
#include "codegen/host/Host.h"
#include "codegen/spec/KernelSpec.h"

#include "llvm/IR/Module.h"

using namespace llvm;

namespace kiln::host {

namespace {
/// One dimension of a descriptor; the minimum is always 0.
struct HalideDim {
  DimExpr extent, stride;
};
} // namespace

/// Dimensions innermost first, as Halide counts them.
static std::vector<HalideDim> halideDims(const spec::Operand &operand) {
  std::vector<HalideDim> dims;
  if (operand.layout == spec::Operand::Layout::Strided) {
    for (size_t i = operand.shape.size(); i-- > 0;)
      dims.push_back({operand.shape[i], operand.strides[i]});
    return dims;
  }
  dims.push_back({16, 1});
  DimExpr stride = 16;
  for (size_t i = operand.shape.size(); i-- > 1;) {
    dims.push_back({operand.shape[i], stride});
    stride = stride * operand.shape[i];
  }
  dims.push_back({DimExpr::floorDiv(operand.shape[0] + DimExpr(15), DimExpr(16)), stride});
  return dims;
}

/// halide_type_t as one number: code (int 0, uint 1, float 2, bfloat 4), bits << 8, lanes << 16.
static uint32_t halideType(DType type) {
  uint32_t code = type == DType::BF16                              ? 4
                  : type == DType::F8E4M3 || type == DType::F8E5M2 ? 1
                  : isFloat(type)                                  ? 2
                  : type == DType::U8 || type == DType::Bool       ? 1
                                                                   : 0;
  uint32_t bits = type == DType::Bool ? 1 : uint32_t(byteSize(type)) * 8;
  return code | bits << 8 | 1u << 16;
}

/// Builds one halide_buffer_t on the stack: device, device interface, host, flags, type, number of
/// dimensions, dimensions, padding.
static Value *emitBuffer(IRBuilder<> &builder, const spec::Operand &operand, Value *data,
                         const DimValues &dimValues) {
  Type *i32 = builder.getInt32Ty(), *i64 = builder.getInt64Ty(), *ptr = builder.getPtrTy();
  auto *dimType = StructType::get(i32, i32, i32, i32);
  auto *bufferType = StructType::get(i64, ptr, ptr, i64, i32, i32, ptr, ptr);
  std::vector<HalideDim> dims = halideDims(operand);
  Value *dimArray = builder.CreateAlloca(ArrayType::get(dimType, std::max<size_t>(dims.size(), 1)));
  for (size_t i = 0; i < dims.size(); ++i) {
    Value *dim = builder.CreateConstGEP1_64(dimType, dimArray, i);
    auto narrow = [&](const DimExpr &expr) {
      return builder.CreateTrunc(emitDimExpr(builder, expr, dimValues), i32);
    };
    Value *fields[] = {builder.getInt32(0), narrow(dims[i].extent), narrow(dims[i].stride),
                       builder.getInt32(0)};
    for (unsigned f = 0; f < 4; ++f)
      builder.CreateStore(fields[f], builder.CreateStructGEP(dimType, dim, f));
  }
  Value *buffer = builder.CreateAlloca(bufferType);
  Constant *null = ConstantPointerNull::get(builder.getPtrTy());
  Value *fields[] = {builder.getInt64(0),
                     null,
                     data,
                     builder.getInt64(0),
                     builder.getInt32(halideType(operand.type)),
                     builder.getInt32(uint32_t(dims.size())),
                     dimArray,
                     null};
  for (unsigned f = 0; f < 8; ++f)
    builder.CreateStore(fields[f], builder.CreateStructGEP(bufferType, buffer, f));
  return buffer;
}

void emitHalideShim(Module &module, const spec::KernelSpec &spec, StringRef halideSymbol,
                    StringRef kernelSymbol, const Target &target) {
  IRBuilder<> builder(module.getContext());
  Type *i32 = builder.getInt32Ty(), *i64 = builder.getInt64Ty(), *ptr = builder.getPtrTy();
  auto callee = module.getOrInsertFunction(kernelSymbol, i32, ptr, ptr, ptr);
  auto *shim = cast<Function>(callee.getCallee());
  shim->addFnAttr("target-cpu", target.cpu);
  if (!target.features.empty())
    shim->addFnAttr("target-features", target.features);
  builder.SetInsertPoint(BasicBlock::Create(module.getContext(), "", shim));
  DimValues dimValues;
  SmallVector<Value *> arguments = {shim->getArg(0)}, symbols;
  for (size_t i = 0; i < spec.symbols.size(); ++i) {
    Value *place = builder.CreateConstGEP1_64(i64, shim->getArg(2), i);
    Value *value = builder.CreateLoad(i64, place);
    dimValues[spec.symbols[i].name] = value;
    symbols.push_back(builder.CreateTrunc(value, i32));
  }
  for (size_t i = 0; i < spec.operands.size(); ++i) {
    Value *data = builder.CreateLoad(ptr, builder.CreateConstGEP1_64(ptr, shim->getArg(1), i));
    arguments.push_back(emitBuffer(builder, spec.operands[i], data, dimValues));
  }
  arguments.append(symbols);
  SmallVector<Type *> types;
  for (Value *argument : arguments)
    types.push_back(argument->getType());
  auto halide = module.getOrInsertFunction(halideSymbol, FunctionType::get(i32, types, false));
  builder.CreateRet(builder.CreateCall(halide, arguments));
}

} // namespace kiln::host
