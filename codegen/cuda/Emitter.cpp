//===- Emitter.cpp - grids, points, loads and stores ----------------------===//

#include "codegen/cuda/Emitter.h"

#include "llvm/IR/IntrinsicsNVPTX.h"

using namespace kiln;
using namespace kiln::cuda;
using namespace kiln::codegen;
using namespace kiln::spec;
using namespace llvm;

/// Of a tensor's map.
static constexpr int mapBytes = 128;

// All chips convert f16 and round to integers by instructions.
cuda::Emitter::Emitter(const KernelSpec &spec, const cuda::Plan &plan, Module &module)
    : Body(spec, module, true, true), plan(plan) {}

Value *cuda::Emitter::special(Intrinsic::ID id) {
  return b.CreateIntrinsic(id, ArrayRef<Value *>());
}

DimBounds cuda::Emitter::indexBounds(const DimExpr &extent) const {
  auto last = extent.bounds(bounds).upper;
  return {0, last ? std::optional(std::max<int64_t>(*last - 1, 0)) : std::nullopt};
}

/// The entry point up to where points are gone through.
void cuda::Emitter::start(const Grid &grid, StringRef name) {
  size_t buffers = spec.operands.size() + plan.scratch.size();
  std::vector<Type *> types(buffers, b.getPtrTy(globalSpace));
  types.insert(types.end(), spec.symbols.size(), b.getInt64Ty());
  size_t maps = grid.tile ? grid.tile->tensors.size() : 0;
  types.insert(types.end(), maps, b.getPtrTy());
  function = Function::Create(FunctionType::get(b.getVoidTy(), types, false),
                              GlobalValue::ExternalLinkage, name, module);
  function->setCallingConv(CallingConv::PTX_Kernel);
  function->addFnAttr("nvvm.maxntid", std::to_string(blockThreads));
  b.SetInsertPoint(BasicBlock::Create(b.getContext(), "entry", function));
  env.clear();
  memories.clear();
  const Operand *written = spec.findOperand(grid.written());
  for (size_t i = 0; i < buffers; ++i) {
    bool isOperand = i < spec.operands.size();
    const Operand &facts =
        isOperand ? spec.operands[i] : plan.scratch[i - spec.operands.size()].facts;
    Argument *base = function->getArg(i);
    bool isWritten = facts.name == grid.written();
    bool mayOverlap =
        written && !written->mayAlias.empty() && (isWritten || facts.name == written->mayAlias);
    if (!mayOverlap)
      base->addAttr(Attribute::NoAlias);
    if (!isWritten)
      base->addAttr(Attribute::ReadOnly);
    memories[facts.name] = {&facts, base};
  }
  for (size_t i = 0; i < maps; ++i) {
    Argument *map = function->getArg(types.size() - maps + i);
    map->addAttr(
        Attribute::getWithByValType(b.getContext(), ArrayType::get(b.getInt8Ty(), mapBytes)));
    map->addAttr(Attribute::getWithAlignment(b.getContext(), Align(64)));
    map->addAttr(Attribute::get(b.getContext(), "nvvm.grid_constant"));
  }
  for (auto [i, symbol] : enumerate(spec.symbols)) {
    env[symbol.name] = {function->getArg(buffers + i), -1};
    bounds[symbol.name] = {symbol.lower, symbol.upper};
  }
}

std::string cuda::Emitter::emitGrid(const Grid &grid, StringRef name) {
  start(grid, name);
  team = grid.team;
  thread = special(Intrinsic::nvvm_read_ptx_sreg_tid_x);
  Value *block = b.CreateZExt(special(Intrinsic::nvvm_read_ptx_sreg_ctaid_x), b.getInt64Ty());
  Value *blocks = b.CreateZExt(special(Intrinsic::nvvm_read_ptx_sreg_nctaid_x), b.getInt64Ty());
  if (grid.tile || grid.attention) {
    // Fewer would leave a chip idle between barriers; ptxas reckons with more, and spills. Two
    // products' sums and what brings their factors take more registers than two blocks can have.
    bool isLarge = grid.attention && grid.attention->result.stages > 1;
    function->addFnAttr("nvvm.minctasm", isLarge ? "1" : "2");
    member = nullptr;
    if (grid.tile)
      emitTiles(grid);
    else
      emitAttention(grid);
    b.CreateRetVoid();
    return message;
  }
  int perBlock = blockThreads / threadsOf(team);
  Value *inBlock = thread;
  member = nullptr;
  if (team == Team::Warp) {
    member = b.CreateAnd(thread, warpThreads - 1);
    inBlock = b.CreateLShr(thread, Log2_32(warpThreads));
  } else if (team == Team::Block) {
    member = thread;
    inBlock = b.getInt32(0);
  }
  Value *each = b.getInt64(perBlock);
  Value *first =
      b.CreateNSWAdd(b.CreateNSWMul(block, each), b.CreateZExt(inBlock, b.getInt64Ty()), "first");
  loop(
      first, emit(grid.points),
      [&](Value *point) { computePoint(grid, decompose(point, grid.stage->domain, "%d")); },
      b.CreateNSWMul(blocks, each));
  b.CreateRetVoid();
  return message;
}

/// Coordinates of a row-major number. Divisions are in 32 bits where all numbers fit.
Coordinates cuda::Emitter::decompose(Value *flat, const std::vector<DimExpr> &extents,
                                     const std::string &prefix) {
  DimExpr count = 1;
  for (const DimExpr &extent : extents)
    count = count * extent;
  auto most = count.bounds(bounds).upper;
  bool isSmall = most && *most <= INT32_MAX;
  Type *type = isSmall ? b.getInt32Ty() : b.getInt64Ty();
  if (isSmall)
    flat = b.CreateTrunc(flat, type);
  Coordinates at(extents.size());
  for (size_t i = extents.size(); i-- > 0;) {
    Value *here = flat;
    if (i > 0) {
      Value *extent = b.CreateTrunc(emit(extents[i]), type);
      here = b.CreateURem(flat, extent);
      flat = b.CreateUDiv(flat, extent);
    }
    at[i] = bind(b.CreateZExt(here, b.getInt64Ty()), prefix, indexBounds(extents[i]));
  }
  return at;
}

void cuda::Emitter::computePoint(const Grid &grid, Coordinates at) {
  const Stage &stage = *grid.stage;
  Frame frame = frameOf(stage, at);
  placedValues.clear();
  auto reduced = [&](const Stage &inner) {
    return grid.parts ? totalOf(*grid.parts, inner, at) : reduce(inner, at);
  };
  for (const Stage *inner : grid.reduced)
    placedValues[frameOf(*inner, at).key] = reduced(*inner);
  Value *result = stage.combiner == Combiner::None ? nullptr : reduced(stage);
  memo.clear();
  auto finish = [&] { store(grid, frame, result ? result : evaluate(stage.body, frame)); };
  if (!member)
    return finish();
  branch(b.CreateICmpEQ(member, b.getInt32(0)), finish, [] {});
}

/// A reduction whose parts' sums lie in memory: one after the other, so that equal arguments give
/// equal bits.
Value *cuda::Emitter::totalOf(const Parts &parts, const Stage &stage, const Coordinates &at) {
  const Memory &memory = memories.find(parts.name)->second;
  Coordinates place = {DimExpr(0)};
  place.insert(place.end(), at.begin(), at.end());
  codegen::Accumulated total;
  for (int i = 0; i < parts.count; ++i) {
    place[0] = DimExpr(i);
    Value *sum = b.CreateAlignedLoad(values.type(stage.type),
                                     address(memory, position(*memory.facts, place)),
                                     Align(byteSize(stage.type)));
    total = i ? values.combine(Combiner::Add, stage.type, total, {sum}) : codegen::Accumulated{sum};
  }
  return values.combine(Combiner::Add, stage.type, {values.constant(*stage.init)}, total).value;
}

void cuda::Emitter::store(const Grid &grid, const Frame &frame, Value *value) {
  const Memory &memory = memories.find(grid.stage->name)->second;
  DimExpr place = position(*memory.facts, storedAt(*grid.stage, *memory.facts, frame, true));
  if (memory.facts->type == DType::Bool)
    value = b.CreateZExt(value, b.getInt8Ty());
  b.CreateAlignedStore(value, address(memory, place), Align(byteSize(memory.facts->type)));
}

Value *cuda::Emitter::load(const Memory &memory, const Coordinates &at,
                           const std::vector<Guard> &guards, double outside) {
  const Operand &facts = *memory.facts;
  Type *element = values.memoryType(facts.type);
  Value *isInside = nullptr, *lanes = nullptr;
  checks(guards, isInside, lanes);
  DimExpr place = position(facts, at);
  auto loadHere = [&] {
    return b.CreateAlignedLoad(element, address(memory, place), Align(byteSize(facts.type)));
  };
  Value *result;
  if (!isInside) {
    result = loadHere();
  } else {
    Constant *missing =
        facts.type == DType::Bool ? b.getInt8(outside != 0) : values.constant(outside, facts.type);
    BasicBlock *before = b.GetInsertBlock();
    auto *inside = BasicBlock::Create(b.getContext(), "inside", function);
    auto *after = BasicBlock::Create(b.getContext(), "after", function);
    b.CreateCondBr(isInside, inside, after);
    b.SetInsertPoint(inside);
    Value *loaded = loadHere();
    BasicBlock *from = b.GetInsertBlock();
    b.CreateBr(after);
    b.SetInsertPoint(after);
    PHINode *either = b.CreatePHI(element, 2);
    either->addIncoming(missing, before);
    either->addIncoming(loaded, from);
    result = either;
  }
  return facts.type == DType::Bool ? b.CreateICmpNE(result, b.getInt8(0)) : result;
}
