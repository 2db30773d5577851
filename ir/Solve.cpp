#include "ir/Solve.h"

using namespace kiln;

std::optional<std::pair<std::string, DimExpr>>
kiln::solveFor(const DimExpr &expected, const DimExpr &actual,
               llvm::function_ref<bool(llvm::StringRef)> isUnknown) {
  std::set<std::string> unknown;
  expected.collectSymbols(unknown);
  std::erase_if(unknown, [&](const std::string &name) { return !isUnknown(name); });
  if (unknown.size() != 1)
    return std::nullopt;
  auto linear = expected.splitLinear(*unknown.begin());
  if (!linear || linear->first == 0)
    return std::nullopt;
  return std::pair(*unknown.begin(), DimExpr::floorDiv(actual - linear->second, linear->first));
}

void kiln::solveSizes(llvm::ArrayRef<std::pair<DimExpr, int64_t>> extents, Sizes &sizes) {
  auto known = [&](std::string_view name) -> std::optional<int64_t> {
    auto it = sizes.find(name);
    return it == sizes.end() ? std::nullopt : std::optional(it->second);
  };
  for (auto &[expr, value] : extents)
    if (std::optional<std::string> name = expr.asSymbol())
      sizes.try_emplace(*name, value);
  for (bool progress = true; progress;) {
    progress = false;
    for (auto &[expr, value] : extents) {
      auto found = solveFor(expr, value, [&](llvm::StringRef name) { return !known(name); });
      std::optional<int64_t> size = found ? found->second.evaluate(known) : std::nullopt;
      progress |= size && sizes.try_emplace(found->first, *size).second;
    }
  }
}
