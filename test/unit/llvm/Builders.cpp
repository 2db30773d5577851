//===- Builders.cpp - parts of specs for tests ----------------------------===//

#include "test/unit/llvm/Builders.h"

#include <sys/mman.h>

using namespace kiln;
using namespace kiln::test;

static constexpr DType F32 = DType::F32;

GuardedBuffer::GuardedBuffer(size_t bytes) : bytes(bytes) {
  size_t pages = (bytes + 4095) / 4096 + 1;
  mapped = pages * 4096 + 4096;
  mapping = static_cast<uint8_t *>(
      mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  mprotect(mapping, 4096, PROT_NONE);
  mprotect(mapping + mapped - 4096, 4096, PROT_NONE);
  start = mapping + mapped - 4096 - bytes;
}

GuardedBuffer::~GuardedBuffer() { munmap(mapping, mapped); }

Operand test::operand(std::string name, DType type, Shape shape, Operand::Use use) {
  Operand result;
  result.name = std::move(name);
  result.type = type;
  result.shape = shape;
  result.strides.resize(shape.size());
  DimExpr stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    result.strides[i] = stride;
    stride = stride * shape[i];
  }
  result.use = use;
  return result;
}

Operand test::output(std::string name, DType type, Shape shape) {
  return operand(std::move(name), type, std::move(shape), Operand::Use::Output);
}

Operand test::panel(std::string name, DType type, Shape shape, int64_t group) {
  Operand result = operand(std::move(name), type, std::move(shape));
  result.panel = Panel{16, group};
  result.strides.clear();
  return result;
}

ExprPtr test::readAt(std::string name, DType type, std::vector<int> dims) {
  std::vector<Index> indices;
  for (int dim : dims)
    indices.push_back(index(dim));
  return read(std::move(name), indices, type);
}

Stage test::pointwise(std::string name, DType type, Shape domain, ExprPtr body) {
  Stage stage;
  stage.name = std::move(name);
  stage.role = Role::Epilogue;
  stage.type = type;
  stage.domain = std::move(domain);
  stage.body = std::move(body);
  return stage;
}

Stage test::reducing(std::string name, DType type, Shape domain, Shape reduction, Combiner combiner,
                     ExprPtr init, ExprPtr body) {
  Stage stage = pointwise(std::move(name), type, std::move(domain), std::move(body));
  stage.reduction = std::move(reduction);
  stage.combiner = combiner;
  stage.init = std::move(init);
  return stage;
}

KernelSpec test::linearRelu(DimExpr m, int64_t n, int64_t k, std::vector<Symbol> symbols) {
  KernelSpec spec;
  spec.symbols = std::move(symbols);
  spec.operands = {operand("a", F32, {m, k}), panel("w", F32, {n, k}), operand("bias", F32, {n}),
                   output("c", F32, {m, n})};
  Stage acc =
      reducing("acc", F32, {m, n}, {k}, Combiner::Add, constant(0.0, F32),
               relaxed(apply(Op::Mul, {readAt("a", F32, {0, 2}), readAt("w", F32, {1, 2})})));
  acc.role = Role::Anchor;
  ExprPtr sum = apply(Op::Add, {readAt("acc", F32, {0, 1}), readAt("bias", F32, {1})});
  spec.stages = {acc, pointwise("c", F32, {m, n}, apply(Op::Max, {sum, constant(0.0, F32)}))};
  return spec;
}

KernelSpec test::convolution(const ConvolutionShape &w) {
  int64_t reach = (w.kernel - 1) * w.dilation;
  int64_t oh = (w.height + 2 * w.pad - reach - 1) / w.stride + 1;
  int64_t ow = (w.width + 2 * w.pad - reach - 1) / w.stride + 1;
  int64_t c = w.channels / w.groups, o = w.outputs / w.groups;
  KernelSpec spec;
  spec.operands = {operand("x", F32, {2, w.height, w.width, w.channels}),
                   panel("w", F32, {w.outputs, w.kernel, w.kernel, c}),
                   output("y", F32, {2, oh, ow, w.outputs})};
  // Domain n, y, x, group, output; the store map joins the last two.
  auto spatial = [&](int out, int tap) {
    Index at = index(out, w.stride, -w.pad);
    at.terms.push_back({tap, w.dilation});
    return at;
  };
  Index channel = index(3, c), feature = index(3, o);
  channel.terms.push_back({7, 1});
  feature.terms.push_back({4, 1});
  std::optional<double> outside = w.pad ? std::optional(0.0) : std::nullopt;
  ExprPtr x = read("x", {index(0), spatial(1, 5), spatial(2, 6), channel}, F32, outside);
  ExprPtr k = read("w", {feature, index(5), index(6), index(7)}, F32);
  Stage stage = reducing("y", F32, {2, oh, ow, w.groups, o}, {w.kernel, w.kernel, c}, Combiner::Add,
                         constant(0.0, F32), relaxed(apply(Op::Mul, {x, k})));
  stage.store = {index(0), index(1), index(2), feature};
  spec.stages = {stage};
  return spec;
}
