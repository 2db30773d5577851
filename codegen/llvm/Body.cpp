//===- Body.cpp - polynomials, conditions and control flow ----------------===//

#include "codegen/llvm/Body.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/Constants.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using namespace kiln::spec;

Frame Body::frameOf(const Stage &stage, Coordinates at, std::vector<Guard> guards) {
  std::string key = stage.name;
  for (const DimExpr &value : at)
    key += "," + value.str();
  for (const Guard &guard : guards)
    key += "?" + guard.coordinate.str();
  return {&stage, std::move(at), std::move(guards), std::move(key)};
}

DimExpr Body::bind(Value *value, const std::string &prefix, DimBounds range) {
  std::string name = prefix + std::to_string(unique++);
  env[name] = {value, static_cast<int>(env.size())};
  bounds[name] = range;
  return DimExpr::symbol(name);
}

int Body::depthOf(const DimExpr &expr) {
  std::set<std::string> names;
  expr.collectSymbols(names);
  int depth = -1;
  for (const std::string &name : names)
    if (auto it = env.find(name); it != env.end())
      depth = std::max(depth, it->second.second);
  return depth;
}

bool Body::isVarying(const DimExpr &expr) {
  std::set<std::string> names;
  expr.collectSymbols(names);
  return std::any_of(names.begin(), names.end(), [&](const std::string &name) {
    return env.find(name)->second.first->getType()->isVectorTy();
  });
}

Value *Body::emitAtom(const DimAtom &atom) {
  if (atom.kind == DimAtom::Kind::Symbol)
    return env.find(atom.symbol)->second.first;
  Value *args[] = {emit(*atom.left), emit(*atom.right)};
  std::optional<int64_t> divisor = atom.right->constantValue();
  values.unify(args);
  if (atom.kind != DimAtom::Kind::Quotient)
    return b.CreateBinaryIntrinsic(
        atom.kind == DimAtom::Kind::Min ? Intrinsic::smin : Intrinsic::smax, args[0], args[1]);
  if (divisor && *divisor > 0 && isPowerOf2_64(*divisor))
    return b.CreateAShr(args[0], Log2_64(*divisor));
  return values.floorDiv(args[0], args[1], true);
}

/// Terms of outer loops come first, so that partial sums move out of the inner ones; the constant
/// comes last, so that neighbours share all else.
Value *Body::emit(const DimExpr &expr) {
  struct Term {
    int depth;
    const DimExpr::Monomial *monomial;
    int64_t coefficient;
  };
  std::vector<Term> terms;
  int64_t constant = 0;
  for (const auto &[monomial, coefficient] : expr.monomials()) {
    if (monomial.empty()) {
      constant = coefficient;
      continue;
    }
    int depth = -1;
    for (const DimAtom &atom : monomial)
      depth = std::max(depth, atom.kind == DimAtom::Kind::Symbol
                                  ? env.find(atom.symbol)->second.second
                                  : std::max(depthOf(*atom.left), depthOf(*atom.right)));
    terms.push_back({depth, &monomial, coefficient});
  }
  std::stable_sort(terms.begin(), terms.end(),
                   [](const Term &x, const Term &y) { return x.depth < y.depth; });
  auto join = [&](Value *x, Value *y, bool isProduct) {
    Value *args[] = {x, y};
    values.unify(args);
    return isProduct ? b.CreateNSWMul(args[0], args[1]) : b.CreateNSWAdd(args[0], args[1]);
  };
  Value *sum = nullptr;
  for (const Term &term : terms) {
    Value *product = nullptr;
    for (const DimAtom &atom : *term.monomial)
      product = product ? join(product, emitAtom(atom), true) : emitAtom(atom);
    if (term.coefficient != 1)
      product = join(product, b.getInt64(term.coefficient), true);
    sum = sum ? join(sum, product, false) : product;
  }
  if (!sum)
    return b.getInt64(constant);
  return constant ? join(sum, b.getInt64(constant), false) : sum;
}

/// Elements from the operand's start.
DimExpr Body::position(const Operand &facts, const Coordinates &at) {
  DimExpr result;
  if (!facts.panel) {
    for (size_t i = 0; i < at.size(); ++i)
      result = result + at[i] * facts.strides[i];
    return result;
  }
  // The lane leaves the quotient where all lanes of the vector lie in one panel.
  auto split = at[0].splitLinear(laneName);
  DimExpr n = at[0], lane;
  auto [width, group] = *facts.panel;
  if (split && split->first == 1 && width % lanes == 0 &&
      split->second == DimExpr::floorDiv(split->second, lanes) * DimExpr(lanes)) {
    n = split->second;
    lane = DimExpr::symbol(laneName);
  }
  DimExpr panel = DimExpr::floorDiv(n, width), k = at.back(), part = DimExpr::floorDiv(k, group);
  std::vector<DimExpr> extents = facts.packedShape();
  result = panel;
  for (size_t i = 1; i + 1 < at.size(); ++i)
    result = result * extents[i] + at[i];
  result = result * extents[at.size() - 1] + part;
  result = result * DimExpr(width) + n - panel * DimExpr(width) + lane;
  return result * DimExpr(group) + k - part * DimExpr(group);
}

/// Whether 0 <= coordinate < extent; null if that is always so.
Value *Body::condition(const Guard &guard) {
  if (proven.count(guard.index))
    return nullptr;
  auto low = guard.coordinate.bounds(bounds).lower;
  auto room = (guard.extent - guard.coordinate).bounds(bounds).lower;
  if (low && *low >= 0 && room && *room > 0)
    return nullptr;
  Value *args[] = {emit(guard.coordinate), emit(guard.extent)};
  values.unify(args);
  return b.CreateICmpULT(args[0], args[1]);
}

void Body::checks(const std::vector<Guard> &guards, Value *&scalar, Value *&wide) {
  for (const Guard &guard : guards) {
    Value *test = condition(guard);
    if (!test)
      continue;
    Value *&kept = test->getType()->isVectorTy() ? wide : scalar;
    kept = kept ? b.CreateAnd(kept, test) : test;
  }
}

Value *Body::address(const Memory &memory, const DimExpr &position) {
  Type *element = values.memoryType(memory.facts->type);
  DimExpr fixed;
  for (const auto &[monomial, coefficient] : position.monomials())
    if (monomial.empty())
      fixed = DimExpr(coefficient);
  Value *pointer = b.CreateGEP(element, memory.base, emit(position - fixed));
  return fixed == DimExpr(0) ? pointer : b.CreateGEP(element, pointer, emit(fixed));
}

void Body::loop(Value *from, Value *to, LoopBody body, Value *step) {
  auto *first = dyn_cast<ConstantInt>(from), *last = dyn_cast<ConstantInt>(to);
  if (first && last && first->getSExtValue() >= last->getSExtValue())
    return;
  if (first && last && first->getSExtValue() + 1 == last->getSExtValue())
    return body(from);
  Function *function = b.GetInsertBlock()->getParent();
  LLVMContext &context = b.getContext();
  BasicBlock *before = b.GetInsertBlock();
  auto *inside = BasicBlock::Create(context, "loop", function);
  auto *after = BasicBlock::Create(context, "done", function);
  b.CreateCondBr(b.CreateICmpSLT(from, to), inside, after);
  b.SetInsertPoint(inside);
  PHINode *i = b.CreatePHI(b.getInt64Ty(), 2, "i");
  i->addIncoming(from, before);
  body(i);
  Value *next = b.CreateNSWAdd(i, step ? step : b.getInt64(1));
  i->addIncoming(next, b.GetInsertBlock());
  b.CreateCondBr(b.CreateICmpSLT(next, to), inside, after);
  b.SetInsertPoint(after);
}

void Body::branch(Value *condition, function_ref<void()> yes, function_ref<void()> no) {
  if (auto *known = dyn_cast<ConstantInt>(condition))
    return known->isOne() ? yes() : no();
  Function *function = b.GetInsertBlock()->getParent();
  auto *first = BasicBlock::Create(b.getContext(), "yes", function);
  auto *second = BasicBlock::Create(b.getContext(), "no", function);
  auto *after = BasicBlock::Create(b.getContext(), "join", function);
  b.CreateCondBr(condition, first, second);
  b.SetInsertPoint(first);
  yes();
  b.CreateBr(after);
  b.SetInsertPoint(second);
  no();
  b.CreateBr(after);
  b.SetInsertPoint(after);
}

/// Where a point of a stored stage lies in its operand.
Coordinates Body::storedAt(const Stage &root, const Operand &facts, const Frame &frame,
                           bool emits) {
  if (root.store.empty())
    return frame.at;
  Coordinates at;
  for (size_t i = 0; i < root.store.size(); ++i)
    at.push_back(coordinate(root.store[i], facts.shape[i], frame, emits));
  return at;
}
