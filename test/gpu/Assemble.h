//===- Assemble.h - whether ptxas takes the PTX of tested kernels -*- C++ -*-===//
#ifndef KILN_TEST_GPU_ASSEMBLE_H
#define KILN_TEST_GPU_ASSEMBLE_H

#include "codegen/spec/KernelSpec.h"

namespace kiln::test {

/// Generates PTX of a kernel, for one chip after the other or for that one, and keeps it. At the
/// end of the program's tests ptxas, where it was found when Kiln was built, must take all that was
/// kept.
void assembleLater(const spec::KernelSpec &spec, std::string_view chip = {});

} // namespace kiln::test

#endif // KILN_TEST_GPU_ASSEMBLE_H
