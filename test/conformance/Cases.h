//===- Cases.h - programs made from the registered ops ---------*- C++ -*-===//
//
// Every op with the interface Primitive is called on all element types and a list of shapes; its
// attributes follow from their kinds, its operands from Rules.def where it wants certain shapes.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TEST_CONFORMANCE_CASES_H
#define KILN_TEST_CONFORMANCE_CASES_H

#include "frontend/emit/Primitives.h"
#include "test/conformance/Case.h"

namespace kiln::conformance {

/// All cases, in an order that depends on the registered ops alone.
std::vector<Case> makeCases(const PrimitiveTable &table);

} // namespace kiln::conformance

#endif // KILN_TEST_CONFORMANCE_CASES_H
