//===- Descriptor.cpp - constants that describe a model -------------------===//
#include "codegen/host/Descriptor.h"

#include "codegen/host/Formula.h"
#include "runtime/Abi.h"

using namespace llvm;

namespace kiln::host {

Constant *Descriptor::i32(int64_t value) {
  return ConstantInt::get(Type::getInt32Ty(module.getContext()), uint64_t(value), true);
}

Constant *Descriptor::i64(int64_t value) {
  return ConstantInt::get(Type::getInt64Ty(module.getContext()), uint64_t(value), true);
}

Constant *Descriptor::null() {
  return ConstantPointerNull::get(PointerType::getUnqual(module.getContext()));
}

Constant *Descriptor::text(StringRef value) {
  Constant *&known = texts[value];
  if (!known) {
    Constant *bytes = ConstantDataArray::getString(module.getContext(), value);
    auto *global = new GlobalVariable(module, bytes->getType(), true, GlobalValue::PrivateLinkage,
                                      bytes, "text");
    global->setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
    known = global;
  }
  return known;
}

Constant *Descriptor::record(ArrayRef<Constant *> fields) {
  return ConstantStruct::getAnon(module.getContext(), fields);
}

Constant *Descriptor::array(ArrayRef<Constant *> elements, const Twine &name) {
  if (elements.empty())
    return null();
  auto *type = ArrayType::get(elements.front()->getType(), elements.size());
  return new GlobalVariable(module, type, true, GlobalValue::InternalLinkage,
                            ConstantArray::get(type, elements), name);
}

/// A function of the dimensions' array, with the builder at its start.
static Function *newFormula(Module &module, IRBuilder<> &builder) {
  auto *type = FunctionType::get(builder.getInt64Ty(), {builder.getPtrTy()}, false);
  auto *made = Function::Create(type, GlobalValue::InternalLinkage, "formula", module);
  builder.SetInsertPoint(BasicBlock::Create(module.getContext(), "", made));
  return made;
}

static DimValues dimensionsOf(const EntryPoint &entry, Function *formula, IRBuilder<> &builder) {
  DimValues dims;
  for (auto [i, dimension] : enumerate(entry.dimensions)) {
    Value *place = builder.CreateConstGEP1_64(builder.getInt64Ty(), formula->getArg(0), i);
    dims[dimension.name] = builder.CreateLoad(builder.getInt64Ty(), place);
  }
  return dims;
}

/// A function of the dimensions' array: the value, or with `isBound` the largest value while each
/// dimension lies between its declared lower bound and the array's element.
Function *Descriptor::formula(const EntryPoint &entry, const DimExpr &expr, bool isBound) {
  Function *&known = formulas[entry.name + (isBound ? ": max " : ": ") + expr.str()];
  if (known)
    return known;
  IRBuilder<> builder(module.getContext());
  known = newFormula(module, builder);
  DimValues dims = dimensionsOf(entry, known, builder), lowest;
  for (const Dimension &dimension : entry.dimensions)
    lowest[dimension.name] = i64(dimension.lower);
  Value *overflow = nullptr;
  Value *value = isBound ? emitUpperBound(builder, expr, lowest, dims, overflow)
                         : emitDimExpr(builder, expr, dims, &overflow);
  if (overflow)
    value = builder.CreateSelect(overflow, builder.getInt64(uint64_t(INT64_MIN)), value);
  builder.CreateRet(value);
  return known;
}

/// The side of the check that is no number, where the check is needed: elsewhere the other side's
/// value, so that it holds. A condition that does not fit 64 bits counts as met.
Function *Descriptor::sideWhere(const EntryPoint &entry, const Requirement &check) {
  IRBuilder<> builder(module.getContext());
  Function *made = newFormula(module, builder);
  DimValues dims = dimensionsOf(entry, made, builder);
  auto emit = [&](const DimExpr &expr, uint64_t beyond) {
    Value *overflow = nullptr, *value = emitDimExpr(builder, expr, dims, &overflow);
    return overflow ? builder.CreateSelect(overflow, builder.getInt64(beyond), value) : value;
  };
  bool isFirst = !check.got.isConstant();
  Value *side = emit(isFirst ? check.got : check.expected, uint64_t(INT64_MIN));
  Value *other = emit(isFirst ? check.expected : check.got, uint64_t(INT64_MIN));
  for (const DimExpr &condition : check.when)
    side = builder.CreateSelect(builder.CreateICmpSLT(emit(condition, 0), i64(0)), other, side);
  builder.CreateRet(side);
  return made;
}

Constant *Descriptor::check(const EntryPoint &entry, const Requirement &check) {
  Constant *sides[] = {extent(entry, check.got), extent(entry, check.expected)};
  if (!check.when.empty()) {
    bool isFirst = !check.got.isConstant();
    sides[isFirst ? 0 : 1] = record(
        {i64(-1), sideWhere(entry, check), text((isFirst ? check.got : check.expected).str())});
  }
  return record({sides[0], sides[1], text(check.subject), i32(int64_t(check.relation)), i32(0)});
}

Constant *Descriptor::extent(const EntryPoint &entry, const DimExpr &expr) {
  if (std::optional<int64_t> value = expr.constantValue())
    return record({i64(*value), null(), text(expr.str())});
  return record({i64(-1), formula(entry, expr, /*isBound=*/false), text(expr.str())});
}

Constant *Descriptor::upperBound(const EntryPoint &entry, const DimExpr &expr) {
  if (expr.isConstant())
    return extent(entry, expr);
  return record({i64(-1), formula(entry, expr, /*isBound=*/true), text(expr.str())});
}

Constant *Descriptor::tensors(const EntryPoint &entry, ArrayRef<TensorInfo> infos) {
  std::vector<Constant *> all;
  for (const TensorInfo &info : infos) {
    std::vector<Constant *> shape;
    for (const DimExpr &dim : info.shape)
      shape.push_back(extent(entry, dim));
    all.push_back(record({text(info.name), i32(int64_t(info.type)), i32(int64_t(shape.size())),
                          array(shape, "shape")}));
  }
  return array(all, "tensors");
}

Constant *Descriptor::dimensions(const EntryPoint &entry) {
  std::vector<std::string> names = maxima(program);
  std::vector<Constant *> all;
  for (const Dimension &dimension : entry.dimensions) {
    auto index = std::find(names.begin(), names.end(), dimension.name) - names.begin();
    all.push_back(record({text(dimension.name), i64(dimension.lower),
                          i64(dimension.upper.value_or(-1)), i32(dimension.isData ? -1 : index),
                          i32(dimension.isData), extent(entry, dimension.most)}));
  }
  return array(all, "dimensions");
}

Constant *Descriptor::entry(const EntryPoint &entry) {
  std::vector<Constant *> checks, launches, limits;
  for (const Requirement &each : entry.checks)
    checks.push_back(check(entry, each));
  // Their values exist only where steps bind the symbols.
  auto named = [&](const DimExpr &expr) {
    return record({i64(expr.constantValue().value_or(INT64_MIN)), null(), text(expr.str())});
  };
  for (const LateCheck &late : entry.lateChecks)
    checks.push_back(record({named(late.requirement.got), named(late.requirement.expected),
                             text(late.requirement.subject),
                             i32(int64_t(late.requirement.relation)), i32(late.status)}));
  forEachLaunch(entry.launches, [&](const Launch &launch) {
    launches.push_back(record({text(launch.label), text(launch.location),
                               extent(entry, launch.flops), extent(entry, launch.bytes)}));
  });
  for (const DimExpr &limit : entry.limits)
    limits.push_back(upperBound(entry, limit));
  return record({text(entry.name), i32(int64_t(entry.dimensions.size())),
                 i32(int64_t(entry.arguments.size())), i32(int64_t(entry.results.size())),
                 i32(int64_t(checks.size())), i32(int64_t(launches.size())),
                 i32(int64_t(limits.size())), dimensions(entry), tensors(entry, entry.arguments),
                 tensors(entry, entry.results), array(checks, "checks"),
                 array(launches, "launches"), upperBound(entry, entry.arenaBytes),
                 array(limits, "limits")});
}

/// create() of the reflection: binds the model's code to the runtime's function.
Function *Descriptor::createFunction(Constant *code) {
  IRBuilder<> builder(module.getContext());
  Type *ptr = builder.getPtrTy();
  auto *type = FunctionType::get(builder.getInt32Ty(), {ptr, ptr}, false);
  auto *function = Function::Create(type, GlobalValue::InternalLinkage, "model_create", module);
  auto runtime = module.getOrInsertFunction("kiln_rt_create", builder.getInt32Ty(), ptr, ptr, ptr);
  builder.SetInsertPoint(BasicBlock::Create(module.getContext(), "", function));
  builder.CreateRet(builder.CreateCall(runtime, {code, function->getArg(0), function->getArg(1)}));
  return function;
}

Constant *Descriptor::model(ArrayRef<Target> targets, Constant *code) {
  std::vector<Constant *> entries, names, states, targetNames;
  for (const EntryPoint &each : program.entries)
    entries.push_back(entry(each));
  for (const std::string &name : maxima(program))
    names.push_back(text(name));
  for (const StateInfo &state : program.states)
    states.push_back(record({text(state.name), i64(state.bytes)}));
  for (const Target &target : targets)
    targetNames.push_back(text(target.name));
  int64_t weightBytes = 0;
  for (const WeightInfo &weight : program.weights)
    weightBytes += weight.bytes;
  auto runtime = [&](StringRef name) {
    auto *type = FunctionType::get(Type::getVoidTy(module.getContext()), false);
    Function *known = module.getFunction(name);
    return known ? known : Function::Create(type, GlobalValue::ExternalLinkage, name, module);
  };
  return record({i32(sizeof(kiln_model)),
                 i32(1),
                 text(program.modelName),
                 text(program.version),
                 i32(int64_t(entries.size())),
                 i32(int64_t(names.size())),
                 i32(int64_t(states.size())),
                 i32(int64_t(targets.size())),
                 array(entries, "entries"),
                 array(names, "maxima"),
                 array(states, "states"),
                 array(targetNames, "targets"),
                 i64(weightBytes),
                 createFunction(code),
                 runtime("kiln_rt_call"),
                 runtime("kiln_rt_last_error"),
                 runtime("kiln_rt_reset"),
                 runtime("kiln_rt_cancel"),
                 runtime("kiln_rt_destroy"),
                 runtime("kiln_rt_state_get"),
                 runtime("kiln_rt_state_set"),
                 runtime("kiln_rt_profile"),
                 runtime("kiln_rt_target"),
                 runtime("kiln_rt_enqueue"),
                 runtime("kiln_rt_wait")});
}

Constant *Descriptor::cubin(StringRef code) {
  if (code.empty())
    return null();
  auto *global = cast<GlobalVariable>(text(code));
  global->setAlignment(Align(64));
  return global;
}

Constant *Descriptor::device(const Target &target) {
  if (!target.device)
    return null();
  const DeviceCode &code = *target.device;
  std::vector<Constant *> functions, shared, bytes;
  bool usesTensors = false;
  for (const DeviceGrid *grid : gridsOf(code)) {
    functions.push_back(text(grid->function));
    shared.push_back(i32(grid->sharedBytes));
    usesTensors |= !grid->tensors.empty();
  }
  for (const EntryPoint &entry : program.entries)
    bytes.push_back(upperBound(entry, layOut(entry, code).bytes));
  return array(
      {record({i32(code.capability), i32(code.isExact), text(code.image), cubin(code.cubin),
               array(functions, "functions"), array(shared, "shared_bytes"),
               i64(int64_t(functions.size())), i64(usesTensors), array(bytes, "device_bytes")})},
      "device_code");
}

void Descriptor::emit(ArrayRef<Target> targets, ArrayRef<std::vector<Function *>> bodies,
                      StringRef reflection) {
  std::vector<Constant *> targetCodes, weights, blobs, states;
  bool usesDevice = false;
  for (size_t i = 0; i < targets.size(); ++i) {
    std::vector<Constant *> functions(bodies[i].begin(), bodies[i].end());
    usesDevice |= targets[i].device != nullptr;
    targetCodes.push_back(record({i64(int64_t(requiredFeatures(targets[i]))),
                                  array(functions, "bodies"), device(targets[i])}));
  }
  Constant *driver = null();
  if (usesDevice)
    driver = new GlobalVariable(module, Type::getInt8Ty(module.getContext()), true,
                                GlobalValue::ExternalLinkage, nullptr, "kiln_cuda_api");
  Type *byte = Type::getInt8Ty(module.getContext());
  for (size_t i = 0; i < program.weights.size(); ++i) {
    auto *weight = new GlobalVariable(module, byte, true, GlobalValue::ExternalLinkage, nullptr,
                                      weightSymbol(program, i));
    weight->setVisibility(GlobalValue::HiddenVisibility);
    weights.push_back(weight);
    blobs.push_back(record({weight, i64(program.weights[i].bytes)}));
  }
  int64_t stateBytes = 0;
  for (const StateInfo &state : program.states) {
    int64_t weight = state.initialWeight ? int64_t(*state.initialWeight) : -1;
    states.push_back(record({i64(stateBytes), i64(weight)}));
    stateBytes += (state.bytes + 63) & ~int64_t(63);
  }
  // The description and the code refer to each other, so the code's place comes first.
  Type *ptr = PointerType::getUnqual(module.getContext());
  Type *i64Type = Type::getInt64Ty(module.getContext());
  auto *codeType = StructType::get(ptr, ptr, ptr, ptr, i64Type, ptr, i64Type, ptr);
  auto *code = new GlobalVariable(module, codeType, true, GlobalValue::InternalLinkage, nullptr,
                                  "model_code");
  Constant *described = model(targets, code);
  auto *exported = new GlobalVariable(module, described->getType(), true,
                                      GlobalValue::ExternalLinkage, described, reflection);
  exported->setAlignment(Align(8));
  code->setInitializer(ConstantStruct::get(
      codeType, {exported, array(targetCodes, "target_codes"), array(weights, "weights"),
                 array(blobs, "blobs"), i64(int64_t(weights.size())), array(states, "state_inits"),
                 i64(stateBytes), driver}));
}

} // namespace kiln::host
