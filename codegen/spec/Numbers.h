//===- Numbers.h - single values as specs compute them ---------*- C++ -*-===//
//
// The meaning of each operation on one value, for the reference evaluation.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_SPEC_NUMBERS_H
#define KILN_CODEGEN_SPEC_NUMBERS_H

#include "codegen/spec/KernelSpec.h"

namespace kiln::spec {

/// A value: floats, rounded to their type, in `f`; integers and bools in `i`, wrapped to their
/// type.
struct Number {
  double f = 0;
  int64_t i = 0;
};

Number loadNumber(const uint8_t *bytes, DType type);
void storeNumber(uint8_t *bytes, DType type, Number value);
/// The semantics of Cast.
Number convertNumber(Number value, DType from, DType to);
/// One operation on operands of type `from` (Select: of the condition); nothing for leaves and
/// transcendental functions.
std::optional<Number> applyNumbers(Op op, DType from, DType type, const Number *args);
/// Combiners but ArgMax and ArgMin.
Number combineNumbers(Combiner combiner, DType type, Number kept, Number item);
/// Whether `item` displaces the extreme found so far; a NaN does, but no second one.
bool isMoreExtreme(Number item, Number best, DType type, bool isMax);

} // namespace kiln::spec

#endif // KILN_CODEGEN_SPEC_NUMBERS_H
