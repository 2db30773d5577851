//===- Specs.h - kernel specs in text --------------------------*- C++ -*-===//
#ifndef KILN_TEST_GPU_SPECS_H
#define KILN_TEST_GPU_SPECS_H

#include "codegen/spec/KernelSpec.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace kiln::test {

/// Reads specs as `kilnc --emit=kernels` prints them, a line "# NAME" before each.
llvm::Error readSpecs(llvm::StringRef text,
                      llvm::function_ref<void(llvm::StringRef, const spec::KernelSpec &)> take);

} // namespace kiln::test

#endif // KILN_TEST_GPU_SPECS_H
