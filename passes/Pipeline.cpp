//===- Pipeline.cpp - the default order of passes -------------------------===//

#include "passes/Pipeline.h"

#include "passes/Passes.h"

#include "mlir/Pass/PassRegistry.h"

using namespace kiln;
using namespace mlir;

ArrayRef<Stage> kiln::stages() {
  static constexpr Stage table[] = {
#define KILN_STAGE(name, exactness, sentence) {#name, #exactness, sentence},
#include "passes/Stages.def"
  };
  return table;
}

/// The passes of a stage, as text of MLIR's pass pipelines.
static std::string passesOf(StringRef stage, const Options &options) {
  bool optimised = options.optLevel > 0, fused = options.optLevel > 1;
  if (stage == "simplify")
    return optimised ? "kiln-require,kiln-simplify"
                     : "kiln-require,kiln-decompose,kiln-fold-weights";
  // Layout moves transposes into weights: they are folded, and what became dead goes.
  if (stage == "layout")
    return optimised ? "kiln-layout,kiln-simplify" : "";
  if (stage == "prune" || stage == "quantize")
    return ("kiln-" + stage).str();
  if (stage == "fuse")
    return fused ? options.isForDevices ? "kiln-fuse{devices=true}" : "kiln-turn-operands,kiln-fuse"
           : optimised ? "kiln-turn-operands,kiln-outline"
                       : "kiln-outline";
  if (stage == "choose") {
    bool halide = optimised && options.halideAvailable && options.backend != Backend::LLVM;
    StringRef generator = !halide ? "llvm" : options.backend == Backend::Halide ? "halide" : "auto";
    std::string choose = ("kiln-choose{generator=" + generator + " target=" + options.target +
                          " fast-conv=" + (fused ? options.fastConv : "off") + "}")
                             .str();
    StringRef pack = options.isForDevices ? ",kiln-pack{devices=true}" : ",kiln-pack";
    return optimised ? choose + pack.str() : choose;
  }
  return stage == "plan" ? "kiln-plan" : "";
}

void kiln::addStage(PassManager &manager, StringRef stage, const Options &options) {
  std::string text = passesOf(stage, options);
  if (!text.empty() && failed(parsePassPipeline(text, manager)))
    llvm::report_fatal_error("the pipeline of stage '" + Twine(stage) + "' does not parse");
}

void kiln::addRules(ModuleOp module, const Options &options) {
  Builder builder(module.getContext());
  SmallVector<Attribute> rules;
  if (auto recipe = module->getAttrOfType<ArrayAttr>("kiln.compress"))
    rules.append(recipe.begin(), recipe.end());
  auto add = [&](StringRef action, StringRef to,
                 ArrayRef<std::pair<StringRef, StringRef>> settings) {
    SmallVector<NamedAttribute> rule = {
        builder.getNamedAttr("action", builder.getStringAttr(action)),
        builder.getNamedAttr("pattern", builder.getStringAttr("*")),
        builder.getNamedAttr("to", builder.getStringAttr(to))};
    SmallVector<NamedAttribute> given;
    for (auto [name, value] : settings)
      if (!value.empty())
        given.push_back(builder.getNamedAttr(name, builder.getStringAttr(value)));
    if (!given.empty())
      rule.push_back(builder.getNamedAttr("with", builder.getDictionaryAttr(given)));
    rules.push_back(builder.getDictionaryAttr(rule));
  };
  StringRef numbers = options.quantize;
  bool isScaled = numbers.consume_back("-awq"); // int4:64-awq, int4:64-gptq-awq
  bool isCompensated = numbers.consume_back("-gptq");
  auto [scheme, group] = numbers.split(':');
  auto [to, activations] = scheme.split('-'); // int8-dynamic
  if (!scheme.empty())
    add("quantize", to,
        {{"group", group},
         {"activations", activations},
         {"rounding", isCompensated ? "gptq" : ""},
         {"scaling", isScaled ? "awq" : ""}});
  StringRef part = options.prune;
  bool isUpdated = part.consume_back("-compensated"); // 2:4-wanda-compensated
  bool isWanda = part.consume_back("-wanda");
  if (!options.prune.empty())
    add("prune", part,
        {{"saliency", isWanda ? "wanda" : ""}, {"update", isUpdated ? "compensated" : ""}});
  if (!options.requireError.empty())
    rules.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr("action", builder.getStringAttr("require")),
         builder.getNamedAttr("to", builder.getStringAttr(options.requireError))}));
  if (!rules.empty())
    module->setAttr("kiln.compress", builder.getArrayAttr(rules));
}

void kiln::registerPasses() {
  passes::registerKilnPasses();
  for (const Stage &stage : stages())
    PassPipelineRegistration<>(("kiln-stage-" + stage.name).str(), stage.sentence,
                               [stage](OpPassManager &manager) {
                                 std::string text = passesOf(stage.name, Options());
                                 if (failed(parsePassPipeline(text, manager)))
                                   llvm::report_fatal_error("a stage's pipeline does not parse");
                               });
}
