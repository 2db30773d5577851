//===- Program.cpp - a random model ---------------------------------------===//

#include "test/fuzz/Program.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <set>

using namespace kiln;
using namespace kiln::fuzz;

Extent::Extent(int64_t number) : text(std::to_string(number)) { sizes.fill(number); }

bool Extent::isNumber() const { return llvm::all_of(text, llvm::isDigit); }

bool Extent::canBeWritten() const { return !llvm::StringRef(text).contains("min"); }

bool fuzz::canBeWritten(const Shape &shape) {
  return llvm::all_of(shape, [](const Extent &extent) { return extent.canBeWritten(); });
}

static Extent combine(const Extent &a, const Extent &b, const char *sign,
                      llvm::function_ref<int64_t(int64_t, int64_t)> apply) {
  Extent result(0);
  for (size_t i = 0; i < result.sizes.size(); ++i)
    result.sizes[i] = apply(a.sizes[i], b.sizes[i]);
  result.text = a.isNumber() && b.isNumber() ? std::to_string(result.sizes[0])
                                             : "(" + a.text + sign + b.text + ")";
  return result;
}

Extent fuzz::operator+(const Extent &a, const Extent &b) {
  return combine(a, b, " + ", std::plus<int64_t>());
}

Extent fuzz::operator*(const Extent &a, const Extent &b) {
  return combine(a, b, " * ", std::multiplies<int64_t>());
}

Extent fuzz::everyOf(const Extent &a, int64_t step) {
  return step == 1 ? a : combine(a + Extent(step - 1), step, " // ", std::divides<int64_t>());
}

int64_t fuzz::mostElements(const Shape &shape) {
  int64_t product = 1;
  for (const Extent &extent : shape)
    product *= extent.most();
  return product;
}

std::string fuzz::text(const Shape &shape) {
  std::vector<std::string> parts;
  for (const Extent &extent : shape)
    parts.push_back(extent.text);
  return "[" + llvm::join(parts, ", ") + "]";
}

size_t Program::numSteps() const {
  size_t sum = 0;
  for (const Entry &entry : entries)
    sum += entry.steps.size();
  return sum;
}

namespace {
/// Writes one entry point.
class Writer {
public:
  Writer(const Program &program, const Entry &entry, const std::string &name)
      : program(program), entry(entry), name(name) {}
  std::string str() const;

private:
  std::string value(unsigned number) const;
  std::string expand(const Step &step) const;
  std::string head() const;
  const Program &program;
  const Entry &entry;
  const std::string &name;
};
} // namespace

static std::string weightName(const Program &program, unsigned weight) {
  return "p" + std::to_string(program.id) + "_" + std::to_string(weight);
}

static std::string stateName(const Program &program, unsigned state) {
  return "s" + std::to_string(program.id) + "_" + std::to_string(state);
}

std::string Writer::value(unsigned number) const {
  if (auto weight = entry.weights.find(number); weight != entry.weights.end())
    return "self." + weightName(program, weight->second);
  return (llvm::is_contained(entry.arguments, number) ? "a" : "v") + std::to_string(number);
}

std::string Writer::expand(const Step &step) const {
  std::string result;
  for (size_t at = 0; at < step.text.size(); ++at) {
    char sign = step.text[at];
    if (sign == '$')
      result += value(step.operands[step.text[++at] - '0']);
    else if (sign == '~')
      result += value(step.results[step.text[++at] - '0']);
    else if (sign == '?')
      result += stateName(program, step.text[++at] - '0');
    else
      result += sign;
  }
  return result;
}

std::string Writer::head() const {
  std::vector<std::string> arguments, dimensions;
  std::string all;
  for (unsigned argument : entry.arguments)
    all += text(entry.values[argument].shape);
  for (const Step &step : entry.steps)
    all += step.text;
  auto bound = [](char dim) { return dim == 'N' ? conformance::boundN : conformance::boundM; };
  for (char dim : {'N', 'M'}) {
    if (!llvm::StringRef(all).contains(dim)) // no other name has a capital letter
      continue;
    dimensions.push_back(std::string(1, dim) +
                         (program.bounded ? " <= " + std::to_string(bound(dim)) : ""));
    // Every dimension is the extent of an argument.
    arguments.push_back(std::string("of") + char(dim + ('a' - 'A')) + ": u8[" + dim + "]");
  }
  for (unsigned argument : entry.arguments)
    arguments.push_back(value(argument) + ": " + entry.values[argument].str());
  return "fn " + name + (dimensions.empty() ? "" : "[" + llvm::join(dimensions, ", ") + "]") + "(" +
         llvm::join(arguments, ", ") + ") {\n";
}

std::string Writer::str() const {
  auto join = [&](llvm::ArrayRef<unsigned> numbers) {
    std::vector<std::string> names;
    for (unsigned number : numbers)
      names.push_back(value(number));
    return llvm::join(names, ", ");
  };
  std::string result = head();
  for (const Step &step : entry.steps)
    result += "    " + (step.isStatement() ? "" : join(step.results) + " = ") + expand(step) + "\n";
  return result + "    return " + join(entry.results) + "\n  }";
}

conformance::Case Program::makeCase() const {
  conformance::Case made;
  made.id = id;
  for (auto [number, weight] : llvm::enumerate(weights))
    made.members += "param " + weightName(*this, number) + ": " + weight.str() + "\n  ";
  std::vector<std::string> all;
  for (auto [number, state] : llvm::enumerate(states)) {
    all.push_back("self." + stateName(*this, number));
    made.members += "state " + stateName(*this, number) + ": " + state.str() + " = 1\n  ";
  }
  for (auto [number, entry] : llvm::enumerate(entries)) {
    made.entries.push_back("c" + std::to_string(id) + "_" + char('a' + number));
    made.members += (number ? "\n  " : "") + Writer(*this, entry, made.entries.back()).str();
  }
  made.hasStates = !states.empty();
  if (made.hasStates) {
    made.entries.push_back("c" + std::to_string(id) + "_states");
    made.members += "\n  fn " + made.entries.back() + "() { return " + llvm::join(all, ", ") + " }";
  }
  return made;
}

/// Leaves out arguments, weights and steps that nothing needs.
static void dropUnused(Program &program) {
  std::set<unsigned> usedWeights;
  for (Entry &entry : program.entries) {
    std::set<unsigned> used(entry.results.begin(), entry.results.end());
    for (size_t i = entry.steps.size(); i-- > 0;) {
      const Step &step = entry.steps[i];
      if (step.hasEffect() ||
          llvm::any_of(step.results, [&](unsigned result) { return used.count(result); }))
        used.insert(step.operands.begin(), step.operands.end());
      else
        entry.steps.erase(entry.steps.begin() + i);
    }
    llvm::erase_if(entry.arguments, [&](unsigned argument) { return !used.count(argument); });
    std::erase_if(entry.weights, [&](const auto &weight) { return !used.count(weight.first); });
    for (auto &[value, weight] : entry.weights)
      usedWeights.insert(weight);
  }
  std::vector<Type> kept;
  for (unsigned weight : usedWeights)
    kept.push_back(program.weights[weight]);
  for (Entry &entry : program.entries)
    for (auto &[value, weight] : entry.weights)
      weight = std::distance(usedWeights.begin(), usedWeights.find(weight));
  program.weights = std::move(kept);
}

std::vector<Program> fuzz::smallerPrograms(const Program &program) {
  std::vector<Program> all;
  auto add = [&](Program smaller) {
    dropUnused(smaller);
    all.push_back(std::move(smaller));
  };
  for (size_t e = 0; e < program.entries.size(); ++e) {
    if (program.entries.size() > 1) {
      Program smaller = program;
      smaller.entries.erase(smaller.entries.begin() + e);
      add(smaller);
    }
    for (size_t r = 0; r < program.entries[e].results.size(); ++r)
      if (program.entries[e].results.size() > 1 &&
          !llvm::is_contained(program.entries[e].pinned, program.entries[e].results[r])) {
        Program smaller = program;
        smaller.entries[e].results.erase(smaller.entries[e].results.begin() + r);
        add(smaller);
      }
    // Early steps first: what they fed becomes arguments.
    for (size_t s = 0; s < program.entries[e].steps.size(); ++s) {
      Program smaller = program;
      Entry &entry = smaller.entries[e];
      bool canBeArguments = true;
      for (unsigned result : entry.steps[s].results) {
        entry.arguments.push_back(result);
        canBeArguments &= canBeWritten(entry.values[result].shape);
        llvm::erase(entry.pinned, result);
      }
      entry.steps.erase(entry.steps.begin() + s);
      if (canBeArguments)
        add(smaller);
    }
    // A step's operand of the same type may stand for its result.
    for (size_t s = 0; s < program.entries[e].steps.size(); ++s)
      for (unsigned operand : program.entries[e].steps[s].operands) {
        const Step &step = program.entries[e].steps[s];
        if (step.results.size() != 1 ||
            !(program.entries[e].values[operand] == program.entries[e].values[step.results[0]]))
          continue;
        Program smaller = program;
        Entry &entry = smaller.entries[e];
        for (Step &other : entry.steps)
          llvm::replace(other.operands, step.results[0], operand);
        llvm::replace(entry.results, step.results[0], operand);
        entry.steps.erase(entry.steps.begin() + s);
        add(smaller);
      }
  }
  return all;
}
