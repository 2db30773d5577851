//===- Values.h - inputs and comparison -------------------------*- C++ -*-===//
#ifndef KILN_TEST_CONFORMANCE_VALUES_H
#define KILN_TEST_CONFORMANCE_VALUES_H

#include "ir/Sensitivity.h"
#include "ir/Tolerance.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <string>

namespace kiln::conformance {

/// NoLimits: no largest values, since the order of a sum decides whether it overflows. Moderate: no
/// least ones either, since the order of a product decides whether it leaves the range at any end.
enum class Special : uint8_t { None, Moderate, NoLimits, All };

/// A tensor of values that follow from the seed: plain ones, or where `special` asks for it every
/// second one a zero of either sign, an infinity, a NaN, a denormal or a limit of the type.
ir::Tensor makeTensor(DType type, llvm::ArrayRef<int64_t> shape, uint64_t seed, Special special);

/// Empty if the tensors are the same within the table of the class; else the first difference.
/// `cancels`: the last step adds values that may cancel, so units are of the largest element.
/// `more` is allowed on top, by elements; none if empty.
std::string difference(const ir::Tensor &expected, const ir::Tensor &got, ir::FusionRole role,
                       bool cancels = false, const ir::Allowed &more = {});

/// What two orders of a sum may be apart, by elements: a few units of the type in which it is added
/// up, which is f32 for narrower ones, of the sizes of all its terms (Higham, Accuracy and
/// Stability, 4.2). `terms`: those sums of sizes.
ir::Allowed errorsOfSums(const ir::Tensor &terms);

/// The same for one element of a reduction that is no plain sum, of what it reads: the largest
/// element, or the sizes that one result reads on average.
double errorOfReduction(llvm::ArrayRef<ir::Tensor> read, const ir::Tensor &result);

/// The same where the allowed errors are known.
std::string difference(const ir::Tensor &expected, const ir::Tensor &got,
                       const ir::Allowed &allowed);

/// The same by any judgement of single elements.
std::string firstDifference(const ir::Tensor &expected, const ir::Tensor &got,
                            llvm::function_ref<bool(int64_t element)> same);

/// A cast has one right result: the value of the target type that the definition names.
inline bool isExact(llvm::StringRef op) { return op == "cast"; }

} // namespace kiln::conformance

#endif // KILN_TEST_CONFORMANCE_VALUES_H
