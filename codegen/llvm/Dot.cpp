//===- Dot.cpp - sums of products of bytes, several by an instruction -----===//
//
// A weight in panels of groups of four along the reduction meets four neighbouring bytes of the
// other factor: `vpdpbusd` where there is one, else products of 16 bits, else four of 32 bits. All
// are exact: only the sum of 32 bits wraps.
//
//===----------------------------------------------------------------------===//

#include "codegen/llvm/Emitter.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/IntrinsicsX86.h"

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using namespace kiln::spec;

/// Bytes that one lane of 32 bits takes.
static constexpr int64_t dotGroup = 4;

static bool isByte(DType type) { return type == DType::U8 || type == DType::I8; }

/// The byte that a factor of 32 bits widens.
static ExprPtr widened(const ExprPtr &factor) {
  bool isWidened =
      factor->op == Op::Cast && factor->type == DType::I32 && isByte(factor->args[0]->type);
  return isWidened ? factor->args[0] : nullptr;
}

/// Whether the read's last coordinate is that dimension itself and no other one moves with it.
static bool endsWith(const Read &read, int dim) {
  bool isPlain = !read.outside && llvm::none_of(read.indices, [](const Index &index) {
    return index.indirect != nullptr;
  });
  auto moves = [&](const Index &index) {
    return llvm::any_of(index.terms, [&](auto &term) { return term.first == dim; });
  };
  const Index &last = read.indices.back();
  return isPlain && llvm::none_of(ArrayRef(read.indices).drop_back(), moves) &&
         last.terms == std::vector{std::pair(dim, int64_t(1))} && last.offset == DimExpr(0);
}

std::optional<Dot> Emitter::dotOf(const Placed &placed) const {
  const Stage &stage = *placed.stage;
  if (stage.combiner != Combiner::Add || stage.type != DType::I32 || stage.body->op != Op::Mul ||
      stage.reduction.empty() || placed.lanesAlong >= 0 || lanes < dotGroup)
    return std::nullopt;
  int last = static_cast<int>(stage.domain.size() + stage.reduction.size()) - 1;
  for (int i : {1, 0}) {
    ExprPtr weight = widened(stage.body->args[i]), other = widened(stage.body->args[1 - i]);
    if (!weight || !other || weight->op != Op::Read)
      continue;
    const Operand *operand = spec.findOperand(weight->read.source);
    if (operand && operand->panel && operand->panel->group == dotGroup &&
        endsWith(weight->read, last))
      return Dot{other, weight, dotGroup, dotForm(lanes, other->type, weight->type)};
  }
  return std::nullopt;
}

/// The best form for so many lanes on this target.
Dot::Form Emitter::dotForm(int lanes, DType x, DType y) const {
  bool isWide = lanes == 16, isNarrow = lanes == 8 || lanes == 4;
  if (!hasFeature || !(isWide || isNarrow))
    return Dot::Form::Single;
  bool hasQuads = isWide ? hasFeature("+avx512vnni")
                         : hasFeature("+avx512vnni,+avx512vl") || hasFeature("+avxvnni");
  if (hasQuads && (x == DType::I8 || y == DType::I8))
    return Dot::Form::Quads;
  bool hasPairs = isWide ? hasFeature("+avx512bw") : lanes == 8 ? hasFeature("+avx2") : true;
  return hasPairs ? Dot::Form::Pairs : Dot::Form::Single;
}

/// Where the read of a byte goes, through stages that only read; nothing where that is not known
/// without computing.
std::optional<Access> Emitter::accessOf(const ExprPtr &expr, const Frame &frame) {
  if (expr->op != Op::Read)
    return std::nullopt;
  const Read &read = expr->read;
  const Coordinates &shape = shapeOf(read);
  Access access;
  for (size_t i = 0; i < shape.size(); ++i) {
    const Index &index = read.indices[i];
    bool isComputed = index.indirect && computed(index, shape[i], frame);
    if (index.indirect && !isComputed)
      return std::nullopt;
    access.at.push_back(coordinate(index, shape[i], frame, false));
    bool isInside = isComputed && index.terms.empty() && index.offset == DimExpr(0);
    if (read.outside && !isInside)
      access.guards.push_back({&index, access.at.back(), shape[i]});
  }
  if (auto it = memories.find(read.source); it != memories.end()) {
    access.memory = &it->second;
    access.outside = read.outside.value_or(0);
    return access;
  }
  const Stage &stage = *spec.findStage(read.source);
  if (read.outside || stage.combiner != Combiner::None)
    return std::nullopt;
  return accessOf(stage.body, frameOf(stage, access.at));
}

/// The bytes of a factor from the frame's point on along the last dimension, as the bytes of an
/// i32 or of a vector of them; zeros behind the first `count`.
Value *Emitter::bytesAt(const ExprPtr &factor, const Frame &frame, int64_t count) {
  auto moved = [&](int64_t by) {
    Coordinates at = frame.at;
    at.back() = at.back() + DimExpr(by);
    return frameOf(*frame.stage, std::move(at));
  };
  if (std::optional<Access> access = accessOf(factor, frame)) {
    DimExpr place = position(*access->memory->facts, access->at);
    bool isDense = true;
    for (int64_t i = 1; i < count; ++i) {
      Access next = *accessOf(factor, moved(i));
      isDense &= position(*next.memory->facts, next.at) - place == DimExpr(i);
      for (auto [one, other] : llvm::zip_equal(access->guards, next.guards))
        isDense &= one.coordinate == other.coordinate || proven.count(one.index);
    }
    // Behind a whole group, the four bytes that end with these exist.
    int64_t before = dotGroup - count;
    bool isBehind = frame.stage->reduction.back().constantValue().value_or(0) >= dotGroup;
    if (isDense && isBehind && count > 1 && count < dotGroup && !access->memory->facts->panel)
      return b.CreateLShr(loadBytes(*access, place - DimExpr(before), dotGroup), 8 * before);
    if (isDense)
      return loadBytes(*access, place, count);
  }
  Value *result = nullptr;
  for (int64_t i = 0; i < count; ++i)
    result = joinByte(result, evaluate(factor, moved(i)), i);
  return result;
}

/// Puts byte number `i` above those before it.
Value *Emitter::joinByte(Value *before, Value *byte, int64_t i) {
  Value *wide = values.cast(byte, DType::U8, DType::I32);
  wide = b.CreateShl(wide, 8 * i);
  if (!before)
    return wide;
  Value *args[] = {before, wide};
  values.unify(args);
  return b.CreateOr(args[0], args[1]);
}

/// Bytes that lie side by side in memory, nothing else of which is touched.
Value *Emitter::loadBytes(const Access &access, DimExpr place, int64_t count) {
  const Memory &memory = *access.memory;
  Value *scalarTest = nullptr, *laneTest = nullptr;
  checks(access.guards, scalarTest, laneTest);
  std::optional<int64_t> stride = laneStride(place);
  std::optional<Steps> steps = stride ? std::nullopt : stepsOf(place);
  if (steps && steps->isOne()) {
    stride = 0;
    place = steps->base;
  }
  Constant *missing = values.constant(access.outside, memory.facts->type);
  Type *byte = b.getInt8Ty(), *quad = b.getInt32Ty();
  auto each = [&](function_ref<Value *(Type *, int64_t)> get) {
    if (count == dotGroup)
      return get(quad, 0);
    Value *low = get(count == 1 ? byte : b.getInt16Ty(), 0);
    low = low ? b.CreateZExt(low, low->getType()->getWithNewType(quad)) : nullptr;
    if (!low || count < 3)
      return low;
    Value *high = get(byte, 2);
    return high ? joinByte(low, high, 2) : nullptr;
  };
  if (stride == 0 && !laneTest) {
    Value *pointer = guardedAddress(memory, place, scalarTest, missing);
    return each([&](Type *type, int64_t by) -> Value * {
      return b.CreateAlignedLoad(type, b.CreateConstGEP1_64(byte, pointer, by), Align(1));
    });
  }
  if (steps && steps->parts > 1 && !laneTest)
    return loadParts(*steps, guardedAddress(memory, steps->base, scalarTest, missing), byte,
                     scalarTest, [&](Value *from) {
                       return each([&](Type *type, int64_t by) -> Value * {
                         return b.CreateAlignedLoad(type, b.CreateConstGEP1_64(byte, from, by),
                                                    Align(1));
                       });
                     });
  if (steps && !laneTest && !stride) {
    const DimExpr base = steps->base;
    Value *result = each([&](Type *type, int64_t by) {
      steps->base = base + DimExpr(by);
      return loadSteps(memory, *steps, scalarTest, missing, type);
    });
    if (result)
      return result;
  }
  // The lanes of a panel and the zeros behind K exist.
  if (stride == dotGroup && memory.facts->panel && memory.facts->panel->group == dotGroup)
    return b.CreateAlignedLoad(FixedVectorType::get(quad, lanes),
                               address(memory, place - DimExpr::symbol(laneName) * dotGroup),
                               Align(1));
  Value *test = laneTest;
  for (Value *one : {mask, scalarTest})
    if (one)
      test = test ? b.CreateAnd(test, values.splat(one, lanes)) : values.splat(one, lanes);
  Value *pointers = b.CreateGEP(byte, memory.base, values.splat(emit(place), lanes));
  return each([&](Type *type, int64_t by) -> Value * {
    auto *vector = FixedVectorType::get(type, lanes);
    APInt bits = cast<ConstantInt>(missing)->getValue();
    Constant *rest = ConstantInt::get(vector, APInt::getSplat(type->getIntegerBitWidth(), bits));
    Value *from = b.CreateGEP(byte, pointers, b.getInt64(by));
    return b.CreateMaskedGather(vector, from, Align(1), test, rest);
  });
}

/// acc plus the four products of each lane, of factors in lanes of 32 bits. The instruction wants
/// an unsigned and a signed byte: of two signed ones the first gets 128 more, which is taken off
/// again.
Value *Emitter::dotQuads(const Dot &dot, Value *acc, Value *x, Value *y) {
  auto *type = cast<FixedVectorType>(acc->getType());
  unsigned count = type->getNumElements();
  Intrinsic::ID id = count == 16  ? Intrinsic::x86_avx512_vpdpbusd_512
                     : count == 8 ? Intrinsic::x86_avx512_vpdpbusd_256
                                  : Intrinsic::x86_avx512_vpdpbusd_128;
  auto products = [&](Value *sum, Value *unsignedBytes, Value *signedBytes) {
    auto *bytes = FixedVectorType::get(b.getInt8Ty(), 4 * count);
    return b.CreateIntrinsic(
        id, {}, {sum, b.CreateBitCast(unsignedBytes, bytes), b.CreateBitCast(signedBytes, bytes)});
  };
  if (dot.y->type == DType::U8)
    return products(acc, y, x);
  if (dot.x->type == DType::U8)
    return products(acc, x, y);
  Constant *half = ConstantInt::get(type, 0x80808080);
  Value *excess = products(Constant::getNullValue(type), half, y);
  return b.CreateSub(products(acc, b.CreateXor(x, half), y), excess);
}

/// acc plus the four products of each lane.
Value *Emitter::dot(const Dot &dot, Value *acc, Value *x, Value *y) {
  Value *args[] = {x, y, acc};
  values.unify(args);
  bool xIsSigned = dot.x->type == DType::I8, yIsSigned = dot.y->type == DType::I8;
  auto *type = dyn_cast<FixedVectorType>(args[2]->getType());
  unsigned count = type ? type->getNumElements() : 1;
  if (type && dot.form == Dot::Form::Quads)
    return dotQuads(dot, args[2], args[0], args[1]);
  // Part `i` of each lane, widened to `width` bits, of which one half or four quarters are.
  auto part = [&](Value *value, bool isSigned, unsigned i) {
    unsigned left = value->getType()->getScalarSizeInBits() - 8 * (i + 1);
    value = b.CreateShl(value, left);
    return isSigned ? b.CreateAShr(value, left + 8 * i) : b.CreateLShr(value, left + 8 * i);
  };
  Value *sum = args[2];
  if (type && dot.form == Dot::Form::Pairs) {
    auto *halves = FixedVectorType::get(b.getInt16Ty(), 2 * count);
    Intrinsic::ID id = count == 16  ? Intrinsic::x86_avx512_pmaddw_d_512
                       : count == 8 ? Intrinsic::x86_avx2_pmadd_wd
                                    : Intrinsic::x86_sse2_pmadd_wd;
    Value *a = b.CreateBitCast(args[0], halves), *w = b.CreateBitCast(args[1], halves);
    for (unsigned i : {0, 1})
      sum = b.CreateAdd(sum,
                        b.CreateIntrinsic(id, {}, {part(a, xIsSigned, i), part(w, yIsSigned, i)}));
    return sum;
  }
  for (unsigned i = 0; i < 4; ++i)
    sum = b.CreateAdd(sum, b.CreateMul(part(args[0], xIsSigned, i), part(args[1], yIsSigned, i)));
  return sum;
}

/// Adds `count` products to an accumulator, at most as many as lie in a group.
void Emitter::dotStep(const Placed &placed, Instance &instance, int64_t count) {
  memo.clear();
  mask = instance.mask;
  Frame frame = frameOf(*placed.stage, instance.frame.at);
  AllocaInst *memory = instance.values[0];
  Value *acc = b.CreateLoad(memory->getAllocatedType(), memory);
  Value *x = bytesAt(placed.dot->x, frame, count), *y = bytesAt(placed.dot->y, frame, count);
  b.CreateStore(dot(*placed.dot, acc, x, y), memory);
}

/// The products behind the last whole group.
void Emitter::dotRest(const Placed &placed, std::vector<Instance> &instances) {
  const DimExpr &extent = placed.stage->reduction.back();
  DimExpr full = DimExpr::floorDiv(extent, dotGroup) * DimExpr(dotGroup), rest = extent - full;
  auto at = [&](const DimExpr &value) {
    for (Instance &instance : instances)
      instance.frame.at.back() = value;
  };
  if (std::optional<int64_t> count = rest.constantValue()) {
    at(full);
    for (Instance &instance : instances)
      if (*count > 0)
        dotStep(placed, instance, *count);
    return;
  }
  loop(b.getInt64(0), emit(rest), [&](Value *i) {
    at(full + bind(i, "%i", {0, dotGroup - 2}));
    for (Instance &instance : instances)
      step(placed, instance, 0, instance.mask);
  });
}
