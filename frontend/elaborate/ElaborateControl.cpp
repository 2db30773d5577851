//===- ElaborateControl.cpp - loops, branches and state -------------------===//
//
// A region is built where it stands, before its results' types are known: the op is made without
// those, and again with them once the body's last statement has been read. Every state goes through
// every loop as a carried value; what a loop does not change is dropped by canonicalisation.
//
//===----------------------------------------------------------------------===//
#include "frontend/elaborate/Elaborator.h"
#include "ir/KilnOps.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

/// Whether a statement of the block binds the name.
static bool binds(Block block, StringRef name) {
  return any_of(block, [&](const Stmt *stmt) {
    if (auto *assign = dyn_cast<AssignStmt>(stmt))
      return any_of(assign->targets, [&](const Expr *target) {
        if (auto *index = dyn_cast<IndexExpr>(target))
          target = index->base;
        auto *bound = dyn_cast<NameExpr>(target);
        return bound && bound->name == name;
      });
    if (auto *branch = dyn_cast<IfStmt>(stmt))
      return binds(branch->thenBody, name) || binds(branch->elseBody, name);
    auto *loop = dyn_cast<ForStmt>(stmt);
    return loop && binds(loop->body, name);
  });
}

static Value several(std::vector<Value> values) {
  if (values.size() == 1)
    return values[0];
  return Results{*Value::list(std::move(values)).as<ListPtr>()};
}

mlir::Value Elaborator::conform(const Value &given, mlir::Type type, SMRange place,
                                const std::string &what, ArrayRef<Note> notes) {
  mlir::Value value = toTensor(given, *ir::dtypeOf(type), place);
  if (!value || value.getType() == type)
    return value;
  Dims expected = ir::dimsOf(type), got = ir::dimsOf(value.getType());
  if (ir::dtypeOf(value.getType()) != ir::dtypeOf(type) || got.size() != expected.size()) {
    failWith(place, DiagCode::TypeMismatch,
             what + ": expected " + ir::typeText(type) + ", got " + ir::typeText(value.getType()),
             notes);
    return nullptr;
  }
  for (auto [i, extent] : enumerate(got))
    if (!require({extent, Relation::Equal, expected[i], what + ": extent " + std::to_string(i)},
                 place, {}, notes))
      return nullptr;
  return at(place).reshape(value, expected);
}

//===----------------------------------------------------------------------===//
// Carried values
//===----------------------------------------------------------------------===//

bool Elaborator::carry(ArrayRef<Carried> carried, SmallVectorImpl<mlir::Value> &initial) {
  bool ok = true;
  for (auto [i, each] : enumerate(carried)) {
    for (const Carried &other : carried.take_front(i))
      if (other.name.text == each.name.text) {
        failAt(each.name.range, DiagCode::DuplicateName,
               inQuotes(each.name.text) + " is carried twice", other.name.range,
               "it is named here");
        ok = false;
      }
    Value value = eval(each.initial);
    initial.push_back(value.isError() ? nullptr
                                      : toTensor(value, std::nullopt, each.initial->range));
    ok &= initial.back() != nullptr;
  }
  for (auto &[state, value] : stateValues)
    initial.push_back(value);
  return ok;
}

void Elaborator::openRegion(mlir::Region &region, ArrayRef<Carried> carried,
                            mlir::ValueRange arguments) {
  builder.setInsertionPointToEnd(&region.front());
  for (auto [each, value] : zip_first(carried, arguments))
    bindLocal(each.name, value);
  for (auto [entry, value] : zip(stateValues, arguments.drop_front(carried.size())))
    entry.second = value;
}

/// Runs the statements of a round and collects what the next one gets; false after an error.
bool Elaborator::runRound(Block body, ArrayRef<Carried> carried, mlir::TypeRange types,
                          SmallVectorImpl<mlir::Value> &next) {
  exec(body);
  if (frame->result || diags.isFull()) // an error: a round has no 'return'
    return false;
  bool ok = true;
  for (auto [i, each] : enumerate(carried)) {
    if (!binds(body, each.name.text)) {
      fail(each.name.range, DiagCode::UnknownName,
           "the carried name " + inQuotes(each.name.text) +
               " is bound in no statement of the "
               "round; a value that no round changes needs no 'with'");
      ok = false;
      continue;
    }
    Value value = frame->locals[each.name.text];
    Note notes[] = {
        {each.initial->range, "it begins as " + ir::typeText(types[i]) + " here"},
        {frame->bound[each.name.text], "the round makes it " + describe(value) + " here"}};
    next.push_back(value.isError()
                       ? nullptr
                       : conform(value, types[i], each.name.range,
                                 "the carried value " + inQuotes(each.name.text), notes));
    ok &= next.back() != nullptr;
  }
  for (auto &[state, value] : stateValues)
    next.push_back(value);
  return ok;
}

//===----------------------------------------------------------------------===//
// scan
//===----------------------------------------------------------------------===//

/// The sequence with `axis` as its first dimension, of `rounds` elements.
mlir::Value Elaborator::sequence(const Expr *expr, int64_t axis, std::optional<DimExpr> &rounds,
                                 SMRange first) {
  Value given = eval(expr);
  mlir::Value value = given.isError() ? nullptr : toTensor(given, std::nullopt, expr->range);
  if (!value)
    return nullptr;
  Dims dims = ir::dimsOf(value.getType());
  auto rank = static_cast<int64_t>(dims.size());
  if (axis < -rank || axis >= rank) {
    fail(expr->range, DiagCode::ShapeMismatch,
         "expected a sequence with an axis " + Twine(axis) + ", got " +
             ir::typeText(value.getType()));
    return nullptr;
  }
  value = moveAxes(value, axis < 0 ? axis + rank : axis, 1, 0, expr->range);
  dims = value ? ir::dimsOf(value.getType()) : dims;
  if (!rounds)
    rounds = dims[0];
  if (!value || !require({dims[0], Relation::Equal, *rounds, "the length of a sequence of 'scan'"},
                         expr->range, {},
                         Note{first, "the first sequence has " + dimText(*rounds) + " here"}))
    return nullptr;
  dims[0] = *rounds;
  return at(expr->range).reshape(value, dims);
}

/// The op with the results that its body hands on.
ir::ScanOp Elaborator::finishScan(ir::ScanOp unfinished, ArrayRef<mlir::Value> stacked,
                                  ArrayRef<mlir::Value> next) {
  SmallVector<mlir::Type> results;
  SmallVector<mlir::Value> yields(stacked);
  for (mlir::Value value : stacked) {
    Dims dims = ir::dimsOf(value.getType());
    dims.insert(dims.begin(), unfinished.getRounds());
    auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
    results.push_back(ir::tensorType(type.getElementType(), dims));
  }
  append_range(results, mlir::ValueRange(next).getTypes());
  append_range(yields, next);
  ir::YieldOp::create(builder, unfinished.getLoc(), yields);
  builder.setInsertionPoint(unfinished);
  auto made = ir::ScanOp::create(builder, unfinished.getLoc(), results, unfinished.getSequences(),
                                 unfinished.getInitial(), unfinished.getReverse(), nullptr);
  made.getBody().takeBody(unfinished.getBody());
  unfinished.erase();
  builder.setInsertionPointAfter(made);
  return made;
}

Value Elaborator::evalScan(const ScanExpr *expr) {
  if (frame->inLayer)
    return failAt(expr->range, DiagCode::NotCompileTime, "a loop runs in a function",
                  frame->self->decl->name.range, "this is the body of a layer");
  int64_t axis = 0;
  if (expr->axis) {
    std::optional<int64_t> given = constantIndex(expr->axis, 0, 0);
    if (!given)
      return Value();
    axis = *given;
  }
  SmallVector<mlir::Value> sequences, initial;
  std::optional<DimExpr> rounds;
  bool ok = true;
  for (const Expr *each : expr->sequences) {
    sequences.push_back(sequence(each, axis, rounds, expr->sequences[0]->range));
    ok &= sequences.back() != nullptr;
  }
  if (!carry(expr->carried, initial) || !ok)
    return Value();

  mlir::Location loc = location(expr->range);
  mlir::TypeRange types = mlir::ValueRange(initial).getTypes();
  auto unfinished =
      ir::ScanOp::create(builder, loc, types, sequences, initial, expr->reverse, nullptr);
  mlir::Block &body = unfinished.getBody().emplaceBlock();
  StringMap<Value> outer = frame->locals;
  for (auto [i, value] : enumerate(sequences)) {
    auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
    mlir::Value element = body.addArgument(
        ir::tensorType(type.getElementType(), ArrayRef(ir::dimsOf(type)).drop_front()),
        location(expr->sequences[i]->range));
    if (expr->elements[i].text != "_")
      bindLocal(expr->elements[i], element);
  }
  for (mlir::Value value : initial)
    body.addArgument(value.getType(), value.getLoc());
  openRegion(unfinished.getBody(), expr->carried, unfinished.getCarried());
  std::optional<std::vector<Value>> outerYield = std::exchange(frame->yielded, std::nullopt);
  ++frame->roundDepth;
  SmallVector<mlir::Value> next, stacked;
  ok = runRound(expr->body, expr->carried, types, next);
  for (const Value &value : frame->yielded.value_or(std::vector<Value>()))
    if (ok) {
      stacked.push_back(value.isError() ? nullptr
                                        : toTensor(value, std::nullopt, frame->yieldPlace));
      ok &= stacked.back() != nullptr;
    }
  ok = ok && staysWithin(stacked, unfinished, frame->yieldPlace);
  SMRange yieldPlace = frame->yieldPlace;
  --frame->roundDepth;
  frame->yielded = std::move(outerYield);
  frame->locals = std::move(outer);
  if (!ok)
    return abandon(unfinished);

  ir::ScanOp made = finishScan(unfinished, stacked, next);
  std::vector<Value> values;
  for (mlir::Value stack : made.getStacks()) {
    int64_t rank = ir::dimsOf(stack.getType()).size(), to = axis < 0 ? axis + rank : axis;
    if (to < 0 || to >= rank)
      return failAt(yieldPlace, DiagCode::ShapeMismatch,
                    "the values of 'yield' are stacked along axis " + Twine(axis) + ", which " +
                        Twine(rank - 1) + " dimensions and the new one do not have",
                    expr->axis ? expr->axis->range : SMRange(), "the axis is given here");
    mlir::Value moved = moveAxes(stack, 0, 1, to, yieldPlace);
    values.push_back(moved ? Value(moved) : Value());
  }
  return finish(expr->carried, made.getFinals(), std::move(values));
}

/// The values behind a loop: those that it gives besides, then the carried ones; states go on.
Value Elaborator::finish(ArrayRef<Carried> carried, mlir::ValueRange finals,
                         std::vector<Value> values) {
  for (mlir::Value value : finals.take_front(carried.size()))
    values.push_back(value);
  for (auto [entry, value] : zip(stateValues, finals.drop_front(carried.size())))
    entry.second = value;
  if (values.empty())
    return Results{*Value::list({}).as<ListPtr>()};
  return several(std::move(values));
}

/// Ends the work on a loop or branch with an error in it: what follows cannot be judged.
Value Elaborator::abandon(mlir::Operation *op) {
  builder.setInsertionPointAfter(op);
  if (!frame->result)
    frame->result = Value();
  return Value();
}

//===----------------------------------------------------------------------===//
// while
//===----------------------------------------------------------------------===//

/// A condition known when the library runs: a bool without dimensions.
mlir::Value Elaborator::decision(const Value &value, SMRange place) {
  if (value.isError())
    return nullptr;
  if (!value.as<bool>() && !value.as<mlir::Value>()) {
    fail(place, DiagCode::TypeMismatch,
         "a condition is expected to be a bool, got " + describe(value));
    return nullptr;
  }
  mlir::Value tensor = toTensor(value, std::nullopt, place);
  if (!tensor)
    return nullptr;
  if (ir::dtypeOf(tensor.getType()) != DType::Bool) {
    fail(place, DiagCode::TypeMismatch,
         "a condition is expected to be a bool, got " + ir::typeText(tensor.getType()));
    return nullptr;
  }
  if (!ir::dimsOf(tensor.getType()).empty()) {
    fail(place, DiagCode::TypeMismatch,
         "a condition is expected to have no dimensions, got " + ir::typeText(tensor.getType()) +
             "; 'where' chooses element by element");
    return nullptr;
  }
  return tensor;
}

Value Elaborator::evalWhile(const WhileExpr *expr) {
  if (frame->inLayer)
    return failAt(expr->range, DiagCode::NotCompileTime, "a loop runs in a function",
                  frame->self->decl->name.range, "this is the body of a layer");
  Value given = eval(expr->limit);
  SmallVector<mlir::Value> initial;
  mlir::Value limit = given.isError() ? nullptr
                                      : conform(given, ir::tensorType(&context, DType::I64, {}),
                                                expr->limit->range, "the limit of 'while'");
  if (!carry(expr->carried, initial) || !limit)
    return Value();
  mlir::Location loc = location(expr->range);
  mlir::TypeRange types = mlir::ValueRange(initial).getTypes();
  auto loop = ir::WhileOp::create(builder, loc, types, limit, initial, nullptr);
  StringMap<Value> outer = frame->locals;
  for (mlir::Region *region : {&loop.getCondition(), &loop.getBody()}) {
    mlir::Block &block = region->emplaceBlock();
    for (mlir::Value value : initial)
      block.addArgument(value.getType(), value.getLoc());
  }
  openRegion(loop.getCondition(), expr->carried, loop.getCondition().getArguments());
  SmallVector<mlir::Value> before, next;
  for (auto &[state, value] : stateValues)
    before.push_back(value);
  mlir::Value holds = decision(eval(expr->condition), expr->condition->range);
  for (auto [entry, value] : zip(stateValues, before))
    if (holds && entry.second != value) {
      failAt(expr->condition->range, DiagCode::TypeMismatch,
             "the condition of 'while' changes the state " + inQuotes(entry.first->path),
             entry.first->decl->name.range, "the state is declared here");
      holds = nullptr;
    }
  bool ok = holds != nullptr;
  if (ok) {
    ir::YieldOp::create(builder, loc, holds);
    frame->locals = outer;
    openRegion(loop.getBody(), expr->carried, loop.getCarried());
    std::optional<std::vector<Value>> outerYield = std::exchange(frame->yielded, std::nullopt);
    ++frame->roundDepth;
    ok = runRound(expr->body, expr->carried, types, next);
    --frame->roundDepth;
    if (std::exchange(frame->yielded, std::move(outerYield))) {
      failAt(frame->yieldPlace, DiagCode::MisplacedStatement,
             "'while' stacks no values: its number of rounds is not known; carry a tensor and "
             "assign to a slice of it",
             expr->range, "the loop begins here");
      ok = false;
    }
  }
  frame->locals = std::move(outer);
  if (!ok)
    return abandon(loop);
  ir::YieldOp::create(builder, loc, next);
  builder.setInsertionPointAfter(loop);
  return finish(expr->carried, loop.getResults(), {});
}

//===----------------------------------------------------------------------===//
// if
//===----------------------------------------------------------------------===//

static std::vector<Value> listOf(const Value &value) {
  if (auto *results = value.as<Results>())
    return *results->values;
  return {value};
}

Value Elaborator::evalConditional(const ConditionalExpr *expr) {
  Value given = eval(expr->condition);
  if (auto *known = given.as<bool>())
    return eval(*known ? expr->thenValue : expr->elseValue);
  if (frame->inLayer && !given.isError())
    return fail(expr->condition->range, DiagCode::NotCompileTime,
                "a condition is expected to be known when the model is compiled, got " +
                    describe(given));
  mlir::Value condition = decision(given, expr->condition->range);
  if (!condition)
    return Value();
  mlir::Location loc = location(expr->range);
  auto unfinished = ir::IfOp::create(builder, loc, mlir::TypeRange(), condition, nullptr);
  SmallVector<mlir::Value> states;
  for (auto &[state, value] : stateValues)
    states.push_back(value);
  std::vector<Value> values[2];
  SmallVector<mlir::Value> changed[2], yields[2];
  const Expr *branches[2] = {expr->thenValue, expr->elseValue};
  bool ok = true;
  for (int side : {0, 1}) {
    builder.setInsertionPointToEnd(&unfinished->getRegion(side).emplaceBlock());
    values[side] = listOf(eval(branches[side]));
    for (auto [entry, before] : zip(stateValues, states))
      changed[side].push_back(std::exchange(entry.second, before));
    ok &= none_of(values[side], [](const Value &value) { return value.isError(); });
  }
  if (ok && values[0].size() != values[1].size()) {
    auto tells = [&](int side) {
      return Note{branches[side]->range,
                  std::to_string(values[side].size()) +
                      (values[side].size() == 1 ? " value is" : " values are") + " given here"};
    };
    failWith(expr->range, DiagCode::TypeMismatch,
             "the branches give " + Twine(values[0].size()) + " and " + Twine(values[1].size()) +
                 " values",
             {tells(0), tells(1)});
    ok = false;
  }
  for (size_t i = 0; ok && i < values[0].size(); ++i)
    ok = unite(unfinished, values[0][i], values[1][i], branches, yields);
  if (!ok)
    return abandon(unfinished);
  for (auto [i, before] : enumerate(states))
    if (changed[0][i] != before || changed[1][i] != before)
      for (int side : {0, 1})
        yields[side].push_back(changed[side][i]);
  ir::IfOp made = finishBranches(unfinished, yields);
  std::vector<Value> results;
  unsigned next = 0;
  while (next < values[0].size())
    results.push_back(made.getResult(next++));
  for (auto [i, entry] : enumerate(stateValues))
    if (changed[0][i] != states[i] || changed[1][i] != states[i])
      entry.second = made.getResult(next++);
  return several(std::move(results));
}

/// The op with the results that its branches yield.
ir::IfOp Elaborator::finishBranches(ir::IfOp unfinished, const SmallVector<mlir::Value> yields[2]) {
  for (int side : {0, 1}) {
    builder.setInsertionPointToEnd(&unfinished->getRegion(side).front());
    ir::YieldOp::create(builder, unfinished.getLoc(), yields[side]);
  }
  builder.setInsertionPoint(unfinished);
  auto made = ir::IfOp::create(builder, unfinished.getLoc(), mlir::ValueRange(yields[0]).getTypes(),
                               unfinished.getCondition(), nullptr);
  made.getThenBody().takeBody(unfinished.getThenBody());
  made.getElseBody().takeBody(unfinished.getElseBody());
  unfinished.erase();
  builder.setInsertionPointAfter(made);
  return made;
}

/// Gives two branches' values one type, each at the end of its branch.
bool Elaborator::unite(ir::IfOp op, const Value &yes, const Value &no,
                       const Expr *const branches[2], SmallVector<mlir::Value> yields[2]) {
  const Value *given[2] = {&yes, &no};
  std::optional<DType> like;
  for (const Value *value : given)
    if (auto *tensor = value->as<mlir::Value>(); tensor && !like)
      like = ir::dtypeOf(tensor->getType());
  if (!like && (yes.as<double>() || no.as<double>()))
    like = DType::F32;
  for (int side : {0, 1}) {
    builder.setInsertionPointToEnd(&op->getRegion(side).front());
    mlir::Value value = side == 0
                            ? toTensor(*given[0], like, branches[0]->range)
                            : conform(*given[1], yields[0].back().getType(), branches[1]->range,
                                      "the value of the second branch",
                                      Note{branches[0]->range,
                                           "the first branch gives " +
                                               ir::typeText(yields[0].back().getType()) + " here"});
    if (!value)
      return false;
    if (!staysWithin(value, op, branches[side]->range))
      return false;
    yields[side].push_back(value);
  }
  return true;
}

//===----------------------------------------------------------------------===//
// state
//===----------------------------------------------------------------------===//

void Elaborator::emitState(mlir::ModuleOp module, const Weight &state) {
  auto op = ir::StateOp::create(builder, location(state.decl->name.range), state.path, state.type,
                                nullptr);
  if (state.first == ir::Number(int64_t(0)))
    return;
  ir::Tensor value(*ir::dtypeOf(state.type), state.type.getShape());
  double number = std::visit([](auto v) { return static_cast<double>(v); }, state.first);
  for (double &element : value.floats)
    element = ir::roundTo(value.type, number);
  if (auto *integer = std::get_if<int64_t>(&state.first))
    std::fill(value.ints.begin(), value.ints.end(), *integer);
  else if (auto *flag = std::get_if<bool>(&state.first))
    std::fill(value.ints.begin(), value.ints.end(), *flag);
  std::vector<uint8_t> bytes(value.numElements() * byteSize(value.type));
  value.toBytes(bytes.data());
  WeightStore &store = context.getLoadedDialect<ir::KilnDialect>()->getWeights();
  op.setHash(store.addOwned(value.type, value.shape, std::move(bytes)));
}

/// Reads every state at the start of an entry point.
void Elaborator::readStates() {
  stateValues.clear();
  for (const Weight &weight : weights)
    if (weight.decl->member == MemberKind::State && !weight.path.empty())
      stateValues[&weight] = ir::GetStateOp::create(builder, location(weight.decl->name.range),
                                                    weight.type, weight.path);
}

/// Writes what has changed at the end of an entry point.
void Elaborator::writeStates() {
  for (auto &[state, value] : stateValues) {
    auto read = value.getDefiningOp<ir::GetStateOp>();
    if (!read || read.getState() != state->path)
      ir::SetStateOp::create(builder, location(state->decl->name.range), state->path, value);
  }
}

bool Elaborator::setState(const MemberExpr *member, const Value &value) {
  StringRef name = memberName(member->name);
  if (name.empty())
    return false;
  auto found = frame->self->members.find(name);
  auto *weight = found == frame->self->members.end() ? nullptr : found->second.as<Weight *>();
  if (!weight || (*weight)->decl->member != MemberKind::State) {
    std::string what = found == frame->self->members.end() ? "no member of the layer"
                       : weight                            ? "a trained or constant tensor"
                                                           : "no tensor";
    failAt(member->range, DiagCode::InvalidTarget,
           "only a state can be assigned to; " + inQuotes(name) + " is " + what,
           weight ? (*weight)->decl->name.range : SMRange(), "it is declared here");
    return false;
  }
  remember(member, Value());
  if (value.isError())
    return false;
  mlir::Value tensor = conform(value, (*weight)->type, member->range, "the state " + inQuotes(name),
                               Note{(*weight)->decl->name.range, "the state is declared here"});
  if (tensor)
    stateValues[*weight] = tensor;
  return tensor != nullptr;
}
