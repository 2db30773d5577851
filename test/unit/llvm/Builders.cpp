//===- Builders.cpp - parts of specs for tests ----------------------------===//

#include "test/unit/llvm/Builders.h"

#include <sys/mman.h>

using namespace kiln;
using namespace kiln::test;

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
