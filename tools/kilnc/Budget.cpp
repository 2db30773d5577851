//===- Budget.cpp - the error that compression may cost -------------------===//
#include "tools/kilnc/Budget.h"

#include "ir/Interpreter.h"
#include "ir/KilnDialect.h"
#include "ir/KilnOps.h"
#include "passes/Pipeline.h"
#include "passes/compress/Calibrate.h"
#include "passes/compress/Layers.h"
#include "tools/kilnc/Report.h"
#include "tools/kilnc/Verify.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace kiln;
using namespace llvm;

using passes::digits;

static Ledger &ledgerOf(mlir::ModuleOp module) {
  return module.getContext()->getLoadedDialect<ir::KilnDialect>()->getLedger();
}

/// Of all weights of a module.
static int64_t weightBytes(mlir::ModuleOp module) {
  int64_t sum = 0;
  for (auto weight : module.getOps<ir::WeightOp>()) {
    auto type = mlir::cast<mlir::RankedTensorType>(weight.getType());
    sum += type.getNumElements() * byteSize(*ir::dtypeOf(type));
  }
  return sum;
}

void Budget::show(const Twine &text) const {
  if (isShown)
    errs() << "budget: " << text << "\n";
}

/// The least of several. Where it is read it is taken out, so that the passes know of it.
bool Budget::readLimit(mlir::ModuleOp module) {
  mlir::FailureOr<SmallVector<passes::Rule>> rules = passes::readRules(module);
  if (failed(rules))
    return false;
  std::optional<mlir::Location> place;
  for (const passes::Rule &rule : *rules)
    if (rule.action == passes::Rule::Action::Require && (!required || rule.limit < *required)) {
      required = rule.limit;
      place = rule.place;
    }
  if (!required)
    return true;
  if (none_of(*rules, [](const passes::Rule &rule) {
        return rule.action == passes::Rule::Action::Quantize ||
               rule.action == passes::Rule::Action::Prune;
      })) {
    mlir::emitError(*place, "'require error' has nothing to hold back: no rule compresses a layer");
    return false;
  }
  if (path.empty()) {
    mlir::emitError(*place, "'require error' needs data to measure on; give it by "
                            "--calibrate=inputs.npz");
    return false;
  }
  if (ranges) {
    mlir::emitError(*place, "'require error' needs data to measure on, and '")
        << path << "' has ranges only; give inputs by --calibrate=inputs.npz";
    return false;
  }
  SmallVector<mlir::Attribute> rest;
  for (mlir::Attribute entry : module->getAttrOfType<mlir::ArrayAttr>("kiln.compress")) {
    auto action = mlir::cast<mlir::DictionaryAttr>(entry).getAs<mlir::StringAttr>("action");
    if (action.getValue() != "require")
      rest.push_back(entry);
  }
  module->setAttr("kiln.compress", mlir::ArrayAttr::get(module.getContext(), rest));
  return true;
}

/// What teaches ranges and errors has numbers. Infinities are: a mask may hold them.
static Error checkData(mlir::ModuleOp module, StringRef path) {
  auto arguments = argumentsOf(module, path);
  if (!arguments)
    return arguments.takeError();
  for (auto &[function, tensors] : *arguments)
    for (auto [i, tensor] : enumerate(tensors)) {
      auto name = function.getArgAttrOfType<mlir::StringAttr>(i, "kiln.name").getValue();
      if (tensor.numElements() == 0)
        return createStringError("'" + name + "' of '" + path +
                                 "' has no elements, from which nothing can be learned");
      if (any_of(tensor.floats, [](double value) { return std::isnan(value); }))
        return createStringError("'" + name + "' of '" + path +
                                 "' holds a NaN; take its call out of the file, or mend it");
    }
  return Error::success();
}

bool Budget::start(mlir::ModuleOp module, StringRef from, bool isMeasured, bool isProgressShown) {
  path = from;
  if (auto file = MemoryBuffer::getFile(path);
      file && passes::Calibrator::isFile((*file)->getBuffer()))
    ranges = std::move(*file);
  found.bytesBefore = weightBytes(module);
  isShown = isProgressShown;
  if (!readLimit(module))
    return false;
  if (!path.empty() && !ranges)
    if (Error error = checkData(module, path))
      return !report(toString(std::move(error)));
  if (!required && (!isMeasured || path.empty() || ranges))
    return true;
  Expected<std::unique_ptr<CheckEach>> given =
      callsOf(module, path, [&](size_t call, size_t count) {
        show("the model as it was, call " + Twine(call) + " of " + Twine(count));
      });
  if (!given)
    return !report(toString(given.takeError()));
  calls = std::move(*given);
  return true;
}

bool Budget::run(mlir::ModuleOp module, passes::Calibrator &calibrator, bool isCallShown) const {
  auto arguments = argumentsOf(module, path);
  if (!arguments)
    return !report(toString(arguments.takeError()));
  size_t done = 0;
  for (auto &[function, tensors] : *arguments) {
    if (isCallShown)
      errs() << "calibrate: call " << ++done << " of " << arguments->size() << "\n";
    // What does not fit is said about the file, not at the entry point.
    std::string why;
    mlir::ScopedDiagnosticHandler handler(module.getContext(), [&](mlir::Diagnostic &diagnostic) {
      if (why.empty())
        why = complaintOf(diagnostic, function);
      return mlir::success();
    });
    if (failed(calibrator.call(function, tensors)))
      return !report("the inputs of '" + path + "': " + why);
  }
  return true;
}

static bool needsCalibration(mlir::ModuleOp module) {
  mlir::FailureOr<SmallVector<passes::Rule>> rules = passes::readRules(module);
  return succeeded(rules) &&
         any_of(*rules, [](const passes::Rule &rule) { return rule.needsCalibration(); });
}

/// From the data or from a file of ranges. If `isFinal`, calls are shown and ranges saved.
bool Budget::learn(mlir::ModuleOp module, StringRef stage, bool isFinal) const {
  bool isPrune = stage == "prune";
  auto calibrator = passes::Calibrator::start(module, isPrune ? passes::Rule::Action::Prune
                                                              : passes::Rule::Action::Quantize);
  if (failed(calibrator))
    return false;
  // Where layers were held back there may be none left that wants it.
  module->setAttr("kiln.calibrated", mlir::UnitAttr::get(module.getContext()));
  if (!calls && !needsCalibration(module))
    return !report("--calibrate has nothing to do: no layer has activations = static, rounding = "
                   "gptq, scaling = awq, saliency = wanda or update = compensated");
  if (ranges && calibrator->needsInputs())
    return !report((isPrune ? "saliency = wanda and update = compensated need inputs, and '"
                            : "rounding = gptq and scaling = awq need inputs, and '") +
                   path + "' has ranges only; give inputs by --calibrate=inputs.npz");
  if (calibrator->isWanted()) {
    if (ranges ? failed(calibrator->read(ranges->getBuffer(), path))
               : !run(module, *calibrator, isFinal && isShown))
      return false;
    calibrator->finish();
  }
  return isPrune || !isFinal || save(*calibrator);
}

bool Budget::save(const passes::Calibrator &calibrator) const {
  if (savePath.empty())
    return true;
  if (!calibrator.needsRanges())
    return !report("--save-calibration has nothing to write: no layer has activations = static");
  Error error = writeToOutput(savePath, [&](raw_ostream &os) -> Error {
    calibrator.print(os);
    return Error::success();
  });
  return !error || !report("cannot write '" + savePath + "': " + toString(std::move(error)));
}

bool Budget::calibrate(mlir::ModuleOp module, StringRef stage) const {
  return path.empty() || learn(module, stage, true);
}

/// The worst of all calls.
std::optional<double> Budget::errorOf(mlir::ModuleOp module) const {
  double worst = 0;
  for (const CheckEach::Call &call : calls->getCalls()) {
    auto function = module.lookupSymbol<mlir::FunctionOpInterface>(call.function);
    mlir::FailureOr<SmallVector<ir::Tensor>> results = ir::interpret(function, call.arguments);
    if (failed(results))
      return std::nullopt;
    worst = std::max(worst, relativeError(call.results, *results));
  }
  return worst;
}

/// The copy's layers, but for what is held back; nothing after an error. The ledger is the copy's.
bool Budget::compress(mlir::ModuleOp copy, ArrayRef<Held> held) const {
  for (const Held &one : held)
    one.addTo(copy);
  ledgerOf(copy).clear();
  // Warnings are given when the module itself is compressed.
  mlir::ScopedDiagnosticHandler handler(copy.getContext(), [](mlir::Diagnostic &diagnostic) {
    return mlir::success(diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error);
  });
  for (StringRef stage : {"prune", "quantize"}) {
    mlir::PassManager manager(copy.getContext());
    addStage(manager, stage, Options());
    if (!learn(copy, stage, false) || failed(manager.run(copy)))
      return false;
  }
  return true;
}

/// The error of the outputs when layers are compressed but for that; nothing after an error.
std::optional<double> Budget::trial(mlir::ModuleOp module, ArrayRef<Held> held) {
  mlir::OwningOpRef<mlir::ModuleOp> copy = module.clone();
  ++found.evaluations;
  return compress(*copy, held) ? errorOf(*copy) : std::nullopt;
}

/// Of the trial before.
std::vector<LedgerRow> Budget::compressedRows(mlir::ModuleOp module) const {
  std::vector<LedgerRow> rows;
  copy_if(ledgerOf(module).rows(), std::back_inserter(rows), isCompressed);
  return rows;
}

bool Budget::rank(mlir::ModuleOp module, ArrayRef<LedgerRow> layers,
                  function_ref<void()> afterTrial) {
  for (const LedgerRow &layer : layers) {
    std::vector<Held> others;
    for (const LedgerRow &other : layers)
      if (other.layer != layer.layer)
        others.push_back({Held::Part::All, other.layer, "held back"});
    std::optional<double> error = trial(module, others);
    if (!error)
      return false;
    afterTrial();
    found.alone.push_back({layer.layer, *error, ""});
    show("layer " + Twine(found.alone.size()) + " of " + Twine(layers.size()) + ": '" +
         layer.layer + "' alone has error " + digits(*error));
  }
  stable_sort(found.alone, [](const auto &a, const auto &b) { return a.error > b.error; });
  return true;
}

/// All layers without quantisation, if they are pruned too, and in wider schemes.
bool Budget::measureForms(mlir::ModuleOp module, double all, Forms &forms,
                          function_ref<void()> afterTrial) {
  auto holdAll = [&](int64_t wider) {
    std::vector<Held> held;
    for (const LedgerRow &row : forms.wanted)
      held.push_back({Held::Part::Quantization, row.layer, "held back", wider});
    return held;
  };
  if (forms.needsPruned()) {
    std::optional<double> error = trial(module, holdAll(0));
    if (!error)
      return false;
    forms.pruned = compressedRows(module);
    forms.weigh(all, *error);
    show("with all layers pruned alone the error is " + digits(*error));
    afterTrial();
  }
  for (size_t level = 1; level <= forms.levels(); ++level) {
    mlir::OwningOpRef<mlir::ModuleOp> copy = module.clone();
    if (!compress(*copy, holdAll(static_cast<int64_t>(level))))
      return false;
    forms.wider.push_back(compressedRows(module));
    copy = nullptr;
    afterTrial();
  }
  return true;
}

/// The fewest of these steps, in their order, that meet the limit, as if the error fell with each.
bool Budget::bisect(mlir::ModuleOp module, ArrayRef<Step> steps, function_ref<void()> afterTrial) {
  auto first = [&](size_t count) {
    return heldBy(steps.take_front(count), steps, found.alone, *required);
  };
  size_t beyond = 0, within = steps.size(); // with none compressed nothing changes
  while (within - beyond > 1) {
    size_t middle = beyond + (within - beyond) / 2;
    std::optional<double> error = trial(module, first(middle));
    if (!error)
      return false;
    afterTrial();
    show("behind " + Twine(middle) + " of " + Twine(steps.size()) + " steps back the error is " +
         digits(*error));
    (*error < *required ? within : beyond) = middle;
  }
  if (within == steps.size())
    return !report("the required error " + digits(*required) +
                   " leaves no layer compressed: with '" + found.alone.back().layer +
                   "' alone it is " + digits(found.alone.back().error) +
                   "; require less, or choose a scheme that loses less");
  for (const Held &held : first(within))
    held.addTo(module);
  return true;
}

bool Budget::meet(mlir::ModuleOp module, function_ref<void()> afterTrial) {
  if (!required)
    return true;
  std::optional<double> error = trial(module, {});
  if (!error)
    return false;
  Forms forms;
  forms.wanted = compressedRows(module);
  afterTrial();
  show("with all layers compressed the error is " + digits(*error));
  bool isFine = *error < *required;
  if (!isFine)
    isFine = rank(module, forms.wanted, afterTrial) &&
             measureForms(module, *error, forms, afterTrial) &&
             bisect(module, stepsOf(forms, found.alone), afterTrial);
  ledgerOf(module).clear();
  return isFine;
}

/// What a stage left on the module: two errors a layer.
template <typename Errors>
static std::vector<Errors> takeErrors(mlir::ModuleOp module, StringRef name) {
  std::vector<Errors> all;
  auto taken = dyn_cast_if_present<mlir::DictionaryAttr>(module->removeAttr(name));
  for (mlir::NamedAttribute entry : taken ? taken.getValue() : ArrayRef<mlir::NamedAttribute>())
    if (auto errors = dyn_cast<mlir::DenseF64ArrayAttr>(entry.getValue());
        errors && errors.size() == 2)
      all.push_back({entry.getName().str(), errors[0], errors[1]});
  return all;
}

bool Budget::finish(mlir::ModuleOp module) {
  found.bytesAfter = weightBytes(module);
  found.updates = takeErrors<LedgerModel::Update>(module, "kiln.updates");
  found.scalings = takeErrors<LedgerModel::Scaling>(module, "kiln.scalings");
  if (!calls)
    return true;
  show("the compressed model, " + Twine(calls->getCalls().size()) + " calls");
  std::optional<double> error = errorOf(module);
  if (!error)
    return false;
  if (required && !(*error < *required))
    return !report("the compressed model has error " + digits(*error) + ", and less than " +
                   digits(*required) + " is required");
  const Ledger &ledger = ledgerOf(module);
  if (found.heldBack() && none_of(ledger.rows(), isCompressed))
    return !report("the required error " + digits(*required) + " leaves no layer compressed");
  found.error = error;
  found.required = required;
  found.calls = static_cast<int64_t>(calls->getCalls().size());
  std::string text = "the outputs have error " + digits(*error) + " on the data";
  if (required)
    text += ", below " + digits(*required) + ": " + std::to_string(found.heldBack()) +
            " layers are held back, " + std::to_string(found.retreats()) + " in part, by " +
            std::to_string(found.evaluations) + " evaluations of the model";
  mlir::remark::passed(module.getLoc(),
                       mlir::remark::RemarkOpts::name("budget").category("compress"))
      << text;
  return true;
}
