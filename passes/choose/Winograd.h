//===- Winograd.h - which convolutions take few products -------*- C++ -*-===//
#ifndef KILN_PASSES_CHOOSE_WINOGRAD_H
#define KILN_PASSES_CHOOSE_WINOGRAD_H

#include "passes/choose/Weights.h"

#include "ir/target/Target.h"

#include <optional>
#include <string>

namespace kiln::passes {

/// Rows and columns of tiles, and sums over them, that the estimate counts with.
struct ImageSize {
  int64_t images, height, width;
};

/// How a convolution is computed by the transforms of ir/Winograd.h.
struct WinogradChoice {
  int64_t tile;
  std::string reason;
};

/// Nothing where its kernel has no such form, or it is estimated to be no faster. `wanted` is
/// "auto", "off", "f2" or "f4", which takes tiles of 2 or 4 wherever that is possible. The weight
/// must be one that can be packed (weightOf).
std::optional<WinogradChoice> chooseWinograd(ir::KernelOp kernel, const ImageSize &size,
                                             const target::Target &facts, llvm::StringRef wanted);

} // namespace kiln::passes

#endif // KILN_PASSES_CHOOSE_WINOGRAD_H
