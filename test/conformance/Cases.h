//===- Cases.h - programs made from the registered ops ---------*- C++ -*-===//
//
// Every op with the interface Primitive is called on all element types and a list of shapes; its
// attributes follow from their kinds, its operands from Rules.def where it wants certain shapes.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TEST_CONFORMANCE_CASES_H
#define KILN_TEST_CONFORMANCE_CASES_H

#include "frontend/Primitives.h"
#include "ir/DType.h"

#include <map>
#include <string>
#include <vector>

namespace kiln::conformance {

using Dims = std::map<std::string, int64_t, std::less<>>;

/// The bounds that every dimension of a case has.
inline constexpr int64_t boundN = 33, boundM = 7;

/// One entry point; its name is "c" and the number.
struct Case {
  unsigned id = 0;
  std::string op;
  DType type = DType::F32;
  std::string function; ///< "fn c7[N <= 33](x: f32[N]) { return exp(x) }"
  std::string model() const { return "model C() {\n  " + function + "\n}\n"; }
};

/// All cases, in an order that depends on the registered ops alone.
std::vector<Case> makeCases(const PrimitiveTable &table);

/// The sizes that a case is called at: 0, 1, a middle and the bound.
std::vector<Dims> sizesOfCalls();

} // namespace kiln::conformance

#endif // KILN_TEST_CONFORMANCE_CASES_H
