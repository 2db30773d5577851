//===- Evaluate.h - reference evaluation of kernel specs -------*- C++ -*-===//
//
// A plain loop over every point of every stage, for tests of generators: what it computes is what
// the spec means.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_SPEC_EVALUATE_H
#define KILN_CODEGEN_SPEC_EVALUATE_H

#include "codegen/spec/KernelSpec.h"

namespace kiln::spec {

/// Number of bytes of an operand's buffer when the symbols have the given values (spec order); -1
/// if an extent or stride is negative or overflows.
int64_t bufferBytes(const KernelSpec &spec, const Operand &operand,
                    const std::vector<int64_t> &symbols);

/// Zeroes what a packed operand's memory holds behind its extents, as generators may assume.
void clearMissing(const KernelSpec &spec, const Operand &operand,
                  const std::vector<int64_t> &symbols, void *bytes);

/// Runs the stages in order over buffers in operand order, each of bufferBytes(). Each operation is
/// rounded to its type; reductions go through the domain in row-major order. Transcendental
/// functions must have been expanded. Gives what went wrong (an access out of bounds, say) or "".
std::string evaluate(const KernelSpec &spec, const std::vector<void *> &buffers,
                     const std::vector<int64_t> &symbols);

} // namespace kiln::spec

#endif // KILN_CODEGEN_SPEC_EVALUATE_H
