//===- Names.cpp - names and checks of a Program --------------------------===//
#include "codegen/host/Host.h"
#include "codegen/host/Reserved.h"

#include "runtime/Abi.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace llvm;

namespace kiln::host {

uint64_t requiredFeatures(const Target &target) {
  StringMap<bool> enabled;
  SmallVector<StringRef> ofCpu, extra;
  if (X86::parseArchX86(target.cpu) != X86::CK_None)
    X86::getFeaturesForCPU(target.cpu, ofCpu);
  for (StringRef feature : ofCpu)
    enabled[feature] = true;
  StringRef(target.features).split(extra, ',', -1, /*KeepEmpty=*/false);
  for (StringRef feature : extra)
    X86::updateImpliedFeatures(feature.drop_front(), feature.front() == '+', enabled),
        enabled[feature.drop_front()] = feature.front() == '+';
  uint64_t bits = 0;
#define KILN_CPU_FEATURE(Name, llvmName, bit)                                                      \
  if (enabled.lookup(llvmName))                                                                    \
    bits |= KILN_CPU_##Name;
#include "runtime/CpuFeatures.def"
  return bits;
}

std::string kernelSymbol(StringRef kernel, const Target &target) {
  return (kernel + "." + target.name).str();
}

std::string weightSymbol(const Program &program, size_t index) {
  return program.modelName + "_kiln_weight_" + std::to_string(index);
}

std::vector<std::string> maxima(const Program &program) {
  std::vector<std::string> names;
  StringSet<> seen;
  for (const EntryPoint &entry : program.entries)
    for (const Dimension &dimension : entry.dimensions)
      if (!dimension.isData && seen.insert(dimension.name).second)
        names.push_back(dimension.name);
  return names;
}

static Error failure(const Twine &text) { return createStringError(text); }

static bool isIdentifier(StringRef name) {
  return !name.empty() && !isDigit(name.front()) &&
         all_of(name, [](char c) { return isAlnum(c) || c == '_'; });
}

/// Whether the expression uses only dimensions of the entry, and rounds of loops around.
static bool isOver(const EntryPoint &entry, const DimExpr &expr,
                   ArrayRef<std::string> rounds = {}) {
  std::set<std::string> symbols;
  expr.collectSymbols(symbols);
  for (const std::string &round : rounds)
    symbols.erase(round);
  for (const Dimension &dimension : entry.dimensions)
    symbols.erase(dimension.name);
  return expr.isValid() && symbols.empty();
}

static size_t extentOf(const Program &program, const EntryPoint &entry, BufferRef::Kind kind) {
  switch (kind) {
  case BufferRef::Kind::Argument:
    return entry.arguments.size();
  case BufferRef::Kind::Result:
    return entry.results.size();
  case BufferRef::Kind::Weight:
    return program.weights.size();
  case BufferRef::Kind::State:
    return program.states.size();
  case BufferRef::Kind::Arena:
    return size_t(-1);
  }
  return 0;
}

static Error checkSteps(const Program &program, const EntryPoint &entry,
                        const std::vector<Launch> &launches, SmallVector<std::string> &rounds) {
  auto over = [&](const DimExpr &expr, const Twine &what) -> Error {
    if (isOver(entry, expr, rounds))
      return Error::success();
    return failure(what + " of entry point '" + entry.name +
                   "': expected a formula over its dimensions, got '" + expr.str() + "'");
  };
  auto expect = [&](const Launch &launch, size_t buffers, size_t dims) -> Error {
    if (launch.buffers.size() == buffers && launch.dims.size() == dims)
      return Error::success();
    return failure("step '" + launch.label + "': expected " + Twine(buffers) + " buffers and " +
                   Twine(dims) + " dimensions, got " + Twine(launch.buffers.size()) + " and " +
                   Twine(launch.dims.size()));
  };
  size_t outer = rounds.size();
  for (const Launch &launch : launches) {
    for (const DimExpr &dim : launch.dims)
      if (Error error = over(dim, "dimension of '" + launch.label + "'"))
        return error;
    for (const DimExpr *cost : {&launch.flops, &launch.bytes})
      if (Error error = over(*cost, "cost of '" + launch.label + "'"))
        return error;
    for (const BufferRef &buffer : launch.buffers) {
      if (buffer.index >= extentOf(program, entry, buffer.kind))
        return failure("'" + launch.label + "' of entry point '" + entry.name +
                       "' has a buffer of index " + Twine(buffer.index) +
                       ", which there is none of");
      if (Error error = over(buffer.offset, "offset in '" + launch.label + "'"))
        return error;
    }
    size_t buffers = launch.buffers.size(), dims = launch.dims.size();
    switch (launch.kind) {
    case Launch::Kind::Kernel:
      break;
    case Launch::Kind::Copy:
      buffers = 2, dims = 1;
      break;
    case Launch::Kind::Assert:
    case Launch::Kind::Bind:
    case Launch::Kind::If:
      buffers = 1, dims = 0;
      break;
    case Launch::Kind::Loop:
      buffers = 0, dims = 1;
      break;
    case Launch::Kind::While:
      buffers = 2, dims = 0;
      break;
    }
    if (Error error = expect(launch, buffers, dims))
      return error;
    if (!launch.symbol.empty())
      rounds.push_back(launch.symbol);
    for (const auto *steps : {&launch.condition, &launch.body, &launch.otherwise})
      if (Error error = checkSteps(program, entry, *steps, rounds))
        return error;
    if (!launch.symbol.empty() && launch.kind != Launch::Kind::Bind)
      rounds.pop_back();
  }
  rounds.truncate(outer);
  return Error::success();
}

static Error checkEntry(const Program &program, const EntryPoint &entry) {
  auto over = [&](const DimExpr &expr, const Twine &what) -> Error {
    if (isOver(entry, expr))
      return Error::success();
    return failure(what + " of entry point '" + entry.name +
                   "': expected a formula over its dimensions, got '" + expr.str() + "'");
  };
  for (const auto *tensors : {&entry.arguments, &entry.results})
    for (const TensorInfo &tensor : *tensors)
      for (const DimExpr &extent : tensor.shape)
        if (Error error = over(extent, "shape of '" + tensor.name + "'"))
          return error;
  if (Error error = over(entry.arenaBytes, "arena"))
    return error;
  for (const DimExpr &limit : entry.limits)
    if (Error error = over(limit, "limit"))
      return error;
  for (const Requirement &check : entry.checks)
    for (const DimExpr *side : {&check.got, &check.expected})
      if (Error error = over(*side, "check '" + check.subject + "'"))
        return error;
  SmallVector<std::string> rounds;
  return checkSteps(program, entry, entry.launches, rounds);
}

bool computesOnDevice(ArrayRef<Target> targets) {
  return any_of(targets, [](const Target &target) { return target.device != nullptr; });
}

Error check(const Program &program) {
  if (!isIdentifier(program.modelName) || isReservedType(program.modelName))
    return failure("model name: expected a free C identifier, got '" + program.modelName + "'");
  StringSet<> names({"create", "destroy", "reset", "cancel", "last_error", "state_get", "state_set",
                     "wait", "options"});
  for (const EntryPoint &entry : program.entries) {
    if (!isIdentifier(entry.name) || !names.insert(entry.name).second ||
        !names.insert(entry.name + "_enqueue").second)
      return failure("entry point '" + entry.name + "': the name is no C identifier or is taken");
    if (Error error = checkEntry(program, entry))
      return error;
  }
  for (const StateInfo &state : program.states)
    if (state.initialWeight && (*state.initialWeight >= program.weights.size() ||
                                program.weights[*state.initialWeight].bytes != state.bytes))
      return failure("state '" + state.name + "': its initial weight has another size");
  return Error::success();
}

} // namespace kiln::host
