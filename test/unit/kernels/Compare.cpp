//===- Compare.cpp - kernels beside the reference evaluation --------------===//

#include "codegen/spec/Evaluate.h"
#include "codegen/spec/Numbers.h"
#include "test/unit/kernels/Harness.h"

#include <cmath>
#include <cstring>
#include <random>

using namespace kiln;
using namespace kiln::spec;
using namespace kiln::test;

static Number randomNumber(DType type, std::mt19937 &random) {
  if (isFloat(type))
    return {static_cast<double>(static_cast<int>(random() % 2001) - 1000) / 1000, 0};
  if (type == DType::Bool)
    return {0, static_cast<int64_t>(random() % 2)};
  return {0, static_cast<int64_t>(random() % 17) - (type == DType::U8 ? 0 : 8)};
}

Buffers::Buffers(const KernelSpec &spec, const std::vector<int64_t> &symbols, uint32_t seed) {
  std::mt19937 random(seed);
  for (const Operand &operand : spec.operands) {
    int64_t size = std::max<int64_t>(bufferBytes(spec, operand, symbols), 0);
    bytes.push_back(size);
    int64_t rounded = (size + 127) / 64 * 64;
    auto *start = static_cast<uint8_t *>(std::aligned_alloc(64, rounded));
    memory.emplace_back(start, std::free);
    // Outputs begin as a pattern, so that a store that is missing shows.
    std::memset(start, operand.use == Operand::Use::Input ? 0 : 0xa5, rounded);
    if (operand.use != Operand::Use::Input)
      continue;
    int64_t step = byteSize(operand.type);
    for (int64_t i = 0; i < size / step; ++i)
      storeNumber(start + i * step, operand.type, randomNumber(operand.type, random));
    clearMissing(spec, operand, symbols, start);
  }
}

std::vector<void *> Buffers::pointers() const {
  std::vector<void *> result;
  for (const std::shared_ptr<uint8_t> &one : memory)
    result.push_back(one.get());
  return result;
}

static bool isClose(Number got, Number expected, DType type, double tolerance) {
  if (!isFloat(type))
    return got.i == expected.i;
  if (std::isnan(expected.f) || std::isinf(expected.f))
    return std::isnan(expected.f) ? std::isnan(got.f) : got.f == expected.f;
  return std::fabs(got.f - expected.f) <= tolerance * (1 + std::fabs(expected.f));
}

std::string test::compare(const KernelSpec &spec, const std::vector<int64_t> &symbols,
                          double tolerance) {
  if (std::string problem = verify(spec); !problem.empty())
    return problem;
  return compare(compile(spec), spec, symbols, tolerance);
}

std::string test::compare(const Compiled &kernel, const KernelSpec &spec,
                          const std::vector<int64_t> &symbols, double tolerance, const Fill &fill) {
  if (!kernel.run)
    return kernel.error;
  Buffers got(spec, symbols, 1), expected(spec, symbols, 1);
  if (fill) {
    fill(spec, got);
    fill(spec, expected);
  }
  KernelSpec expanded = spec;
  expandMath(expanded, mathSupport());
  if (std::string problem = evaluate(expanded, expected.pointers(), symbols); !problem.empty())
    return problem;
  if (int32_t status = kernel.run(nullptr, got.pointers().data(), symbols.data()))
    return "status " + std::to_string(status);
  for (size_t i = 0; i < spec.operands.size(); ++i) {
    DType type = spec.operands[i].type;
    int64_t step = byteSize(type);
    for (int64_t k = 0; k < got.bytes[i] / step; ++k) {
      Number a = loadNumber(got.memory[i].get() + k * step, type),
             b = loadNumber(expected.memory[i].get() + k * step, type);
      if (!isClose(a, b, type, tolerance))
        return "'" + spec.operands[i].name + "' element " + std::to_string(k) + ": expected " +
               std::to_string(isFloat(type) ? b.f : static_cast<double>(b.i)) + ", got " +
               std::to_string(isFloat(type) ? a.f : static_cast<double>(a.i));
    }
  }
  return "";
}
