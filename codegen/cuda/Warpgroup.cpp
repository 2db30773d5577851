//===- Warpgroup.cpp - products of a warpgroup by wgmma -------------------===//
//
// A warpgroup has 64 rows and all columns of the tile. Both factors are read from shared memory,
// where descriptors say how lines of 128 bytes lie. All products of a stage are one call of a
// function that nobody defines, and so is the wait for them, through which the sums go: the
// emulator knows both by name, and PTX is put in their place at last, as LLVM has no intrinsics.
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/Emitter.h"

#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/IntrinsicsNVPTX.h"

using namespace kiln;
using namespace kiln::cuda;
using namespace kiln::codegen;
using namespace llvm;

/// Lines that the swizzle repeats after.
static constexpr int linesOfPattern = 8;
/// How the functions are called.
static constexpr StringRef products = "kiln.wgmma.", waits = "kiln.wgmma.wait.";

/// What is read from `step` of a stage on. PTX's matrix descriptor: the address, and the distance
/// from 8 lines to the next 8, in 16 bytes; the swizzle of 128 bytes. Lines are rows, or steps
/// where a step's columns are neighbours; then also the distance to the columns beyond a line.
Value *cuda::Emitter::descriptor(const Tile &tile, const Panel &panel, Value *slot, int step) {
  constexpr int leadingAt = 16, strideAt = 32, swizzleAt = 62;
  constexpr uint64_t patternBytes = warpgroupLine * linesOfPattern, addressBits = 0x3ffff;
  uint64_t form = (patternBytes >> 4 << strideAt) | uint64_t(1) << swizzleAt;
  if (panel.isAcross)
    form |= uint64_t(tile.k) * warpgroupLine >> 4 << leadingAt;
  int64_t bytes = panel.isAcross ? step * warpgroupLine : step * byteSize(tile.type);
  slot = b.CreateURem(slot, b.getInt64(panel.slots));
  Value *at = b.CreateAdd(b.CreatePtrToInt(tileMemory, b.getInt64Ty()),
                          b.CreateMul(slot, b.getInt64(panel.size)));
  if (panel.dims == &tile.rows) {
    Value *group = b.CreateZExt(b.CreateUDiv(thread, b.getInt32(warpgroupThreads)), b.getInt64Ty());
    at = b.CreateAdd(at, b.CreateMul(group, b.getInt64(warpgroupRows * warpgroupLine)));
  }
  at = b.CreateAdd(at, b.getInt64(panel.offset + bytes));
  Value *address = b.CreateLShr(b.CreateAnd(at, addressBits), 4);
  return b.CreateOr(address, b.getInt64(form));
}

/// A product's shape and types, as PTX names them.
static std::string productOf(const Tile &tile) {
  std::string shape = "m64n" + std::to_string(tile.n) + "k" + std::to_string(2 * tile.chunk());
  std::string sum = tile.stage->type == DType::I32 ? "s32" : "f32";
  auto factor = [](DType type) {
    return type == DType::F16    ? "f16"
           : type == DType::BF16 ? "bf16"
           : type == DType::I8   ? "s8"
                                 : "u8";
  };
  return shape + "." + sum + "." + factor(tile.type) + "." + factor(tile.second->type);
}

/// Calls a function of the thread's sums and more, which gives the sums.
void cuda::Emitter::changeSums(const Tile &tile, StringRef name, ArrayRef<Value *> more) {
  Type *type = values.type(tile.stage->type);
  SmallVector<Type *> types(sums.size(), type);
  Type *result = StructType::get(b.getContext(), types);
  SmallVector<Value *> arguments;
  for (AllocaInst *sum : sums)
    arguments.push_back(b.CreateLoad(type, sum));
  append_range(arguments, more);
  types.append(more.size(), b.getInt64Ty());
  FunctionCallee callee = module.getOrInsertFunction(name, FunctionType::get(result, types, false));
  auto *function = cast<Function>(callee.getCallee());
  function->addFnAttr(Attribute::Convergent);
  function->addFnAttr(Attribute::NoUnwind);
  Value *made = b.CreateCall(callee, arguments);
  for (unsigned i = 0; i < sums.size(); ++i)
    b.CreateStore(b.CreateExtractValue(made, i), sums[i]);
}

/// Begins all products of a stage. Until they have been waited for, nobody may touch the sums, nor
/// write the stage.
void cuda::Emitter::startProducts(const Tile &tile, Value *slot) {
  SmallVector<Value *> descriptors;
  for (int step = 0; step < tile.k; step += 2 * tile.chunk())
    for (const Panel &panel : panels)
      descriptors.push_back(descriptor(tile, panel, slot, step));
  changeSums(tile, (products + productOf(tile) + (panels[1].isAcross ? ".across" : ".along")).str(),
             descriptors);
}

void cuda::Emitter::finishProducts(const Tile &tile) {
  changeSums(tile, (waits + productOf(tile)).str(), {});
}

/// Row and column in the tile of a thread's sum: a warp has 16 rows, a lane pairs of columns.
std::pair<Value *, Value *> cuda::Emitter::sumOfWarpgroup(int number) {
  Value *own = b.CreateZExt(thread, b.getInt64Ty());
  Value *warp = b.CreateLShr(own, Log2_32(warpThreads));
  Value *lane = b.CreateAnd(own, warpThreads - 1);
  Value *row = b.CreateAdd(b.CreateMul(warp, b.getInt64(16)), b.CreateLShr(lane, 2));
  Value *pair = b.CreateMul(b.CreateAnd(lane, 3), b.getInt64(2));
  return {b.CreateAdd(row, b.getInt64(number / 2 % 2 * 8)),
          b.CreateAdd(pair, b.getInt64(number / 4 * 8 + number % 2))};
}

/// The PTX of a call: operands are the sums as results, the sums as arguments, the descriptors.
static std::string textOf(StringRef name, unsigned numSums, unsigned numArguments) {
  if (name.starts_with(waits))
    return "wgmma.wait_group.sync.aligned 0;";
  std::string registers, text = "wgmma.fence.sync.aligned;\n\t";
  for (unsigned i = 0; i < numSums; ++i)
    registers += (i ? ", $" : "$") + std::to_string(i);
  auto [shape, order] = name.drop_front(products.size()).rsplit('.');
  std::string flags = order == "across" ? ", 1, 1, 1, 0, 1" : ", 1, 1, 1, 0, 0";
  if (shape.contains("s32"))
    flags = ", 1"; // bytes are neither negated nor turned
  for (unsigned i = 2 * numSums; i < numSums + numArguments; i += 2)
    text += "wgmma.mma_async.sync.aligned." + shape.str() + " {" + registers + "}, $" +
            std::to_string(i) + ", $" + std::to_string(i + 1) + flags + ";\n\t";
  return text + "wgmma.commit_group.sync.aligned;";
}

std::string cuda::writeProducts(Module &module) {
  std::string features;
  for (Function &function : make_early_inc_range(module)) {
    if (!function.getName().starts_with(products))
      continue;
    if (function.getName().contains(".u8.s8") || function.getName().contains(".s8.u8"))
      features = "+ptx84";
    FunctionType *type = function.getFunctionType();
    auto *sums = cast<StructType>(type->getReturnType());
    unsigned numSums = sums->getNumElements();
    std::string constraints;
    for (Type *sum : sums->elements())
      constraints += sum->isFloatTy() ? "=f," : "=r,";
    for (unsigned i = 0; i < type->getNumParams(); ++i)
      constraints += i < numSums ? std::to_string(i) + "," : "l,";
    auto *text = InlineAsm::get(type, textOf(function.getName(), numSums, type->getNumParams()),
                                constraints + "~{memory}", /*hasSideEffects=*/true);
    for (User *user : make_early_inc_range(function.users())) {
      auto *call = cast<CallInst>(user);
      IRBuilder<> b(call);
      SmallVector<Value *> arguments(call->args());
      CallInst *made = b.CreateCall(type, text, arguments);
      made->setConvergent();
      call->replaceAllUsesWith(made);
      call->eraseFromParent();
    }
    function.eraseFromParent();
  }
  return features;
}
