//===- Specs.h - kernel specs for tests and timings ------------*- C++ -*-===//
#ifndef KILN_TEST_UNIT_KERNELS_SPECS_H
#define KILN_TEST_UNIT_KERNELS_SPECS_H

#include "codegen/spec/KernelSpec.h"

namespace kiln::test {

using spec::KernelSpec;

/// A dense row-major operand.
spec::Operand dense(std::string name, std::vector<DimExpr> shape, spec::Operand::Use use,
                    DType type = DType::F32);
/// Coordinates d0, d1, … of the given numbers.
std::vector<spec::Index> dims(std::vector<int> numbers);

/// y = relu(x w' + bias), x [m, k], w a panel of [n, k].
KernelSpec linear(DimExpr m, int64_t n, int64_t k);
/// Sizes of a convolution; square kernel, stride and "same" padding (kernel / 2) if `padded`.
struct Convolution {
  int64_t batch, height, width, in, out, kernel, stride;
  bool isPadded;
  int64_t outHeight() const {
    return (height + (isPadded ? kernel / 2 * 2 : 0) - kernel) / stride + 1;
  }
  int64_t outWidth() const {
    return (width + (isPadded ? kernel / 2 * 2 : 0) - kernel) / stride + 1;
  }
};
/// NHWC with bias and relu; guarded reads where padded.
KernelSpec convolution(const Convolution &shape);
KernelSpec depthwise(const Convolution &shape);
KernelSpec pool(const Convolution &shape, bool isMax);
KernelSpec softmax(int64_t rows, int64_t columns);
KernelSpec argmax(int64_t rows, int64_t columns);
/// Batched product of a [b, m, k] and b [b, k, n].
KernelSpec matmul(int64_t batch, DimExpr m, int64_t n, int64_t k);
/// y = f(x) over a vector.
KernelSpec unary(spec::Op op, int64_t n, DType type = DType::F32);

} // namespace kiln::test

#endif // KILN_TEST_UNIT_KERNELS_SPECS_H
