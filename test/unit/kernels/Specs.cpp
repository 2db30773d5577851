//===- Specs.cpp - kernel specs for tests and timings ---------------------===//

#include "test/unit/kernels/Specs.h"

#include <limits>

using namespace kiln;
using namespace kiln::spec;
using namespace kiln::test;

Operand test::dense(std::string name, std::vector<DimExpr> shape, Operand::Use use, DType type) {
  Operand operand;
  operand.name = std::move(name);
  operand.type = type;
  operand.use = use;
  operand.alignment = 64;
  operand.strides.resize(shape.size());
  DimExpr stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    operand.strides[i] = stride;
    stride = stride * shape[i];
  }
  operand.shape = std::move(shape);
  return operand;
}

static Operand panel(std::string name, std::vector<DimExpr> shape) {
  Operand operand = dense(std::move(name), std::move(shape), Operand::Use::Input);
  operand.panel = Panel();
  operand.strides.clear();
  return operand;
}

std::vector<Index> test::dims(std::vector<int> numbers) {
  std::vector<Index> result;
  for (int number : numbers)
    result.push_back(index(number));
  return result;
}

static Stage stageOf(std::string name, Role role, std::vector<DimExpr> domain, ExprPtr body) {
  Stage stage;
  stage.name = std::move(name);
  stage.role = role;
  stage.domain = std::move(domain);
  stage.body = std::move(body);
  stage.type = stage.body->type;
  return stage;
}

static Stage reduction(std::string name, Role role, std::vector<DimExpr> domain,
                       std::vector<DimExpr> over, Combiner combiner, double init, ExprPtr body) {
  Stage stage = stageOf(std::move(name), role, std::move(domain), std::move(body));
  stage.reduction = std::move(over);
  stage.combiner = combiner;
  stage.init = constant(init, stage.type);
  return stage;
}

/// relu(acc + bias) at the point, bias over the last dimension.
static Stage biasRelu(const std::vector<DimExpr> &domain) {
  std::vector<int> all;
  for (size_t i = 0; i < domain.size(); ++i)
    all.push_back(static_cast<int>(i));
  ExprPtr sum = apply(
      Op::Add, {read("acc", dims(all), DType::F32), read("bias", dims({all.back()}), DType::F32)});
  return stageOf("y", Role::Epilogue, domain, apply(Op::Max, {sum, constant(0.0, DType::F32)}));
}

KernelSpec test::linear(DimExpr m, int64_t n, int64_t k) {
  KernelSpec spec;
  if (std::optional<std::string> symbol = m.asSymbol())
    spec.symbols.push_back({*symbol, 1, 4096});
  spec.operands = {dense("x", {m, k}, Operand::Use::Input), panel("w", {n, k}),
                   dense("bias", {n}, Operand::Use::Input),
                   dense("y", {m, n}, Operand::Use::Output)};
  ExprPtr product = relaxed(
      apply(Op::Mul, {read("x", dims({0, 2}), DType::F32), read("w", dims({1, 2}), DType::F32)}));
  spec.stages = {reduction("acc", Role::Anchor, {m, n}, {k}, Combiner::Add, 0, product),
                 biasRelu({m, n})};
  spec.schedule.templateName = "linear";
  return spec;
}

/// Coordinates of the input of a window: batch, y, x over domain dims 0, 1, 2 and the window's ky,
/// kx.
static std::vector<Index> window(const Convolution &c, int ky, int kx) {
  int64_t pad = c.isPadded ? c.kernel / 2 : 0;
  Index y = index(1, c.stride, -pad), x = index(2, c.stride, -pad);
  y.terms.push_back({ky, 1});
  x.terms.push_back({kx, 1});
  return {index(0), y, x};
}

static std::optional<double> border(const Convolution &c, double value) {
  return c.isPadded ? std::optional(value) : std::nullopt;
}

KernelSpec test::convolution(const Convolution &c) {
  KernelSpec spec;
  std::vector<DimExpr> domain{c.batch, c.outHeight(), c.outWidth(), c.out};
  spec.operands = {dense("x", {c.batch, c.height, c.width, c.in}, Operand::Use::Input),
                   panel("w", {c.out, c.kernel, c.kernel, c.in}),
                   dense("bias", {c.out}, Operand::Use::Input),
                   dense("y", domain, Operand::Use::Output)};
  std::vector<Index> at = window(c, 4, 5);
  at.push_back(index(6));
  ExprPtr product = relaxed(apply(Op::Mul, {read("x", at, DType::F32, border(c, 0)),
                                            read("w", dims({3, 4, 5, 6}), DType::F32)}));
  spec.stages = {
      reduction("acc", Role::Anchor, domain, {c.kernel, c.kernel, c.in}, Combiner::Add, 0, product),
      biasRelu(domain)};
  spec.schedule.templateName = "conv2d";
  return spec;
}

KernelSpec test::depthwise(const Convolution &c) {
  KernelSpec spec;
  std::vector<DimExpr> domain{c.batch, c.outHeight(), c.outWidth(), c.in};
  spec.operands = {dense("x", {c.batch, c.height, c.width, c.in}, Operand::Use::Input),
                   dense("w", {c.kernel, c.kernel, c.in}, Operand::Use::Input),
                   dense("bias", {c.in}, Operand::Use::Input),
                   dense("y", domain, Operand::Use::Output)};
  std::vector<Index> at = window(c, 4, 5);
  at.push_back(index(3));
  ExprPtr product = relaxed(apply(
      Op::Mul, {read("x", at, DType::F32, border(c, 0)), read("w", dims({4, 5, 3}), DType::F32)}));
  spec.stages = {
      reduction("acc", Role::Anchor, domain, {c.kernel, c.kernel}, Combiner::Add, 0, product),
      biasRelu(domain)};
  spec.schedule.templateName = "depthwise";
  return spec;
}

KernelSpec test::pool(const Convolution &c, bool isMax) {
  KernelSpec spec;
  std::vector<DimExpr> domain{c.batch, c.outHeight(), c.outWidth(), c.in};
  spec.operands = {dense("x", {c.batch, c.height, c.width, c.in}, Operand::Use::Input),
                   dense("y", domain, Operand::Use::Output)};
  std::vector<Index> at = window(c, 4, 5);
  at.push_back(index(3));
  double outside = isMax ? -std::numeric_limits<double>::infinity() : 0;
  spec.stages = {reduction("y", Role::Anchor, domain, {c.kernel, c.kernel},
                           isMax ? Combiner::Max : Combiner::Add, outside,
                           read("x", at, DType::F32, border(c, outside)))};
  spec.schedule.templateName = "pool";
  return spec;
}

KernelSpec test::softmax(int64_t rows, int64_t columns) {
  KernelSpec spec;
  spec.operands = {dense("x", {rows, columns}, Operand::Use::Input),
                   dense("y", {rows, columns}, Operand::Use::Output)};
  ExprPtr element = read("x", dims({0, 1}), DType::F32);
  ExprPtr shifted = apply(Op::Sub, {element, read("top", dims({0}), DType::F32)});
  ExprPtr power = read("power", dims({0, 1}), DType::F32);
  spec.stages = {reduction("top", Role::Prologue, {rows}, {columns}, Combiner::Max,
                           -std::numeric_limits<double>::infinity(), element),
                 stageOf("power", Role::Prologue, {rows, columns}, apply(Op::Exp, {shifted})),
                 reduction("sum", Role::Anchor, {rows}, {columns}, Combiner::Add, 0, power),
                 stageOf("y", Role::Epilogue, {rows, columns},
                         apply(Op::Div, {power, read("sum", dims({0}), DType::F32)}))};
  spec.schedule.templateName = "rowwise";
  return spec;
}

KernelSpec test::argmax(int64_t rows, int64_t columns) {
  KernelSpec spec;
  spec.operands = {dense("x", {rows, columns}, Operand::Use::Input),
                   dense("y", {rows}, Operand::Use::Output, DType::I64)};
  Stage stage = stageOf("y", Role::Anchor, {rows}, read("x", dims({0, 1}), DType::F32));
  stage.type = DType::I64;
  stage.combiner = Combiner::ArgMax;
  stage.reduction = {columns};
  spec.stages = {stage};
  spec.schedule.templateName = "rowwise";
  return spec;
}

KernelSpec test::matmul(int64_t batch, DimExpr m, int64_t n, int64_t k) {
  KernelSpec spec;
  if (std::optional<std::string> symbol = m.asSymbol())
    spec.symbols.push_back({*symbol, 1, 4096});
  spec.operands = {dense("a", {batch, m, k}, Operand::Use::Input),
                   dense("b", {batch, k, n}, Operand::Use::Input),
                   dense("y", {batch, m, n}, Operand::Use::Output)};
  ExprPtr product = relaxed(apply(
      Op::Mul, {read("a", dims({0, 1, 3}), DType::F32), read("b", dims({0, 3, 2}), DType::F32)}));
  spec.stages = {reduction("y", Role::Anchor, {batch, m, n}, {k}, Combiner::Add, 0, product)};
  spec.schedule.templateName = "matmul";
  return spec;
}

KernelSpec test::unary(Op op, int64_t n, DType type) {
  KernelSpec spec;
  spec.operands = {dense("x", {n}, Operand::Use::Input, type),
                   dense("y", {n}, Operand::Use::Output, type)};
  spec.stages = {stageOf("y", Role::Epilogue, {n}, apply(op, {read("x", dims({0}), type)}))};
  spec.schedule.templateName = "pointwise";
  return spec;
}
