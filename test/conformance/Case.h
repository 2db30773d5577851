//===- Case.h - a small program under test ---------------------*- C++ -*-===//
#ifndef KILN_TEST_CONFORMANCE_CASE_H
#define KILN_TEST_CONFORMANCE_CASE_H

#include "ir/DType.h"

#include <map>
#include <string>
#include <vector>

namespace kiln::conformance {

using Dims = std::map<std::string, int64_t, std::less<>>;

/// The bounds that every dimension of a case has.
inline constexpr int64_t boundN = 33, boundM = 7;

/// Members of a model whose names no other case has. Its results are judged by the tolerance of its
/// op; those of a program, which has no op, by how far errors of single ops carry.
struct Case {
  unsigned id = 0;
  std::string op;
  DType type = DType::F32;
  std::string members;              ///< "fn c7[N <= 33](x: f32[N]) { return exp(x) }"
  std::vector<std::string> entries; ///< "c7"
  /// Calls share states: all of one instance are made in one order, several times over.
  bool hasStates = false;
  /// A program that is called at each size with plain and with special values.
  bool isThorough = false;
  bool isProgram() const { return op.empty(); }
  std::string model() const { return "model C() {\n  " + members + "\n}\n"; }
};

/// The sizes that a case is called at: 0, 1, a middle and the bound.
inline std::vector<Dims> sizesOfCalls() {
  return {{{"M", 0}, {"N", 0}},
          {{"M", 1}, {"N", 1}},
          {{"M", 3}, {"N", 16}},
          {{"M", boundM}, {"N", boundN}}};
}

} // namespace kiln::conformance

#endif // KILN_TEST_CONFORMANCE_CASE_H
