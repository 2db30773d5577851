//===- Address.cpp - loads and stores by their strides ---------------------===//

#include "codegen/llvm/Emitter.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/Constants.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using spec::Operand;

/// Elements of constant memory that one loop may run over.
static constexpr int64_t mostOutside = 4096;
/// Elements that one access may span.
static constexpr int64_t mostSpan = 64;
/// Elements from lane to lane that are loaded with what lies between, not gathered.
static constexpr int64_t mostApart = 4;

/// Whether lanes so far apart are loaded with what lies between.
static bool isNear(int64_t stride, int64_t lanes) {
  int64_t apart = std::abs(stride);
  return lanes > 1 && apart <= mostApart && apart * (lanes - 1) < mostSpan;
}

/// Lanes that lie a few elements apart, or run backwards: loads of all between the one that lies
/// first and the last, and shuffles.
static Value *loadStrided(IRBuilder<> &b, FixedVectorType *type, Value *first, int64_t stride,
                          Align align) {
  int64_t lanes = type->getNumElements(), apart = std::abs(stride);
  int64_t span = apart * (lanes - 1) + 1;
  Value *result = nullptr;
  for (int64_t part = 0; part < apart; ++part) {
    int64_t start = std::min(part * lanes, span - lanes); // nothing behind the last lane
    Value *from = b.CreateConstGEP1_64(type->getElementType(), first, start);
    Value *loaded = b.CreateAlignedLoad(type, from, align);
    SmallVector<int, 64> pick;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      int64_t at = apart * (stride < 0 ? lanes - 1 - lane : lane) - start;
      bool isHere = at >= 0 && at < lanes;
      pick.push_back(static_cast<int>(!isHere ? lane : result ? lanes + at : at));
    }
    result =
        result ? b.CreateShuffleVector(result, loaded, pick) : b.CreateShuffleVector(loaded, pick);
  }
  return result;
}

/// The distance of neighbouring lanes in elements; nothing if it is not one known number.
std::optional<int64_t> Emitter::laneStride(const DimExpr &position) {
  auto split = position.splitLinear(laneName);
  if (!split || isVarying(split->second))
    return std::nullopt;
  return split->first;
}

/// Takes quotients of the lane apart: where one of the number of lanes and the divisor divides the
/// other, all lanes have one quotient, or as many have each; else few quotients are parts.
std::optional<Steps> Emitter::stepsOf(const DimExpr &position) {
  Steps steps;
  steps.offsets.assign(lanes, 0);
  auto advance = [&](int64_t coefficient, int64_t lanesEach) {
    for (int lane = 0; lane < lanes; ++lane)
      steps.offsets[lane] += coefficient * (lane / lanesEach);
  };
  for (const auto &[monomial, coefficient] : position.monomials()) {
    DimExpr term(coefficient);
    bool isQuotient = monomial.size() == 1 && monomial[0].kind == DimAtom::Kind::Quotient;
    auto split = isQuotient ? monomial[0].left->splitLinear(laneName) : std::nullopt;
    int64_t divisor = isQuotient ? monomial[0].right->constantValue().value_or(0) : 0;
    if (monomial.size() == 1 && monomial[0].kind == DimAtom::Kind::Symbol &&
        monomial[0].symbol == laneName) {
      advance(coefficient, 1);
      continue;
    }
    if (split && split->first == 1 && divisor > 0) {
      const DimExpr &first = split->second;
      bool isAligned = first == DimExpr::floorDiv(first, lanes) * DimExpr(lanes);
      steps.base = steps.base + term * DimExpr::floorDiv(first, DimExpr(divisor));
      if (isAligned && partsOf(lanes, divisor) == 1) {
        advance(coefficient, divisor);
        continue;
      }
      int64_t parts = (lanes + divisor - 2) / divisor + 1;
      if (steps.parts > 1 || parts > mostParts || isVarying(first))
        return std::nullopt;
      steps.parts = parts;
      steps.distance = coefficient;
      steps.start = first;
      steps.divisor = divisor;
      continue;
    }
    for (const DimAtom &atom : monomial)
      term = term * DimExpr::ofAtom(atom);
    if (isVarying(term))
      return std::nullopt;
    steps.base = steps.base + term;
  }
  bool isMixed = steps.parts > 1 && llvm::any_of(steps.offsets, [](int64_t by) { return by != 0; });
  return isMixed ? std::nullopt : std::optional(steps);
}

/// A scalar for each part, chosen by the lanes at which it begins. A part that no lane reads takes
/// the first one's place.
Value *Emitter::loadParts(const Steps &steps, Value *first, Type *element, Value *isThere,
                          function_ref<Value *(Value *)> get) {
  Value *within = emit(steps.start - DimExpr::floorDiv(steps.start, steps.divisor) * steps.divisor);
  SmallVector<Constant *, 64> numbers;
  for (int lane = 0; lane < lanes; ++lane)
    numbers.push_back(b.getInt32(lane));
  Value *lane = ConstantVector::get(numbers), *result = values.splat(get(first), lanes);
  for (int64_t part = 1; part < steps.parts; ++part) {
    Value *begin = b.CreateSub(emit(steps.divisor * DimExpr(part)), within);
    Value *isOf = b.CreateICmpSGE(lane, values.splat(b.CreateTrunc(begin, b.getInt32Ty()), lanes));
    Value *isRead = b.CreateOrReduce(mask ? b.CreateAnd(isOf, mask) : isOf);
    isRead = isThere ? b.CreateAnd(isRead, isThere) : isRead;
    Value *by = b.CreateSelect(isRead, b.getInt64(part * steps.distance), b.getInt64(0));
    Value *scalar = get(b.CreateGEP(element, first, by));
    result = b.CreateSelect(isOf, values.splat(scalar, lanes), result);
  }
  return result;
}

/// Lanes that step through less than a vector: scalars, or one load of what they span and a
/// shuffle. `each`: what a lane reads, an element or several bytes. Nothing where that would read
/// what no lane does.
Value *Emitter::loadSteps(const Memory &memory, const Steps &steps, Value *scalarTest,
                          Constant *missing, Type *each) {
  Type *element = values.memoryType(memory.facts->type);
  int64_t count = each->getScalarSizeInBits() / element->getScalarSizeInBits();
  Align align(byteSize(memory.facts->type));
  auto get = [&](Value *from) -> Value * { return b.CreateAlignedLoad(each, from, align); };
  if (steps.parts > 1)
    return loadParts(steps, guardedAddress(memory, steps.base, scalarTest, missing), element,
                     scalarTest, get);
  auto *known = dyn_cast_or_null<Constant>(mask);
  if (mask && !known)
    return nullptr;
  SmallVector<int, 64> pick;
  int64_t last = 0, most = count == 1 ? lanes : mostSpan;
  bool areTwo = true;
  for (auto [lane, offset] : llvm::enumerate(steps.offsets)) {
    bool isHere = !known || known->getAggregateElement(lane)->isOneValue();
    if (isHere && (offset < 0 || offset + count > most))
      return nullptr;
    last = isHere ? std::max(last, offset) : last;
    for (int64_t i = 0; i < count; ++i)
      pick.push_back(isHere ? static_cast<int>(offset + i) : static_cast<int>(i));
  }
  Value *pointer = guardedAddress(memory, steps.base, scalarTest, missing);
  SmallVector<Constant *, 64> exist;
  for (int lane = 0; lane < lanes; ++lane) {
    int offset = pick[lane * count];
    areTwo &= offset == 0 || offset == last;
    exist.push_back(b.getInt1(offset == 0));
  }
  if (areTwo) {
    Value *first = get(pointer), *second = get(b.CreateConstGEP1_64(element, pointer, last));
    return b.CreateSelect(ConstantVector::get(exist), values.splat(first, lanes),
                          values.splat(second, lanes));
  }
  int64_t span = last + count, width = count == 1 ? lanes : span;
  auto *type = FixedVectorType::get(element, width);
  exist.clear();
  for (int64_t i = 0; i < width; ++i)
    exist.push_back(b.getInt1(i < span));
  Value *loaded = span == width
                      ? static_cast<Value *>(b.CreateAlignedLoad(type, pointer, align))
                      : b.CreateMaskedLoad(type, pointer, align, ConstantVector::get(exist),
                                           Constant::getNullValue(type));
  return b.CreateBitCast(b.CreateShuffleVector(loaded, pick), FixedVectorType::get(each, lanes));
}

/// Constant memory of at least `count` elements that accesses outside of a tensor are sent to
/// instead of a branch around them.
Constant *Emitter::outsideValues(Constant *element, int64_t count) {
  std::vector<Constant *> elements(alignTo(std::max<int64_t>(lanes, count), 16), element);
  auto *type = ArrayType::get(element->getType(), elements.size());
  auto *value = ConstantArray::get(type, elements);
  for (GlobalVariable &global : module.globals())
    if (global.getInitializer() == value)
      return &global;
  auto *global =
      new GlobalVariable(module, type, true, GlobalValue::PrivateLinkage, value, "outside");
  global->setAlignment(Align(64));
  return global;
}

/// The address of `place` where the test holds, of constants elsewhere. What the innermost loop
/// adds is added behind the choice, which so moves out of it.
Value *Emitter::guardedAddress(const Memory &memory, const DimExpr &place, Value *test,
                               Constant *missing) {
  if (!test)
    return address(memory, place);
  auto split = innermost ? place.splitLinear(innermost->symbol) : std::nullopt;
  int64_t step = split ? split->first : 0, last = step > 0 ? step * (innermost->extent - 1) : 0;
  if (step <= 0 || last > mostOutside)
    return b.CreateSelect(test, address(memory, place), outsideValues(missing, mostSpan));
  Value *start =
      b.CreateSelect(test, address(memory, split->second), outsideValues(missing, last + mostSpan));
  return b.CreateGEP(missing->getType(), start,
                     emit(DimExpr::symbol(innermost->symbol) * DimExpr(step)));
}

Value *Emitter::load(const Memory &memory, const Coordinates &at, const std::vector<Guard> &guards,
                     double outside) {
  const Operand &facts = *memory.facts;
  Type *element = values.memoryType(facts.type);
  Align align(byteSize(facts.type));
  DimExpr place = position(facts, at);
  std::optional<int64_t> stride = laneStride(place);
  Value *scalarTest = nullptr, *laneTest = nullptr, *result;
  checks(guards, scalarTest, laneTest);
  std::optional<Steps> steps = stride ? std::nullopt : stepsOf(place);
  if (steps && steps->isOne()) {
    stride = 0;
    place = steps->base;
  }
  Constant *missing =
      facts.type == DType::Bool ? b.getInt8(outside != 0) : values.constant(outside, facts.type);
  auto guarded = [&](const DimExpr &at) { return guardedAddress(memory, at, scalarTest, missing); };
  bool isGather = stride != 0 && stride != 1 && !scalarTest && !laneTest;
  if (Value *value = isGather ? loadTurned(memory, place) : nullptr) {
    result = value;
  } else if (Value *value = steps && !laneTest && !stride
                                ? loadSteps(memory, *steps, scalarTest, missing, element)
                                : nullptr) {
    result = value;
  } else if (stride == 0 && !laneTest) {
    result = b.CreateAlignedLoad(element, guarded(place), align);
  } else if (stride && stride != 1 && !laneTest && !mask && isNear(*stride, lanes)) {
    DimExpr lane = DimExpr::symbol(laneName);
    DimExpr first = place - (stride > 0 ? lane : lane - DimExpr(lanes - 1)) * DimExpr(*stride);
    result = loadStrided(b, FixedVectorType::get(element, lanes), guarded(first), *stride, align);
  } else {
    auto *type = FixedVectorType::get(element, lanes);
    auto *rest = ConstantVector::getSplat(type->getElementCount(), missing);
    Value *test = laneTest;
    if (mask && !(facts.panel && stride == 1)) // a panel has all lanes
      test = test ? b.CreateAnd(test, mask) : mask;
    if (stride == 1) {
      Value *pointer = guarded(place - DimExpr::symbol(laneName));
      result = test ? static_cast<Value *>(b.CreateMaskedLoad(type, pointer, align, test, rest))
                    : b.CreateAlignedLoad(type, pointer, align);
    } else {
      if (scalarTest) {
        Value *all = values.splat(scalarTest, lanes);
        test = test ? b.CreateAnd(test, all) : all;
      }
      Value *pointers = b.CreateGEP(element, memory.base, values.splat(emit(place), lanes));
      result = b.CreateMaskedGather(type, pointers, align, test, rest);
    }
  }
  return facts.type == DType::Bool
             ? b.CreateICmpNE(result, Constant::getNullValue(result->getType()))
             : result;
}

void Emitter::store(const Memory &memory, const Coordinates &at, Value *value) {
  const Operand &facts = *memory.facts;
  Align align(byteSize(facts.type));
  DimExpr place = position(facts, at);
  std::optional<int64_t> stride = laneStride(place);
  if (facts.type == DType::Bool) {
    Type *byte = b.getInt8Ty();
    if (auto *vector = dyn_cast<VectorType>(value->getType()))
      byte = VectorType::get(byte, vector->getElementCount());
    value = b.CreateZExt(value, byte);
  }
  if (stride == 0 && !value->getType()->isVectorTy()) {
    b.CreateAlignedStore(value, address(memory, place), align);
    return;
  }
  value = values.splat(value, lanes);
  if (stride == 1) {
    Value *pointer = address(memory, place - DimExpr::symbol(laneName));
    if (mask)
      b.CreateMaskedStore(value, pointer, align, mask);
    else
      b.CreateAlignedStore(value, pointer, align);
    return;
  }
  Value *pointers =
      b.CreateGEP(value->getType()->getScalarType(), memory.base, values.splat(emit(place), lanes));
  b.CreateMaskedScatter(value, pointers, align, mask);
}
