//===- Winograd.h - convolutions by few products ----------------*- C++ -*-===//
//
// Kernels that `choose` gives tiles of Winograd's transforms (ir/Winograd.h). A task takes a block
// of tiles at a time: what they read is transformed into memory of its own, then, for some columns
// after the others, one small matrix product for each point of a tile, and the transform back with
// all that the kernel computes of each result.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_LLVM_WINOGRAD_H
#define KILN_CODEGEN_LLVM_WINOGRAD_H

#include "codegen/llvm/Emitter.h"

namespace kiln::codegen {

/// The parts of a kernel with such tiles.
struct WinogradParts {
  const spec::Stage *core = nullptr, *root = nullptr; ///< the sum, and the result
  const spec::Operand *filters = nullptr;             ///< transformed, in panels
  spec::ExprPtr input, weight;                        ///< the factors; 0 outside of what is read
  int64_t tile = 0, channels = 0, columns = 0;
};

/// Nothing where the schedule asks for none, or the kernel is computed otherwise than that takes.
std::optional<WinogradParts> winogradParts(const spec::KernelSpec &spec);

class WinogradEmitter : public Emitter {
public:
  using Emitter::Emitter;
  /// Emits all; nothing on success, else what the generator does not do.
  std::string run(llvm::StringRef symbol, WinogradParts found);

private:
  using Vectors = llvm::SmallVector<llvm::Value *, 36>;
  /// A tile of the block being emitted: its image, and the first row and column of its results.
  struct Tile {
    DimExpr image, row, column;
  };

  void sizeBlocks();
  int64_t groupColumns() const;
  llvm::Function *emitTask(llvm::StringRef name);
  Tile tileAt(llvm::Value *number);
  llvm::Value *times(double factor, llvm::Value *x);
  llvm::Value *plusTimes(double factor, llvm::Value *x, llvm::Value *to);
  Vectors transformIn(llvm::ArrayRef<llvm::Value *> x);
  Vectors transformOut(llvm::ArrayRef<llvm::Value *> x);
  void readTile(const Tile &tile, llvm::Value *slot, const DimExpr &channel);
  void inside(const Tile &tile, const DimExpr &channel, llvm::function_ref<void()> body);
  void multiply(llvm::Value *firstColumn, int vectors);
  void finishTile(const Tile &tile, llvm::Value *slot, const DimExpr &column, int vector);
  Vectors plainSums(const Tile &tile, const DimExpr &column);
  void storeTile(const Tile &tile, const DimExpr &column, llvm::ArrayRef<llvm::Value *> values);

  int64_t points() const { return parts.tile + 2; }

  WinogradParts parts;
  int vectors = 2, rows = 8; ///< of a product's tile in registers
  int64_t blockSize = 8;     ///< tiles that are transformed together
  int64_t groups = 1;        ///< of columns, for tasks of their own
  DimExpr tilesDown, tilesAcross, tiles, blockCount;
  llvm::Value *first = nullptr, *rowGroups = nullptr; ///< of the block being emitted
  llvm::AllocaInst *transformed = nullptr,
                   *products = nullptr; ///< [point][tile][channel or column]
};

} // namespace kiln::codegen

#endif // KILN_CODEGEN_LLVM_WINOGRAD_H
