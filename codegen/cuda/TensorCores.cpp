//===- TensorCores.cpp - products of a warp by mma.sync -------------------===//
//
// A warp has 32 x 32 points of the tile: 2 x 4 instructions of 16 x 8 points and 32 bytes of steps.
// Which lane holds which element is the PTX manual's (m16n8k16, m16n8k32 of bytes; ldmatrix): bytes
// lie in registers as pairs of them would that are halves.
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/Emitter.h"

#include "llvm/IR/IntrinsicsNVPTX.h"

using namespace kiln;
using namespace kiln::cuda;
using namespace kiln::codegen;
using namespace llvm;

static constexpr int warpSide = 32, mmaRows = 16, mmaColumns = 8;
static constexpr int rowsOfMma = warpSide / mmaRows, columnsOfMma = warpSide / mmaColumns;

/// First row and column of the warp's points.
static std::pair<Value *, Value *> cornerOfWarp(IRBuilder<> &b, const Tile &tile, Value *thread) {
  Value *warp = b.CreateZExt(b.CreateLShr(thread, Log2_32(warpThreads)), b.getInt64Ty());
  Value *across = b.getInt64(tile.n / warpSide), *size = b.getInt64(warpSide);
  return {b.CreateMul(b.CreateUDiv(warp, across), size),
          b.CreateMul(b.CreateURem(warp, across), size)};
}

/// Row and column in the tile of a thread's sum.
std::pair<Value *, Value *> cuda::Emitter::sumOfLane(const Tile &tile, int number) {
  auto [row, column] = cornerOfWarp(b, tile, thread);
  Value *lane = b.CreateZExt(b.CreateAnd(thread, warpThreads - 1), b.getInt64Ty());
  int part = number % 4, mma = number / 4;
  int ofRow = mma / columnsOfMma * mmaRows + part / 2 * 8;
  int ofColumn = mma % columnsOfMma * mmaColumns + part % 2;
  row = b.CreateAdd(row, b.CreateAdd(b.CreateLShr(lane, 2), b.getInt64(ofRow)));
  Value *pair = b.CreateMul(b.CreateAnd(lane, 3), b.getInt64(2));
  return {row, b.CreateAdd(column, b.CreateAdd(pair, b.getInt64(ofColumn)))};
}

static Intrinsic::ID instructionOf(DType first, DType second) {
  if (first == DType::F16)
    return Intrinsic::nvvm_mma_m16n8k16_row_col_f32_f32;
  if (first == DType::BF16)
    return Intrinsic::nvvm_mma_m16n8k16_row_col_bf16;
  if (first == DType::I8)
    return second == DType::I8 ? Intrinsic::nvvm_mma_m16n8k32_row_col_s8
                               : Intrinsic::nvvm_mma_m16n8k32_row_col_s8_u8;
  return second == DType::I8 ? Intrinsic::nvvm_mma_m16n8k32_row_col_u8_s8
                             : Intrinsic::nvvm_mma_m16n8k32_row_col_u8;
}

void cuda::Emitter::multiplyByTensorCores(const Tile &tile, Value *slot) {
  auto [row, column] = cornerOfWarp(b, tile, thread);
  Value *lane = b.CreateZExt(b.CreateAnd(thread, warpThreads - 1), b.getInt64Ty());
  auto bit = [&](int from, int scale) {
    return b.CreateMul(b.CreateAnd(b.CreateLShr(lane, from), 1), b.getInt64(scale));
  };
  auto loadFour = [&](const Panel &panel, Value *local, Value *step) {
    Intrinsic::ID id = panel.isAcross ? Intrinsic::nvvm_ldmatrix_sync_aligned_m8n8_x4_trans_b16
                                      : Intrinsic::nvvm_ldmatrix_sync_aligned_m8n8_x4_b16;
    return b.CreateIntrinsic(id, {b.getPtrTy(sharedSpace)}, {sharedAt(panel, slot, local, step)});
  };
  Intrinsic::ID instruction = instructionOf(tile.type, tile.second->type);
  Type *pair = tile.type == DType::F16 ? static_cast<Type *>(FixedVectorType::get(b.getHalfTy(), 2))
                                       : b.getInt32Ty();
  Type *sumType = values.type(tile.stage->type);
  int half = tile.chunk(); // steps of the matrices that ldmatrix loads
  auto part = [&](Value *four, unsigned i) {
    return b.CreateBitCast(b.CreateExtractValue(four, i), pair);
  };
  for (int k = 0; k < tile.k; k += 2 * half) {
    Value *first[rowsOfMma], *second[columnsOfMma / 2];
    for (int i = 0; i < rowsOfMma; ++i) // rows 0-7, 8-15, then the same `half` steps on
      first[i] = loadFour(
          panels[0], b.CreateAdd(row, b.CreateAdd(b.CreateAnd(lane, 15), b.getInt64(i * mmaRows))),
          b.CreateAdd(bit(4, half), b.getInt64(k)));
    for (int j = 0; j < columnsOfMma / 2; ++j) { // both halves, then the same 8 columns on
      Value *low = b.CreateAnd(lane, 7);
      Value *local = b.CreateAdd(column, b.CreateAdd(bit(4, 8), b.getInt64(j * 16)));
      Value *step = b.CreateAdd(bit(3, half), b.getInt64(k));
      second[j] = panels[1].isAcross ? loadFour(panels[1], local, b.CreateAdd(step, low))
                                     : loadFour(panels[1], b.CreateAdd(local, low), step);
    }
    for (int i = 0; i < rowsOfMma; ++i)
      for (int j = 0; j < columnsOfMma; ++j) {
        SmallVector<Value *> arguments;
        for (unsigned p = 0; p < 4; ++p)
          arguments.push_back(part(first[i], p));
        for (unsigned p = 0; p < 2; ++p)
          arguments.push_back(part(second[j / 2], j % 2 * 2 + p));
        auto sum = [&](unsigned p) { return sums[(i * columnsOfMma + j) * 4 + p]; };
        for (unsigned p = 0; p < 4; ++p)
          arguments.push_back(b.CreateLoad(sumType, sum(p)));
        Value *made = b.CreateIntrinsic(instruction, {}, arguments);
        for (unsigned p = 0; p < 4; ++p)
          b.CreateStore(b.CreateExtractValue(made, p), sum(p));
      }
  }
}
