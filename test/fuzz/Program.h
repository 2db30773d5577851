//===- Program.h - a random model -----------------------------*- C++ -*-===//
//
// A program is kept as data, so that steps can be dropped from it: entry points of single
// assignments over arguments, weights and each other.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TEST_FUZZ_PROGRAM_H
#define KILN_TEST_FUZZ_PROGRAM_H

#include "test/conformance/Case.h"

#include "llvm/ADT/StringRef.h"

#include <array>

namespace kiln::fuzz {

/// An extent as the language writes it, and its value at each of conformance::sizesOfCalls().
/// Extents of equal text are the same; others may be, but are not used so.
struct Extent {
  std::string text;
  std::array<int64_t, 4> sizes;

  Extent(int64_t number);
  Extent(std::string text, std::array<int64_t, 4> sizes) : text(std::move(text)), sizes(sizes) {}
  bool isNumber() const;
  bool canBeWritten() const; ///< no: it has a min, which a slice makes and types cannot spell
  int64_t most() const { return sizes.back(); } ///< all expressions grow with N and M
  int64_t least() const { return sizes.front(); }
  bool operator==(const Extent &other) const { return text == other.text; }
};

Extent operator+(const Extent &a, const Extent &b);
Extent operator*(const Extent &a, const Extent &b);
/// The extent of every `step`-th position: (a + step - 1) // step.
Extent everyOf(const Extent &a, int64_t step);

using Shape = std::vector<Extent>;

/// Number of elements at the largest call.
int64_t mostElements(const Shape &shape);
std::string text(const Shape &shape); ///< "[N, 3]"
bool canBeWritten(const Shape &shape);

struct Type {
  DType element = DType::F32;
  Shape shape;
  std::string str() const { return std::string(name(element)) + text(shape); }
  bool operator==(const Type &) const = default;
};

/// One line: results = text, in which "$0" stands for the first operand. A text with "~0", which
/// stands for the first result, is statements by itself.
struct Step {
  std::vector<unsigned> operands, results; ///< numbers of values
  std::string text;
  bool isStatement() const { return llvm::StringRef(text).contains('~') || hasEffect(); }
  bool hasEffect() const { return results.empty(); } ///< it writes a state
};

/// One entry point. Values are numbered; each comes from an argument, a weight or a step.
struct Entry {
  std::vector<Type> values;
  std::vector<unsigned> arguments;
  std::map<unsigned, unsigned> weights; ///< value → weight of the program
  std::vector<Step> steps;
  std::vector<unsigned> results;
  std::vector<unsigned> pinned = {}; ///< results that stay: computing them may fail the call

  unsigned add(Type type) { return values.push_back(std::move(type)), values.size() - 1; }
};

struct Program {
  unsigned id = 0;
  bool bounded = true; ///< dimensions have bounds in the text
  std::vector<Type> weights;
  std::vector<Type> states; ///< read and written by steps as "self.?0"
  std::vector<Entry> entries;
  size_t numSteps() const;
  conformance::Case makeCase() const;
};

/// All programs with one step, result, entry point or argument fewer. A value whose step goes
/// becomes an argument.
std::vector<Program> smallerPrograms(const Program &program);

} // namespace kiln::fuzz

#endif // KILN_TEST_FUZZ_PROGRAM_H
