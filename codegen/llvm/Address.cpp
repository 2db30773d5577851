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

/// The distance of neighbouring lanes in elements; nothing if it is not one known number.
std::optional<int64_t> Emitter::laneStride(const DimExpr &position) {
  auto split = position.splitLinear(laneName);
  if (!split || isVarying(split->second))
    return std::nullopt;
  return split->first;
}

/// Takes quotients of the lane apart: where one of the number of lanes and the divisor divides the
/// other, all lanes have one quotient, or as many have each.
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
      if (!isAligned || (divisor % lanes && lanes % divisor))
        return std::nullopt;
      steps.base = steps.base + term * DimExpr::floorDiv(first, DimExpr(divisor));
      advance(coefficient, divisor);
      continue;
    }
    for (const DimAtom &atom : monomial)
      term = term * DimExpr::ofAtom(atom);
    if (isVarying(term))
      return std::nullopt;
    steps.base = steps.base + term;
  }
  return steps;
}

/// Lanes that step through less than a vector: two scalars, or one load of what they span and a
/// shuffle. Nothing where that would read what no lane does.
Value *Emitter::loadSteps(const Memory &memory, const Steps &steps, Value *scalarTest,
                          Constant *missing) {
  auto *known = dyn_cast_or_null<Constant>(mask);
  if (mask && !known)
    return nullptr;
  SmallVector<int, 16> pick;
  int64_t last = 0;
  for (auto [lane, offset] : llvm::enumerate(steps.offsets)) {
    bool isHere = !known || known->getAggregateElement(lane)->isOneValue();
    if (isHere && (offset < 0 || offset >= lanes))
      return nullptr;
    last = isHere ? std::max(last, offset) : last;
    pick.push_back(isHere ? static_cast<int>(offset) : 0);
  }
  Type *element = values.memoryType(memory.facts->type);
  auto *type = FixedVectorType::get(element, lanes);
  Value *pointer = guardedAddress(memory, steps.base, scalarTest, missing);
  Align align(byteSize(memory.facts->type));
  SmallVector<Constant *, 16> exist;
  if (llvm::all_of(pick, [&](int offset) { return offset == 0 || offset == last; })) {
    for (int offset : pick)
      exist.push_back(b.getInt1(offset == 0));
    Value *first = b.CreateAlignedLoad(element, pointer, align);
    Value *second =
        b.CreateAlignedLoad(element, b.CreateConstGEP1_64(element, pointer, last), align);
    return b.CreateSelect(ConstantVector::get(exist), values.splat(first, lanes),
                          values.splat(second, lanes));
  }
  for (int lane = 0; lane < lanes; ++lane)
    exist.push_back(b.getInt1(lane <= last));
  Value *loaded = last + 1 == lanes
                      ? static_cast<Value *>(b.CreateAlignedLoad(type, pointer, align))
                      : b.CreateMaskedLoad(type, pointer, align, ConstantVector::get(exist),
                                           Constant::getNullValue(type));
  return b.CreateShuffleVector(loaded, pick);
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
    return b.CreateSelect(test, address(memory, place), outsideValues(missing, lanes));
  Value *start =
      b.CreateSelect(test, address(memory, split->second), outsideValues(missing, last + lanes));
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
  if (steps && llvm::all_of(steps->offsets, [](int64_t offset) { return offset == 0; })) {
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
                                ? loadSteps(memory, *steps, scalarTest, missing)
                                : nullptr) {
    result = value;
  } else if (stride == 0 && !laneTest) {
    result = b.CreateAlignedLoad(element, guarded(place), align);
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
