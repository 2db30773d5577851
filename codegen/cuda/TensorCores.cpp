//===- TensorCores.cpp - products of a warp by mma.sync -------------------===//
//
// A warp has 32 x 32 points of the tile: 2 x 4 instructions of 16 x 8 points and 32 bytes of steps.
// Which lane holds which element is the PTX manual's (m16n8k16, m16n8k32 of bytes; ldmatrix): bytes
// lie in registers as pairs of them would that are halves. Floats of 8 bits are loaded as bytes,
// and each lane widens what it has to f16.
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

/// Whether two products side by side have the even and the odd ones of 16 columns: lanes load bytes
/// of a step as pairs, and take them apart.
static bool interleaves(const Tile &tile) { return tile.copiesAcross && byteSize(tile.type) == 1; }

/// Row and column in the tile of a thread's sum.
std::pair<Value *, Value *> cuda::Emitter::sumOfLane(const Tile &tile, int number) {
  auto [row, column] = cornerOfWarp(b, tile, thread);
  Value *lane = b.CreateZExt(b.CreateAnd(thread, warpThreads - 1), b.getInt64Ty());
  int part = number % 4, mma = number / 4;
  int ofRow = mma / columnsOfMma * mmaRows + part / 2 * 8;
  int ofColumn = mma % columnsOfMma * mmaColumns + part % 2, apart = 1;
  if (interleaves(tile)) {
    ofColumn = mma % columnsOfMma / 2 * 2 * mmaColumns + part % 2 * 2 + mma % 2;
    apart = 2;
  }
  row = b.CreateAdd(row, b.CreateAdd(b.CreateLShr(lane, 2), b.getInt64(ofRow)));
  Value *pair = b.CreateMul(b.CreateAnd(lane, 3), b.getInt64(2 * apart));
  return {row, b.CreateAdd(column, b.CreateAdd(pair, b.getInt64(ofColumn)))};
}

static Intrinsic::ID instructionOf(DType first, DType second) {
  if (first == DType::F16 || isEighth(first))
    return Intrinsic::nvvm_mma_m16n8k16_row_col_f32_f32;
  if (first == DType::BF16)
    return Intrinsic::nvvm_mma_m16n8k16_row_col_bf16;
  if (first == DType::I8)
    return second == DType::I8 ? Intrinsic::nvvm_mma_m16n8k32_row_col_s8
                               : Intrinsic::nvvm_mma_m16n8k32_row_col_s8_u8;
  return second == DType::I8 ? Intrinsic::nvvm_mma_m16n8k32_row_col_u8_s8
                             : Intrinsic::nvvm_mma_m16n8k32_row_col_u8;
}

/// Halves whose sum is a number of f32, the largest first. Three of bf16, each what the former left
/// cut off, are the number itself. None is 0 but for 0, so that infinity times each is infinity.
SmallVector<Value *> cuda::Emitter::partsOf(DType type, Value *number, int count) {
  bool isBrain = type == DType::BF16;
  Type *bits = b.getInt32Ty(), *f32 = b.getFloatTy();
  Value *isNone = b.CreateFCmpOEQ(number, values.constant(0.0, DType::F32)), *rest = number;
  Value *least = values.constant(isBrain ? 0x1p-126 : 0x1p-24, DType::F32);
  Constant *none = values.constant(0.0, DType::F32);
  Value *little = b.CreateSelect(isNone, none, least);
  SmallVector<Value *> parts;
  for (int i = 0; i < count; ++i) {
    Value *part = isBrain
                      ? b.CreateBitCast(b.CreateAnd(b.CreateBitCast(rest, bits), 0xffff0000u), f32)
                      : values.cast(values.cast(rest, DType::F32, type), type, DType::F32);
    rest = b.CreateFSub(rest, part);
    part = b.CreateSelect(b.CreateFCmpOEQ(part, none), little, part);
    parts.push_back(
        isBrain ? b.CreateLShr(b.CreateBitCast(part, bits), 16)
                : b.CreateZExt(b.CreateBitCast(values.cast(part, DType::F32, type), b.getInt16Ty()),
                               bits));
  }
  return parts;
}

/// The first factor's matrices of 16 rows and steps, one for each part of its numbers.
SmallVector<cuda::Emitter::Lanes> cuda::Emitter::splitFirst(const Tile &tile, Value *slot,
                                                            Value *row, int k) {
  const Panel &panel = panels[0];
  Value *lane = b.CreateZExt(b.CreateAnd(thread, warpThreads - 1), b.getInt64Ty());
  Value *own = b.CreateAdd(row, b.CreateLShr(lane, 2));
  Value *step = b.CreateMul(b.CreateAnd(lane, 3), b.getInt64(2));
  SmallVector<Lanes> result(panel.parts);
  for (int p = 0; p < 4; ++p) { // rows 0-7, 8-15, then the same 8 steps on
    Value *from = sharedAt(panel, slot, b.CreateAdd(own, b.getInt64(p % 2 * 8)),
                           b.CreateAdd(step, b.getInt64(k + p / 2 * 8)));
    Value *two = b.CreateAlignedLoad(FixedVectorType::get(b.getFloatTy(), 2), from, Align(8));
    SmallVector<Value *> low =
        partsOf(tile.type, b.CreateExtractElement(two, uint64_t(0)), panel.parts);
    SmallVector<Value *> high =
        partsOf(tile.type, b.CreateExtractElement(two, uint64_t(1)), panel.parts);
    for (int i = 0; i < panel.parts; ++i)
      result[i][p] = b.CreateOr(low[i], b.CreateShl(high[i], 16));
  }
  return result;
}

/// Two of the four numbers of 8 bits in a register, as f16 that equal them.
Value *cuda::Emitter::eighthsAsHalves(const Tile &tile, DType type, Value *four, bool isHigh) {
  auto *bytes = FixedVectorType::get(b.getInt8Ty(), 4);
  auto *halves = FixedVectorType::get(b.getHalfTy(), 2);
  constexpr int none = 4; // the first byte of zeros
  int from = isHigh ? 2 : 0;
  if (tile.widensAtOnce && type == DType::F8E4M3) {
    Value *two = b.CreateShuffleVector(b.CreateBitCast(four, bytes), {from, from + 1});
    return b.CreateIntrinsic(Intrinsic::nvvm_e4m3x2_to_f16x2_rn, {},
                             {b.CreateBitCast(two, b.getInt16Ty())});
  }
  Value *upper = b.CreateShuffleVector(b.CreateBitCast(four, bytes), Constant::getNullValue(bytes),
                                       {none, from, none, from + 1});
  if (type == DType::F8E5M2) // has the exponents of f16
    return b.CreateBitCast(upper, halves);
  // The exponent has a bit less, and a bias of 8 less. What is NaN reads as 1.875 here, all else is
  // less: as an infinity times 0, added, it is NaN again.
  constexpr double scale = 256, overflows = 36864; // 1.75 times this does not
  Value *word = b.CreateBitCast(upper, b.getInt32Ty());
  Value *sign = b.CreateAnd(word, 0x80008000),
        *shifted = b.CreateAnd(b.CreateLShr(word, 1), 0x3f803f80);
  Value *small = b.CreateBitCast(b.CreateOr(sign, shifted), halves);
  auto all = [&](double number) { return ConstantFP::get(halves, number); };
  Value *infinite = b.CreateFMul(small, all(overflows));
  return b.CreateIntrinsic(Intrinsic::fma, {halves},
                           {infinite, all(0), b.CreateFMul(small, all(scale))});
}

/// What an instruction takes of the registers that a lane has loaded. Of numbers of 8 bits: which
/// steps meet is one choice for both factors, so that the lower two of each register come first.
SmallVector<Value *> cuda::Emitter::multiplicands(const Tile &tile, DType type,
                                                  ArrayRef<Value *> loaded) {
  Type *pair = FixedVectorType::get(b.getHalfTy(), 2);
  SmallVector<Value *> result;
  if (!isEighth(type)) {
    for (Value *each : loaded)
      result.push_back(b.CreateBitCast(each, type == DType::F16 ? pair : b.getInt32Ty()));
    return result;
  }
  for (bool isHigh : {false, true})
    for (Value *four : loaded)
      result.push_back(eighthsAsHalves(tile, type, four, isHigh));
  return result;
}

/// Adds products of two matrices to the sums from this number on.
void cuda::Emitter::multiplyLanes(Intrinsic::ID instruction, SmallVectorImpl<Value *> &arguments,
                                  int first) {
  for (int p = 0; p < 4; ++p)
    arguments.push_back(b.CreateLoad(sums[first + p]->getAllocatedType(), sums[first + p]));
  Value *made = b.CreateIntrinsic(instruction, {}, arguments);
  for (int p = 0; p < 4; ++p)
    b.CreateStore(b.CreateExtractValue(made, p), sums[first + p]);
}

/// What a lane gets of four matrices of 8 x 16 bytes. Lanes name the lines: 0-7 the first one's.
cuda::Emitter::Lanes cuda::Emitter::loadFour(const Panel &panel, Value *slot, Value *local,
                                             Value *step) {
  Intrinsic::ID id = panel.isAcross ? Intrinsic::nvvm_ldmatrix_sync_aligned_m8n8_x4_trans_b16
                                    : Intrinsic::nvvm_ldmatrix_sync_aligned_m8n8_x4_b16;
  Value *four =
      b.CreateIntrinsic(id, {b.getPtrTy(sharedSpace)}, {sharedAt(panel, slot, local, step)});
  Lanes lanes;
  for (unsigned p = 0; p < 4; ++p)
    lanes[p] = b.CreateExtractValue(four, p);
  return lanes;
}

/// Rows 0-7, 8-15, then the same on by half of 32 bytes of steps.
cuda::Emitter::Lanes cuda::Emitter::loadFirst(const Tile &tile, Value *slot, Value *row, int k) {
  Value *lane = b.CreateZExt(b.CreateAnd(thread, warpThreads - 1), b.getInt64Ty());
  Value *half = b.CreateMul(b.CreateLShr(lane, 4), b.getInt64(tile.chunk()));
  return loadFour(panels[0], slot, b.CreateAdd(row, b.CreateAnd(lane, 15)),
                  b.CreateAdd(half, b.getInt64(k)));
}

/// Of 16 columns: both halves of 32 bytes of steps of 8, then of the others.
cuda::Emitter::Lanes cuda::Emitter::loadSecond(const Tile &tile, Value *slot, Value *column,
                                               int k) {
  Value *lane = b.CreateZExt(b.CreateAnd(thread, warpThreads - 1), b.getInt64Ty());
  auto bits = [&](int from, int count, int scale) {
    Value *some = b.CreateAnd(b.CreateLShr(lane, from), (1 << count) - 1);
    return b.CreateMul(some, b.getInt64(scale));
  };
  const Panel &panel = panels[1];
  Value *step = b.getInt64(k);
  if (!interleaves(tile)) {
    step = b.CreateAdd(step, bits(3, 1, tile.chunk()));
    column = b.CreateAdd(column, bits(4, 1, mmaColumns));
    (panel.isAcross ? step : column) = b.CreateAdd(panel.isAcross ? step : column, bits(0, 3, 1));
    return loadFour(panel, slot, column, step);
  }
  // Of two steps a register has a pair of columns each. Of the four steps of one register of the
  // other factor, a matrix has the first two, the next one the others.
  for (Value *part : {bits(4, 1, 16), bits(3, 1, 2), bits(1, 2, 4), bits(0, 1, 1)})
    step = b.CreateAdd(step, part);
  Lanes pairs = loadFour(panel, slot, column, step), result;
  auto *bytes = FixedVectorType::get(b.getInt8Ty(), 4);
  for (int odd : {0, 1})
    for (int half : {0, 1}) {
      Value *both[] = {b.CreateBitCast(pairs[2 * half], bytes),
                       b.CreateBitCast(pairs[2 * half + 1], bytes)};
      Value *four = b.CreateShuffleVector(both[0], both[1], {odd, odd + 2, odd + 4, odd + 6});
      result[2 * odd + half] = b.CreateBitCast(four, b.getInt32Ty());
    }
  return result;
}

void cuda::Emitter::multiplyByTensorCores(const Tile &tile, Value *slot) {
  auto [row, column] = cornerOfWarp(b, tile, thread);
  Intrinsic::ID instruction = instructionOf(tile.type, tile.second->type);
  int products = isEighth(tile.type) ? 2 : 1; // of 32 bytes of steps
  for (int k = 0; k < tile.k; k += 2 * tile.chunk()) {
    SmallVector<Value *> second[columnsOfMma]; // two registers for each product
    for (int j = 0; j < columnsOfMma; j += 2) {
      Lanes lanes = loadSecond(tile, slot, b.CreateAdd(column, b.getInt64(j * mmaColumns)), k);
      for (int p = 0; p < 4; ++p)
        append_range(second[j + p / 2], multiplicands(tile, tile.second->type, lanes[p]));
    }
    for (int i = 0; i < rowsOfMma; ++i) {
      Value *top = b.CreateAdd(row, b.getInt64(i * mmaRows));
      SmallVector<Lanes> parts;
      if (panels[0].parts)
        parts = splitFirst(tile, slot, top, k);
      else
        parts.push_back(loadFirst(tile, slot, top, k));
      for (const Lanes &lanes : parts)
        for (int product = 0; product < products; ++product) {
          SmallVector<Value *> first = multiplicands(
              tile, tile.type, ArrayRef(lanes).slice(product * 4 / products, 4 / products));
          for (int j = 0; j < columnsOfMma; ++j) {
            SmallVector<Value *> arguments = first;
            append_range(arguments, ArrayRef(second[j]).slice(2 * product, 2));
            multiplyLanes(instruction, arguments, (i * columnsOfMma + j) * 4);
          }
        }
    }
  }
}
