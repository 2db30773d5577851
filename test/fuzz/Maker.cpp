//===- Maker.cpp - makes random programs ----------------------------------===//

#include "test/fuzz/Maker.h"

#include "frontend/Import.h"
#include "frontend/emit/Primitives.h"
#include "frontend/syntax/Diagnostics.h"
#include "ir/KilnOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <set>

using namespace kiln;
using namespace kiln::fuzz;

/// The element type of `op(a, b …)` on tensors of the shape, if that is legal and keeps the shape.
static std::optional<DType> tryCall(mlir::MLIRContext &context, const std::string &op,
                                    unsigned arity, const Type &type, llvm::StringRef file,
                                    const std::string &stdDir) {
  std::vector<std::string> names, arguments;
  for (unsigned i = 0; i < arity; ++i) {
    names.push_back(std::string(1, char('a' + i)));
    arguments.push_back(names.back() + ": " + type.str());
  }
  std::error_code error;
  llvm::raw_fd_ostream(file, error)
      << "model C() {\n  fn c(" << llvm::join(arguments, ", ") << ") { return " << op << "("
      << llvm::join(names, ", ") << ") }\n}\n";
  llvm::SourceMgr sources;
  Diagnostics diagnostics(sources);
  auto module = importModel(context, diagnostics, file.str(), {"", {}, stdDir});
  if (!module)
    return std::nullopt;
  auto function = module->lookupSymbol<mlir::func::FuncOp>("c");
  if (function.getNumResults() != 1)
    return std::nullopt;
  auto result = mlir::cast<mlir::RankedTensorType>(function.getResultTypes()[0]);
  if (ir::dimsOf(result).size() != type.shape.size() ||
      !llvm::equal(result.getShape(), type.shape,
                   [](int64_t a, const Extent &b) { return a == b.most(); }))
    return std::nullopt;
  return ir::dtypeOf(result.getElementType());
}

static bool needsNoMore(const Primitive &primitive) {
  return llvm::all_of(primitive.slots, [](const Primitive::Slot &slot) {
    return slot.isOperand() ? !slot.variadic : slot.optional;
  });
}

std::vector<Pointwise> fuzz::findPointwise(const std::string &stdDir) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<ir::KilnDialect, mlir::func::FuncDialect>();
  context.getDiagEngine().registerHandler([](mlir::Diagnostic &) {});
  llvm::SmallString<64> file;
  if (llvm::sys::fs::createTemporaryFile("pointwise", "kiln", file))
    llvm::report_fatal_error("no temporary file");
  PrimitiveTable table(context);
  llvm::SmallVector<llvm::StringRef> names = table.names();
  llvm::sort(names);
  std::vector<Pointwise> found;
  for (llvm::StringRef op : names) {
    const Primitive &primitive = *table.find(op);
    unsigned arity = llvm::count_if(primitive.slots, [](auto &slot) { return slot.isOperand(); });
    // Random positions are mostly out of range.
    if (llvm::any_of(primitive.slots, [](auto &slot) { return slot.name == "indices"; }))
      continue;
    for (int type = 0; arity && needsNoMore(primitive) && type < numDTypes; ++type)
      if (auto result = tryCall(context, op.str(), arity, {DType(type), {2, 3}}, file, stdDir))
        found.push_back(
            {op.str(), arity, DType(type), *result,
             tryCall(context, op.str(), arity, {DType(type), {}}, file, stdDir).has_value()});
  }
  llvm::sys::fs::remove(file);
  return found;
}

Maker::Maker(uint64_t seed, llvm::ArrayRef<Pointwise> pointwise)
    : pointwise(pointwise), random(seed * 0x9e3779b97f4a7c15) {}

std::optional<unsigned> Maker::find(llvm::function_ref<bool(const Type &)> fits) {
  std::vector<unsigned> all;
  for (auto [number, type] : llvm::enumerate(entry->values))
    if (fits(type))
      all.push_back(number);
  if (all.empty())
    return std::nullopt;
  unsigned late = std::min<size_t>(all.size(), 3);
  return oneIn(3) ? among(all) : all[all.size() - 1 - below(late)];
}

unsigned Maker::fresh(Type type) {
  bool isFixed = llvm::all_of(type.shape, [](const Extent &e) { return e.isNumber() && e.most(); });
  if (isFixed && isFloat(type.element) && oneIn(2))
    return weight(std::move(type));
  entry->arguments.push_back(entry->add(std::move(type)));
  return entry->arguments.back();
}

unsigned Maker::weight(Type type) {
  unsigned value = entry->add(type);
  entry->weights[value] = program.weights.size();
  program.weights.push_back(std::move(type));
  return value;
}

Shape Maker::anyShape(unsigned rank) {
  const Extent n("N", {0, 1, 16, 33}), m("M", {0, 1, 3, 7});
  const std::vector<Extent> all = {
      1, 2, 3, 7, 16, 17, 33, n, n, n, m, m, Extent(2) * n + Extent(1), everyOf(n, 2), n + m, 0};
  Shape shape;
  do {
    shape.clear();
    while (shape.size() < rank)
      shape.push_back(all[below(all.size() - (oneIn(8) ? 0 : 1))]);
  } while (mostElements(shape) > elementLimit / 4);
  return shape;
}

Shape Maker::anyFixedShape(unsigned rank) {
  const std::vector<Extent> all = {1, 2, 3, 7, 16, 17};
  Shape shape;
  while (shape.size() < rank)
    shape.push_back(among(all));
  return shape;
}

unsigned Maker::add(std::string text, std::vector<unsigned> operands, Type result) {
  addSeveral(std::move(text), std::move(operands), {std::move(result)});
  return entry->values.size() - 1;
}

void Maker::addSeveral(std::string text, std::vector<unsigned> operands,
                       std::vector<Type> results) {
  Step step{std::move(operands), {}, std::move(text)};
  for (Type &result : results)
    step.results.push_back(entry->add(std::move(result)));
  entry->steps.push_back(std::move(step));
}

/// Most of what nothing reads, and now and then something that is read as well, or twice.
void Maker::chooseResults() {
  std::set<unsigned> read;
  std::vector<unsigned> made;
  for (const Step &step : entry->steps) {
    read.insert(step.operands.begin(), step.operands.end());
    made.insert(made.end(), step.results.begin(), step.results.end());
  }
  for (unsigned value : made)
    if (!read.count(value) && (entry->results.empty() || !oneIn(6)))
      entry->results.push_back(value);
  for (unsigned value : entry->pinned)
    if (!llvm::is_contained(entry->results, value))
      entry->results.push_back(value);
  if (oneIn(3) && !made.empty())
    entry->results.push_back(among(made));
  if (oneIn(8) || entry->results.empty())
    entry->results.push_back(below(entry->values.size()));
}

void Maker::makeEntry() {
  program.entries.emplace_back();
  entry = &program.entries.back();
  fresh({oneIn(4) ? DType(below(numDTypes)) : mainFloat, anyShape(below(4) + 1)});
  if (oneIn(3)) // a weight may serve two entry points
    for (auto [number, weight] : llvm::enumerate(program.weights))
      entry->weights[entry->add(weight)] = number;
  std::vector<Family> families;
  for (auto list : {elementwiseFamilies(), shapeFamilies(), networkFamilies(), compressedFamilies(),
                    sequenceFamilies(), controlFamilies(),
                    program.states.empty() ? llvm::ArrayRef<Family>() : stateFamilies()})
    families.insert(families.end(), list.begin(), list.end());
  unsigned sum = 0;
  for (const Family &family : families)
    sum += family.weight;
  for (size_t wanted = 2 + below(9); entry->steps.size() < wanted;) {
    unsigned die = below(sum);
    for (const Family &family : families) {
      if (die < family.weight) {
        family.apply(*this);
        break;
      }
      die -= family.weight;
    }
  }
  chooseResults();
}

Program Maker::make(unsigned id) {
  program = Program();
  program.id = id;
  program.bounded = !oneIn(4);
  const std::vector<DType> floats = {DType::F32,  DType::F32,    DType::F32,
                                     DType::F32,  DType::F64,    DType::F16,
                                     DType::BF16, DType::F8E4M3, DType::F8E5M2};
  mainFloat = among(floats);
  if (oneIn(6))
    for (unsigned count = 1 + below(2); count > 0; --count)
      program.states.push_back({oneIn(4) ? DType::I64 : mainFloat, anyFixedShape(1 + below(2))});
  program.entries.reserve(3);
  makeEntry();
  if (oneIn(3) || !program.states.empty())
    makeEntry();
  if (!program.states.empty() && oneIn(2))
    makeEntry();
  return std::move(program);
}
