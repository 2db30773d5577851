//===- Shim.cpp - Halide's functions under the kernel ABI -----------------===//
//
// Fills halide_buffer_t's on the stack from pointers and dimensions, calls the function, and names
// what is left of the module by position.
//
//===----------------------------------------------------------------------===//

#include "codegen/loader/Loader.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

using namespace kiln;
using namespace kiln::halide;

namespace {
/// One line of the description.
struct Argument {
  int symbol = -1, operand = -1;
  bool isZero = false;
  DimExpr offset;
  std::vector<DimExpr> extents, strides;
};

class ShimBuilder {
public:
  ShimBuilder(llvm::Module &module, const spec::KernelSpec &spec, llvm::StringRef symbol);
  std::string run(llvm::StringRef arguments);

private:
  llvm::Value *value(const DimExpr &expr);
  llvm::Value *buffer(const Argument &argument);
  void store(llvm::Value *base, int64_t offset, llvm::Value *what);

  llvm::Module &module;
  const spec::KernelSpec &spec;
  llvm::Function *body, *shim = nullptr;
  llvm::IRBuilder<> ir;
  llvm::StringRef symbol;
  std::map<std::string, llvm::Value *> symbols;
};
} // namespace

/// "[a, b]" at the head of `text`.
static bool takeList(llvm::StringRef &text, std::vector<DimExpr> &result) {
  text = text.ltrim();
  size_t end = text.find(']');
  if (!text.consume_front("[") || end == llvm::StringRef::npos)
    return false;
  llvm::StringRef inside = text.take_front(end - 1);
  text = text.drop_front(end);
  while (!inside.empty()) {
    auto [head, tail] = inside.split(',');
    std::optional<DimExpr> expr = DimExpr::parse(std::string_view(head));
    if (!expr)
      return false;
    result.push_back(*expr);
    inside = tail;
  }
  return true;
}

static std::optional<Argument> parseArgument(llvm::StringRef line) {
  Argument result;
  result.isZero = line == "zero";
  if (result.isZero)
    return result;
  if (line.consume_front("symbol "))
    return line.getAsInteger(10, result.symbol) ? std::nullopt : std::optional(result);
  if (!line.consume_front("buffer ") || line.consumeInteger(10, result.operand) ||
      !line.consume_front(" {"))
    return std::nullopt;
  auto [offset, rest] = line.split('}');
  std::optional<DimExpr> expr = DimExpr::parse(std::string_view(offset));
  if (!expr || !takeList(rest, result.extents) || !takeList(rest, result.strides))
    return std::nullopt;
  result.offset = *expr;
  return result;
}

ShimBuilder::ShimBuilder(llvm::Module &module, const spec::KernelSpec &spec, llvm::StringRef symbol)
    : module(module), spec(spec), body(module.getFunction((symbol + ".body").str())),
      ir(module.getContext()), symbol(symbol) {}

/// Value of a dimension expression as i64.
llvm::Value *ShimBuilder::value(const DimExpr &expr) {
  llvm::Value *sum = ir.getInt64(0);
  for (const auto &[monomial, coefficient] : expr.monomials()) {
    llvm::Value *product = ir.getInt64(coefficient);
    for (const DimAtom &atom : monomial) {
      llvm::Value *factor;
      if (atom.kind == DimAtom::Kind::Symbol) {
        factor = symbols[atom.symbol];
      } else if (atom.kind != DimAtom::Kind::Quotient) {
        bool isMin = atom.kind == DimAtom::Kind::Min;
        factor = ir.CreateBinaryIntrinsic(isMin ? llvm::Intrinsic::smin : llvm::Intrinsic::smax,
                                          value(*atom.left), value(*atom.right));
      } else {
        // Floor of a quotient; divisors are positive.
        llvm::Value *n = value(*atom.left), *d = value(*atom.right);
        llvm::Value *rest = ir.CreateSRem(n, d);
        llvm::Value *isBelow = ir.CreateICmpSLT(rest, ir.getInt64(0));
        factor = ir.CreateSub(ir.CreateSDiv(n, d), ir.CreateZExt(isBelow, ir.getInt64Ty()));
      }
      product = ir.CreateMul(product, factor);
    }
    sum = ir.CreateAdd(sum, product);
  }
  return sum;
}

void ShimBuilder::store(llvm::Value *base, int64_t offset, llvm::Value *what) {
  ir.CreateAlignedStore(what, ir.CreateConstGEP1_64(ir.getInt8Ty(), base, offset), llvm::Align(4));
}

/// halide_type_t as it lies in memory: code, bits, lanes.
static uint32_t typeBits(DType type) {
  uint32_t code = type == DType::BF16                        ? 4
                  : isFloat(type)                            ? 2
                  : type == DType::U8 || type == DType::Bool ? 1
                                                             : 0;
  return code | static_cast<uint32_t>(byteSize(type) * 8) << 8 | 1u << 16;
}

llvm::Value *ShimBuilder::buffer(const Argument &argument) {
  const spec::Operand &operand = spec.operands[argument.operand];
  size_t rank = argument.extents.size();
  // Fields of halide_buffer_t: device 0, interface 8, host 16, flags 24, type 32, dimensions 36,
  // dim 40, padding 48. Of halide_dimension_t: min, extent, stride, flags; 4 bytes each.
  auto *type = llvm::ArrayType::get(ir.getInt64Ty(), 7 + 2 * std::max<size_t>(rank, 1));
  llvm::Value *base = ir.CreateAlloca(type);
  llvm::Value *slot = ir.CreateConstGEP1_64(ir.getPtrTy(), shim->getArg(1), argument.operand);
  llvm::Value *host = ir.CreateLoad(ir.getPtrTy(), slot);
  llvm::Value *offset = value(argument.offset * DimExpr(byteSize(operand.type)));
  store(base, 0, ir.getInt64(0));
  store(base, 8, ir.getInt64(0));
  store(base, 16, ir.CreateGEP(ir.getInt8Ty(), host, offset));
  store(base, 24, ir.getInt64(0));
  store(base, 32, ir.getInt32(typeBits(operand.type)));
  store(base, 36, ir.getInt32(rank));
  store(base, 40, ir.CreateConstGEP1_64(ir.getInt8Ty(), base, 56));
  store(base, 48, ir.getInt64(0));
  for (size_t i = 0; i < rank; ++i) {
    int64_t at = 56 + 16 * static_cast<int64_t>(i);
    store(base, at, ir.getInt32(0));
    store(base, at + 4, ir.CreateTrunc(value(argument.extents[i]), ir.getInt32Ty()));
    store(base, at + 8, ir.CreateTrunc(value(argument.strides[i]), ir.getInt32Ty()));
    store(base, at + 12, ir.getInt32(0));
  }
  return base;
}

std::string ShimBuilder::run(llvm::StringRef arguments) {
  if (!body)
    return "the generated function is missing";
  auto *type = llvm::FunctionType::get(ir.getInt32Ty(),
                                       {ir.getPtrTy(), ir.getPtrTy(), ir.getPtrTy()}, false);
  shim = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, symbol, module);
  shim->addFnAttr(llvm::Attribute::NoUnwind);
  ir.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "", shim));
  for (size_t i = 0; i < spec.symbols.size(); ++i)
    symbols[spec.symbols[i].name] =
        ir.CreateLoad(ir.getInt64Ty(), ir.CreateConstGEP1_64(ir.getInt64Ty(), shim->getArg(2), i));
  std::vector<llvm::Value *> values{shim->getArg(0)};
  llvm::SmallVector<llvm::StringRef> lines;
  arguments.split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef line : lines) {
    std::optional<Argument> argument = parseArgument(line);
    if (!argument)
      return "malformed argument '" + line.str() + "'";
    values.push_back(
        argument->isZero ? ir.getInt32(0)
        : argument->symbol >= 0
            ? ir.CreateTrunc(symbols[spec.symbols[argument->symbol].name], ir.getInt32Ty())
            : buffer(*argument));
  }
  if (values.size() != body->arg_size())
    return "the generated function has other arguments than described";
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i]->getType() != body->getArg(i)->getType())
      return "the generated function has an argument of another type than described";
  ir.CreateRet(ir.CreateCall(body, values));
  return "";
}

std::string halide::addShim(llvm::Module &module, const spec::KernelSpec &spec,
                            llvm::StringRef symbol, llvm::StringRef arguments) {
  return ShimBuilder(module, spec, symbol).run(arguments);
}

std::string halide::normalise(llvm::Module &module, llvm::StringRef symbol) {
  llvm::StripDebugInfo(module);
  // Halide adds entry points that take arrays of arguments, and descriptions of them.
  bool changed = true;
  while (changed) {
    changed = false;
    for (llvm::GlobalValue &value : llvm::make_early_inc_range(module.global_values())) {
      if (value.getName() == symbol || value.getName().starts_with("llvm."))
        continue;
      if (!value.isDeclaration())
        value.setLinkage(llvm::GlobalValue::InternalLinkage);
      value.setVisibility(llvm::GlobalValue::DefaultVisibility);
      value.removeDeadConstantUsers();
      if (value.use_empty()) {
        value.eraseFromParent();
        changed = true;
      }
    }
  }
  unsigned number = 0;
  for (llvm::GlobalValue &value : module.global_values()) {
    if (value.getName() == symbol || value.getName().starts_with("llvm."))
      continue;
    if (value.isDeclaration() && value.getName() != "halide_do_par_for" &&
        value.getName() != "memcpy" && value.getName() != "memset" && value.getName() != "memmove")
      return value.getName().str();
    if (!value.isDeclaration())
      value.setName((symbol + "." + llvm::Twine(number++)).str());
  }
  for (llvm::Function &function : module) {
    for (llvm::Argument &argument : function.args())
      argument.setName("");
    for (llvm::BasicBlock &block : function) {
      block.setName("");
      for (llvm::Instruction &instruction : block) {
        instruction.setName("");
        // Type-based aliasing has served; its names carry Halide's.
        instruction.setMetadata(llvm::LLVMContext::MD_tbaa, nullptr);
      }
    }
  }
  module.setModuleIdentifier(symbol);
  module.setSourceFileName(symbol);
  return "";
}
