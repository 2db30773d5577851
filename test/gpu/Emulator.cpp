//===- Emulator.cpp - device kernels on the host, thread by thread --------===//

#include "test/gpu/Emulator.h"

#include "codegen/spec/Evaluate.h"
#include "codegen/spec/Numbers.h"
#include "test/gpu/Block.h"
#include "test/gpu/Bulk.h"
#include "test/gpu/Matrix.h"
#include "test/gpu/Reference.h"
#include "test/gpu/Shared.h"
#include "test/gpu/Warpgroup.h"
#include "test/unit/llvm/Builders.h"

#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"

#include <cmath>
#include <cstring>
#include <random>

using namespace kiln;
using namespace kiln::spec;
using namespace kiln::test;
using namespace llvm;

/// NVPTX's address space of shared memory.
static constexpr unsigned sharedSpace = 3, clusterSpace = 7;

namespace {
/// An intrinsic and what stands for it here.
struct Stand {
  std::string intrinsic, name;
  void *function;
  bool isWrapped = false; ///< see wrap
};
} // namespace

static constexpr StringRef readsShared = "kiln_read_shared", writesShared = "kiln_write_shared";

static std::vector<Stand> stands() {
  auto at = [](auto *function) { return reinterpret_cast<void *>(function); };
  std::vector<Stand> all = {
      {"llvm.nvvm.read.ptx.sreg.tid.x", "kiln_thread", at(&threadNumber)},
      {"llvm.nvvm.read.ptx.sreg.ctaid.x", "kiln_block", at(&blockNumber)},
      {"llvm.nvvm.read.ptx.sreg.nctaid.x", "kiln_blocks", at(&blockCount)},
      {"llvm.nvvm.read.ptx.sreg.ntid.x", "kiln_threads", at(&threadCount)},
      {"llvm.nvvm.barrier.cta.sync.aligned.all", "kiln_barrier", at(&waitForBlock)},
      {"llvm.nvvm.bar.warp.sync", "kiln_warp_barrier", at(&waitForWarp)},
      {"llvm.nvvm.shfl.sync.bfly.i32", "kiln_shuffle", at(&shuffleAcross)},
      {"", readsShared.str(), at(&readShared)},
      {"", writesShared.str(), at(&writeShared)},
      {"llvm.nvvm.cp.async.cg.shared.global.16", "kiln_copy", at(&copyLater)},
      {"llvm.nvvm.cp.async.commit.group", "kiln_commit", at(&commitCopies)},
      {"llvm.nvvm.cp.async.wait.group", "kiln_wait", at(&waitForCopies)},
      {"llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3", "kiln_ldmatrix", at(&loadMatrices), true},
      {"llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3", "kiln_ldmatrix_trans",
       at(&loadMatricesTurned), true},
      {"llvm.nvvm.e4m3x2.to.f16x2.rn", "kiln_widen", at(&widenEighths), true},
      {"llvm.nvvm.mma.m16n8k16.row.col.f32.f32", "kiln_mma_f16", at(&multiplyF16), true},
      {"llvm.nvvm.mma.m16n8k16.row.col.bf16", "kiln_mma_bf16", at(&multiplyBF16), true},
      {"llvm.nvvm.mma.m16n8k32.row.col.s8", "kiln_mma_s8", at(&multiplyI8), true},
      {"llvm.nvvm.mma.m16n8k32.row.col.s8.u8", "kiln_mma_s8_u8", at(&multiplyI8U8), true},
      {"llvm.nvvm.mma.m16n8k32.row.col.u8.s8", "kiln_mma_u8_s8", at(&multiplyU8I8), true},
      {"llvm.nvvm.mma.m16n8k32.row.col.u8", "kiln_mma_u8", at(&multiplyU8), true},
      {"llvm.nvvm.fence.proxy.async.shared_cta", "kiln_fence_shared", at(&fenceShared)},
      {"llvm.nvvm.fence.mbarrier_init.release.cluster", "kiln_fence_barriers", at(&fenceShared)},
      {"llvm.nvvm.mbarrier.init.shared", "kiln_barrier_begin", at(&beginBarrier)},
      {"llvm.nvvm.mbarrier.inval.shared", "kiln_barrier_end", at(&endBarrier)},
      {"llvm.nvvm.mbarrier.arrive.scope.cta.space.cta", "kiln_arrive", at(&arrive)},
      {"llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta", "kiln_arrive_expecting",
       at(&arriveExpecting)},
      {"llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta", "kiln_try_wait", at(&tryWait)},
      {"llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d", "kiln_copy_tensor_2", at(&copyTensor2)},
      {"llvm.nvvm.cp.async.bulk.tensor.g2s.tile.3d", "kiln_copy_tensor_3", at(&copyTensor3)}};
  for (const WarpgroupCall &call : warpgroupCalls())
    all.push_back({call.name, "stand." + call.name, at(call.function), true});
  return all;
}

/// Intrinsics whose results are several registers: they become functions of a pointer to room for
/// the result and one to the arguments, both packed.
static void wrap(Module &module, Function &intrinsic, StringRef name) {
  IRBuilder<> b(module.getContext());
  auto *wrapper = Function::Create(intrinsic.getFunctionType(), GlobalValue::InternalLinkage,
                                   "wrapped", module);
  b.SetInsertPoint(BasicBlock::Create(module.getContext(), "entry", wrapper));
  SmallVector<Type *> types;
  for (Argument &argument : wrapper->args())
    types.push_back(argument.getType());
  auto *packed = StructType::get(module.getContext(), types);
  Value *in = b.CreateAlloca(packed), *out = b.CreateAlloca(wrapper->getReturnType());
  for (Argument &argument : wrapper->args())
    b.CreateStore(&argument, b.CreateStructGEP(packed, in, argument.getArgNo()));
  FunctionCallee callee = module.getOrInsertFunction(
      name, FunctionType::get(b.getVoidTy(), {b.getPtrTy(), b.getPtrTy()}, false));
  b.CreateCall(callee, {out, in});
  b.CreateRet(b.CreateLoad(wrapper->getReturnType(), out));
  intrinsic.replaceAllUsesWith(wrapper);
  intrinsic.eraseFromParent();
}

/// A function that takes the arguments as an array: void(const int64_t *).
static void addEntry(Module &module, Function &kernel) {
  IRBuilder<> b(module.getContext());
  auto *type = FunctionType::get(b.getVoidTy(), {b.getPtrTy()}, false);
  auto *entry =
      Function::Create(type, GlobalValue::ExternalLinkage, "run_" + kernel.getName(), module);
  b.SetInsertPoint(BasicBlock::Create(module.getContext(), "entry", entry));
  SmallVector<Value *> arguments;
  for (Argument &argument : kernel.args()) {
    Value *from = b.CreateConstGEP1_64(b.getInt64Ty(), entry->getArg(0), argument.getArgNo());
    arguments.push_back(b.CreateLoad(argument.getType(), from));
  }
  b.CreateCall(&kernel, arguments);
  b.CreateRetVoid();
}

/// Whether an address is only where boxes are copied to.
static bool isForBoxes(const AddrSpaceCastInst &cast) {
  return cast.getDestAddressSpace() == clusterSpace && all_of(cast.users(), [](const User *user) {
           auto *call = dyn_cast<CallInst>(user);
           return call && call->getCalledFunction() &&
                  call->getCalledFunction()->getName().starts_with("llvm.nvvm.cp.async.bulk.");
         });
}

/// Whether the instruction may touch shared memory, but as no plain load or store.
static bool touchesSharedOtherwise(const Instruction &instruction) {
  if (auto *cast = dyn_cast<AddrSpaceCastInst>(&instruction))
    return cast->getSrcAddressSpace() == sharedSpace && !isForBoxes(*cast);
  if (auto *atomic = dyn_cast<AtomicRMWInst>(&instruction))
    return atomic->getPointerAddressSpace() == sharedSpace;
  return isa<AnyMemIntrinsic, AtomicCmpXchgInst>(instruction);
}

/// Tells of each touch of shared memory by plain loads and stores. "", or what else there is.
static std::string watchShared(Module &module) {
  SmallVector<std::pair<Instruction *, Value *>> touches;
  for (Function &function : module)
    for (Instruction &instruction : instructions(function))
      if (Value *at = getLoadStorePointerOperand(&instruction)) {
        if (at->getType()->getPointerAddressSpace() == sharedSpace)
          touches.push_back({&instruction, at});
      } else if (touchesSharedOtherwise(instruction)) {
        return "the emulator does not know '" + std::string(instruction.getOpcodeName()) + "'";
      }
  for (auto [instruction, at] : touches) {
    IRBuilder<> b(instruction);
    uint64_t bytes = module.getDataLayout().getTypeStoreSize(getLoadStoreType(instruction));
    auto *type = FunctionType::get(b.getVoidTy(), {at->getType(), b.getInt64Ty()}, false);
    b.CreateCall(
        module.getOrInsertFunction(isa<LoadInst>(instruction) ? readsShared : writesShared, type),
        {at, b.getInt64(bytes)});
  }
  return "";
}

/// Gives a variable in shared memory room behind it, so that what lies beyond is no other's.
static GlobalVariable *spaced(Module &module, GlobalVariable &global, uint64_t bytes) {
  static constexpr uint64_t room = 1 << 16;
  auto *type = ArrayType::get(Type::getInt8Ty(module.getContext()), bytes + room);
  auto *result =
      new GlobalVariable(module, type, false, GlobalValue::ExternalLinkage, UndefValue::get(type),
                         "", nullptr, GlobalValue::NotThreadLocal, sharedSpace);
  result->takeName(&global);
  result->setAlignment(global.getAlign());
  global.replaceAllUsesWith(result);
  global.eraseFromParent();
  return result;
}

namespace {
/// A variable in shared memory. One whose size a launch says has as much room as any chip gives.
struct SharedVariable {
  std::string name;
  uint64_t bytes;
  bool isOfLaunch;
};
} // namespace

/// Makes host code of a device module; gives its shared memory.
static Expected<std::vector<SharedVariable>> toHost(Module &module, const DataLayout &layout) {
  constexpr uint64_t mostBytes = 227 << 10;
  if (std::string text = watchShared(module); !text.empty())
    return createStringError(text);
  for (const Stand &stand : stands())
    if (Function *intrinsic = module.getFunction(stand.intrinsic)) {
      if (stand.isWrapped) {
        wrap(module, *intrinsic, stand.name);
        continue;
      }
      FunctionCallee callee = module.getOrInsertFunction(stand.name, intrinsic->getFunctionType());
      intrinsic->replaceAllUsesWith(callee.getCallee());
      intrinsic->eraseFromParent();
    }
  std::vector<SharedVariable> shared;
  for (GlobalVariable &global : make_early_inc_range(module.globals()))
    if (global.getAddressSpace() == sharedSpace &&
        (global.isDeclaration() || !global.hasExternalLinkage())) {
      bool isOfLaunch = global.isDeclaration();
      uint64_t bytes =
          isOfLaunch ? mostBytes : module.getDataLayout().getTypeAllocSize(global.getValueType());
      shared.push_back({spaced(module, global, bytes)->getName().str(), bytes, isOfLaunch});
    }
  std::vector<Function *> kernels;
  for (Function &function : module) {
    if (function.hasLocalLinkage()) // a wrapper
      continue;
    if (function.getName().starts_with("llvm.nvvm."))
      return createStringError("the emulator does not know '" + function.getName() + "'");
    function.setAttributes(AttributeList());
    if (!function.isDeclaration())
      kernels.push_back(&function);
  }
  for (Function *kernel : kernels) {
    kernel->setCallingConv(CallingConv::C);
    addEntry(module, *kernel);
  }
  module.setTargetTriple(Triple(sys::getProcessTriple()));
  module.setDataLayout(layout);
  return shared;
}

struct Emulated::State {
  std::shared_ptr<orc::LLJIT> jit;
  cuda::DeviceModule device; ///< its code has gone to the JIT
  std::vector<std::pair<SharedVariable, void *>> shared;
  std::vector<Symbol> symbols;
  size_t numArguments;
};

Emulated::Emulated(std::unique_ptr<State> state) : state(std::move(state)) {}
Emulated::~Emulated() = default;
const std::string &Emulated::plan() const { return state->device.plan; }
size_t Emulated::numArguments() const { return state->numArguments; }
const std::vector<cuda::DeviceLaunch> &Emulated::launches() const { return state->device.launches; }

Expected<std::unique_ptr<Emulated>> Emulated::compile(const KernelSpec &spec, StringRef chip,
                                                      const Change &change, StringRef symbol) {
  static bool isReady = !InitializeNativeTarget() && !InitializeNativeTargetAsmPrinter();
  if (!isReady)
    return createStringError("no host target");
  auto context = std::make_unique<LLVMContext>();
  auto made = cuda::makeDeviceModule(spec, chip, symbol, *context);
  if (!made)
    return made.takeError();
  if (change)
    change(*made->code);
  auto jit = orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  auto state = std::make_unique<State>();
  state->jit = std::move(*jit);
  orc::SymbolMap host;
  for (const Stand &stand : stands())
    host[state->jit->mangleAndIntern(stand.name)] = {orc::ExecutorAddr::fromPtr(stand.function),
                                                     JITSymbolFlags::Exported |
                                                         JITSymbolFlags::Callable};
  if (Error error = state->jit->getMainJITDylib().define(orc::absoluteSymbols(host)))
    return error;
  auto shared = toHost(*made->code, state->jit->getDataLayout());
  if (!shared)
    return shared.takeError();
  std::string text;
  raw_string_ostream stream(text);
  if (verifyModule(*made->code, &stream))
    return createStringError("malformed on the host: " + text);
  if (Error error =
          state->jit->addIRModule(orc::ThreadSafeModule(std::move(made->code), std::move(context))))
    return error;
  for (const SharedVariable &variable : *shared) {
    auto address = state->jit->lookup(variable.name);
    if (!address)
      return address.takeError();
    state->shared.push_back({variable, address->toPtr<void *>()});
  }
  state->device = std::move(*made);
  state->symbols = spec.symbols;
  state->numArguments =
      spec.operands.size() + state->device.scratchBytes.size() + spec.symbols.size();
  return std::unique_ptr<Emulated>(new Emulated(std::move(state)));
}

/// Makes the map that a launch takes.
static std::string mapOf(const host::DeviceTensor &tensor, ArrayRef<int64_t> arguments,
                         const DimExpr::Environment &symbols, TensorMap &map) {
  std::vector<uint64_t> extents, strides;
  for (const DimExpr &extent : tensor.extents)
    extents.push_back(uint64_t(extent.evaluate(symbols).value_or(0)));
  for (const DimExpr &stride : tensor.strides)
    strides.push_back(uint64_t(stride.evaluate(symbols).value_or(0)));
  std::vector<uint32_t> box(tensor.box.begin(), tensor.box.end()), steps(box.size(), 1);
  TensorForm form;
  form.type = tensor.elementBytes == 1 ? 0 : 1; // bytes, pairs of them
  form.rank = uint32_t(extents.size());
  form.address = reinterpret_cast<const void *>(arguments[tensor.argument]);
  form.extents = extents.data();
  form.strides = strides.data();
  form.box = box.data();
  form.steps = steps.data();
  form.swizzle = 3; // lines of 128 bytes
  return encode(&map, form);
}

std::string Emulated::run(const std::vector<void *> &buffers, const std::vector<int64_t> &symbols,
                          int64_t mostBlocks) {
  auto find = [&](std::string_view name) -> std::optional<int64_t> {
    for (size_t i = 0; i < symbols.size(); ++i)
      if (state->symbols[i].name == name)
        return symbols[i];
    return std::nullopt;
  };
  std::vector<int64_t> arguments;
  auto add = [&](void *pointer) { arguments.push_back(reinterpret_cast<int64_t>(pointer)); };
  for (void *buffer : buffers)
    add(buffer);
  std::vector<std::unique_ptr<GuardedBuffer>> scratch;
  for (const DimExpr &formula : state->device.scratchBytes) {
    std::optional<int64_t> bytes = formula.evaluate(find);
    if (!bytes || *bytes < 0)
      return "scratch memory of no size: " + formula.str();
    scratch.push_back(std::make_unique<GuardedBuffer>(*bytes));
    std::memset(scratch.back()->data(), 0xff, *bytes);
    add(scratch.back()->data());
  }
  arguments.insert(arguments.end(), symbols.begin(), symbols.end());
  for (const cuda::DeviceLaunch &launch : state->device.launches) {
    std::optional<int64_t> blocks = launch.blocks.evaluate(find);
    if (!blocks || *blocks < 0)
      return "a grid of no size: " + launch.blocks.str();
    std::vector<TensorMap> maps(launch.tensors.size());
    std::vector<int64_t> all = arguments;
    for (size_t i = 0; i < maps.size() && *blocks; ++i) {
      std::string text = mapOf(launch.tensors[i], arguments, find, maps[i]);
      if (!text.empty())
        return "a tensor map: " + text;
      all.push_back(reinterpret_cast<int64_t>(&maps[i]));
    }
    if (std::string text = this->launch(launch.name, std::min(*blocks, mostBlocks), launch.threads,
                                        launch.sharedBytes, all.data());
        !text.empty())
      return text;
  }
  return "";
}

std::string Emulated::launch(StringRef function, int64_t blocks, int threads, int64_t sharedBytes,
                             const int64_t *arguments) {
  auto entry = state->jit->lookup(("run_" + function).str());
  if (!entry)
    return toString(entry.takeError());
  auto *kernel = entry->toPtr<void(const int64_t *)>();
  std::vector<std::pair<void *, uint64_t>> shared;
  for (const auto &[variable, memory] : state->shared) {
    if (!StringRef(variable.name).starts_with((function + "_").str()))
      continue; // of another entry point
    if (variable.isOfLaunch && uint64_t(sharedBytes) > variable.bytes)
      return (function + ": more shared memory than any chip has").str();
    shared.push_back({memory, variable.isOfLaunch ? uint64_t(sharedBytes) : variable.bytes});
  }
  placeShared(shared);
  for (int64_t block = 0; block < blocks; ++block) {
    for (auto [memory, bytes] : shared)
      std::memset(memory, 0xff, bytes);
    std::string text = runBlock(block, blocks, threads, [&] { kernel(arguments); });
    if (!text.empty())
      return (function + ": " + text).str();
  }
  return "";
}

/// Floats are multiples of 1/64 up to 2: sums of their products are exact in f32, in any order.
static void fill(const Operand &operand, const GuardedBuffer &bytes, std::mt19937 &random) {
  int64_t size = byteSize(operand.type), count = bytes.size() / size;
  for (int64_t i = 0; i < count; ++i) {
    Number value;
    value.f = static_cast<int>(random() % 257) / 64.0 - 2;
    value.i = operand.type == DType::Bool ? random() % 2 : static_cast<int>(random() % 200) - 90;
    storeNumber(bytes.data() + i * size, operand.type, value);
  }
}

static std::string difference(const Operand &operand, const GuardedBuffer &got,
                              const GuardedBuffer &want, double tolerance) {
  int64_t size = byteSize(operand.type);
  for (size_t at = 0; at + size <= got.size(); at += size) {
    Number a = loadNumber(got.data() + at, operand.type);
    Number b = loadNumber(want.data() + at, operand.type);
    bool isEqual = a.i == b.i && (a.f == b.f || (std::isnan(a.f) && std::isnan(b.f)) ||
                                  std::fabs(a.f - b.f) <= tolerance * (1 + std::fabs(b.f)));
    if (isEqual)
      continue;
    bool isReal = isFloat(operand.type);
    return "'" + operand.name + "' element " + std::to_string(at / size) + ": expected " +
           (isReal ? std::to_string(b.f) : std::to_string(b.i)) + ", got " +
           (isReal ? std::to_string(a.f) : std::to_string(a.i));
  }
  return "";
}

std::string test::compareEmulated(const KernelSpec &spec, const std::vector<int64_t> &symbols,
                                  double tolerance, const Emulated::Change &change,
                                  StringRef chip) {
  auto kernel = Emulated::compile(spec, chip, change);
  return kernel ? compareEmulated(**kernel, spec, symbols, tolerance)
                : toString(kernel.takeError());
}

std::string test::compareEmulated(Emulated &kernel, const KernelSpec &spec,
                                  const std::vector<int64_t> &symbols, double tolerance) {
  std::mt19937 random(11);
  std::vector<std::unique_ptr<GuardedBuffer>> got, want;
  std::vector<void *> ours, theirs;
  for (const Operand &operand : spec.operands) {
    int64_t bytes = bufferBytes(spec, operand, symbols);
    if (bytes < 0)
      return "'" + operand.name + "' has no size";
    for (auto *set : {&got, &want})
      set->push_back(std::make_unique<GuardedBuffer>(bytes));
    std::memset(got.back()->data(), 0xa5, bytes);
    if (operand.use == Operand::Use::Input)
      fill(operand, *got.back(), random);
    clearMissing(spec, operand, symbols, got.back()->data());
    std::memcpy(want.back()->data(), got.back()->data(), bytes);
    ours.push_back(got.back()->data());
    theirs.push_back(want.back()->data());
  }
  if (std::string text = runReference(spec, theirs, symbols); !text.empty())
    return "the reference: " + text;
  if (std::string text = kernel.run(ours, symbols); !text.empty())
    return text;
  for (size_t i = 0; i < got.size(); ++i)
    if (std::string text = difference(spec.operands[i], *got[i], *want[i], tolerance);
        !text.empty() && spec.operands[i].use == Operand::Use::Output)
      return text + "\n" + kernel.plan() + print(spec);
  return "";
}

std::vector<CallInst *> test::callsOf(Module &module, StringRef name) {
  std::vector<CallInst *> calls;
  for (Function &function : module)
    for (Instruction &instruction : instructions(function))
      if (auto *call = dyn_cast<CallInst>(&instruction);
          call && call->getCalledFunction() &&
          call->getCalledFunction()->getName().starts_with(name))
        calls.push_back(call);
  return calls;
}
