//===- Program.cpp - shapes and values of entry points --------------------===//
#include "tools/kiln-run/Program.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace kiln;
using namespace kiln::run;

llvm::Error run::failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

std::string run::typeText(const TensorSpec &spec) {
  std::string text(name(spec.type));
  text += '[';
  for (size_t i = 0; i < spec.shape.size(); ++i)
    text += (i ? ", " : "") + spec.shape[i].str();
  return text + ']';
}

std::string run::shapeText(llvm::ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

int64_t run::numElements(llvm::ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

llvm::Expected<Shape> run::shapeOf(const TensorSpec &spec, const Dims &dims) {
  Shape shape;
  // Far above any memory, far below overflow.
  constexpr int64_t largest = int64_t(1) << 46;
  int64_t bytes = byteSize(spec.type);
  for (const DimExpr &expr : spec.shape) {
    std::set<std::string> symbols;
    expr.collectSymbols(symbols);
    for (const std::string &symbol : symbols)
      if (!dims.count(symbol))
        return failure("dimension '" + symbol + "' of '" + spec.name + "' (" + typeText(spec) +
                       ") does not follow from the inputs: give it by '--dim " + symbol + "=8'");
    std::optional<int64_t> extent =
        expr.evaluate([&](std::string_view name) -> std::optional<int64_t> {
          auto it = dims.find(name);
          return it == dims.end() ? std::nullopt : std::optional(it->second);
        });
    if (!extent || *extent < 0)
      return failure("extent '" + expr.str() + "' of '" + spec.name + "' (" + typeText(spec) +
                     ") is not a size at these dimensions");
    shape.push_back(*extent);
    if (llvm::MulOverflow(bytes, std::max<int64_t>(*extent, 1), bytes) || bytes > largest)
      return failure("'" + spec.name + "' (" + typeText(spec) +
                     ") is too large at these dimensions");
  }
  return shape;
}

Value run::makeValue(DType type, llvm::ArrayRef<int64_t> shape) {
  Value value{type, Shape(shape), {}};
  value.bytes.resize(numElements(shape) * byteSize(type));
  return value;
}
