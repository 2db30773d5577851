//===- Builders.h - parts of specs for tests -------------------*- C++ -*-===//
#ifndef KILN_TEST_UNIT_LLVM_BUILDERS_H
#define KILN_TEST_UNIT_LLVM_BUILDERS_H

#include "codegen/spec/KernelSpec.h"

namespace kiln::test {

using namespace spec;

using Shape = std::vector<DimExpr>;

/// Memory whose end touches a page that must not be accessed.
class GuardedBuffer {
public:
  explicit GuardedBuffer(size_t bytes);
  ~GuardedBuffer();
  GuardedBuffer(const GuardedBuffer &) = delete;
  uint8_t *data() const { return start; }
  size_t size() const { return bytes; }

private:
  uint8_t *mapping, *start;
  size_t bytes, mapped;
};

Operand operand(std::string name, DType type, Shape shape, Operand::Use use = Operand::Use::Input);
Operand output(std::string name, DType type, Shape shape);
Operand panel(std::string name, DType type, Shape shape, int64_t group = 1);
/// A read with coordinates d0, d1, ….
ExprPtr readAt(std::string name, DType type, std::vector<int> dims);
Stage pointwise(std::string name, DType type, Shape domain, ExprPtr body);
Stage reducing(std::string name, DType type, Shape domain, Shape reduction, Combiner combiner,
               ExprPtr init, ExprPtr body);

/// C[m, n] = relu(sum_k A[m, k] * W[n, k] + bias[n]) in f32, with W in panels.
KernelSpec linearRelu(DimExpr m, int64_t n, int64_t k, std::vector<Symbol> symbols = {});

struct ConvolutionShape {
  int64_t height, width, channels, outputs, kernel, stride, pad, dilation, groups;
};

/// NHWC convolution of two images in f32, padding as guarded reads, weights [O, kh, kw, C/g] in
/// panels.
KernelSpec convolution(const ConvolutionShape &window);

} // namespace kiln::test

#endif // KILN_TEST_UNIT_LLVM_BUILDERS_H
