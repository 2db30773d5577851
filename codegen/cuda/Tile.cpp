//===- Tile.cpp - products by tiles in shared memory ----------------------===//
//
// A block goes through tiles of the result. For each it brings the factors' elements into shared
// memory, a few steps of the reduction at a time, multiplies from there, and hands the sums through
// shared memory to the epilogue, so that neighbouring threads store neighbouring points. Elements
// beyond the factors' ends are zeros.
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/Emitter.h"

#include "llvm/IR/IntrinsicsNVPTX.h"

using namespace kiln;
using namespace kiln::cuda;
using namespace kiln::codegen;
using namespace kiln::spec;
using namespace llvm;

void cuda::Emitter::barrier() {
  b.CreateIntrinsic(Intrinsic::nvvm_barrier_cta_sync_aligned_all, {}, {b.getInt32(0)});
}

cuda::Emitter::Panel cuda::Emitter::panel(const Tile &tile, bool isFirst) {
  Panel result;
  result.value = isFirst ? tile.first : tile.second;
  result.dims = isFirst ? &tile.rows : &tile.columns;
  result.count = isFirst ? tile.m : tile.n;
  PanelShape shape = panelShape(tile, isFirst);
  result.isAcross = shape.isAcross;
  result.copies = isFirst ? tile.copiesRows : tile.copiesColumns || tile.copiesAcross;
  result.isSwizzled = tile.byWarpgroups;
  result.pitch = shape.pitch;
  result.lines = shape.isAcross ? tile.k : result.count;
  result.size = shape.bytes;
  result.slots = tile.stages;
  result.offset = isFirst ? 0 : panels[0].size * tile.stages;
  result.end = emit(product(extentsOf(*tile.stage, *result.dims)));
  return result;
}

void cuda::Emitter::emitTiles(const Grid &grid) {
  const Tile &tile = *grid.tile;
  for (bool isFirst : {true, false})
    panels[!isFirst] = panel(tile, isFirst);
  int64_t bytes = grid.dynamicBytes ? 0 : sharedBytes(tile);
  tileMemory = sharedMemory(ArrayType::get(b.getInt8Ty(), bytes), "tile");
  if (tile.byWarpgroups)
    tileMemory->setAlignment(Align(1024)); // where the swizzle begins
  IRBuilder<> top(&function->getEntryBlock(), function->getEntryBlock().begin());
  for (int i = 0; i < tile.m * tile.n / blockThreads; ++i)
    sums.push_back(top.CreateAlloca(values.type(tile.stage->type)));
  auto tilesOf = [&](const std::vector<int> &dims, int64_t size) {
    return DimExpr::floorDiv(product(extentsOf(*tile.stage, dims)) + DimExpr(size - 1),
                             DimExpr(size));
  };
  if (!tile.tensors.empty())
    beginBoxes(tile);
  std::vector<DimExpr> extents = {DimExpr(grid.parts ? grid.parts->count : 1),
                                  product(extentsOf(*tile.stage, tile.batches)),
                                  tilesOf(tile.rows, tile.m), tilesOf(tile.columns, tile.n)};
  Value *block = b.CreateZExt(special(Intrinsic::nvvm_read_ptx_sreg_ctaid_x), b.getInt64Ty());
  Value *blocks = b.CreateZExt(special(Intrinsic::nvvm_read_ptx_sreg_nctaid_x), b.getInt64Ty());
  loop(
      block, emit(product(extents)),
      [&](Value *number) {
        Coordinates at = decompose(number, extents, "%t");
        part = at[0];
        choosePart(grid);
        batchNumber = emit(at[1]);
        batchPoint = decompose(batchNumber, extentsOf(*tile.stage, tile.batches), "%b");
        panels[0].first = emit(at[2] * DimExpr(tile.m));
        panels[1].first = emit(at[3] * DimExpr(tile.n));
        addUp(tile);
        keepTile(tile);
        barrier();
        finishTile(grid, tile);
        if (!tile.tensors.empty()) // whose copies of the next tile's elements go another way
          special(Intrinsic::nvvm_fence_proxy_async_shared_cta);
        barrier();
      },
      blocks);
}

/// The steps of the block's tile: all, or those of its part, which begin where a tile's steps do.
void cuda::Emitter::choosePart(const Grid &grid) {
  DimExpr all = product(grid.tile->stage->reduction);
  firstStep = b.getInt64(0);
  steps = emit(all);
  if (!grid.parts)
    return;
  DimExpr size = grid.parts->count * grid.tile->k;
  DimExpr each = DimExpr::floorDiv(all + size - DimExpr(1), size) * DimExpr(grid.tile->k);
  firstStep = emit(part * each);
  steps = b.CreateBinaryIntrinsic(Intrinsic::smin, steps, b.CreateAdd(firstStep, emit(each)));
}

/// The sums of the block's tile over its steps.
void cuda::Emitter::addUp(const Tile &tile) {
  for (AllocaInst *sum : sums)
    b.CreateStore(values.identity(Combiner::Add, tile.stage->type).value, sum);
  if (!tile.tensors.empty())
    return pipelineBoxes(tile);
  if (tile.stages > 1)
    return pipeline(tile);
  loop(
      firstStep, steps,
      [&](Value *step) {
        for (const Panel &panel : panels)
          fill(tile, panel, b.getInt64(0), step);
        barrier();
        multiply(tile, b.getInt64(0));
        barrier();
      },
      b.getInt64(tile.k));
}

/// Copies run ahead of the multiplication by all stages but one. One barrier a round: behind it the
/// stage of the round is there for all, and all are done with the one that is filled next.
void cuda::Emitter::pipeline(const Tile &tile) {
  auto fillStage = [&](Value *step) {
    Value *slot = b.CreateUDiv(step, b.getInt64(tile.k));
    branch(
        b.CreateICmpSLT(step, steps),
        [&] {
          for (const Panel &panel : panels)
            if (!panel.parts)
              fill(tile, panel, slot, step);
        },
        [] {});
    special(Intrinsic::nvvm_cp_async_commit_group);
  };
  Value *ahead = b.getInt64((tile.stages - 1) * tile.k);
  loop(firstStep, b.CreateAdd(firstStep, ahead), fillStage, b.getInt64(tile.k));
  loop(
      firstStep, steps,
      [&](Value *step) {
        b.CreateIntrinsic(Intrinsic::nvvm_cp_async_wait_group, {}, {b.getInt32(tile.stages - 2)});
        if (tile.byWarpgroups) // which read memory on a way of their own
          special(Intrinsic::nvvm_fence_proxy_async_shared_cta);
        barrier();
        auto slot = [&] { return b.CreateUDiv(step, b.getInt64(tile.k)); };
        if (tile.byWarpgroups)
          startProducts(tile, slot());
        fillStage(b.CreateAdd(step, ahead));
        if (tile.byWarpgroups)
          finishProducts(tile);
        else
          multiplyByTensorCores(tile, slot());
      },
      b.getInt64(tile.k));
  b.CreateIntrinsic(Intrinsic::nvvm_cp_async_wait_group, {}, {b.getInt32(0)});
  barrier();
}

/// The place of an element of a panel in shared memory, by its numbers in the tile, and the number
/// of the tile's steps.
Value *cuda::Emitter::sharedAt(const Panel &panel, Value *slot, Value *local, Value *localStep) {
  Value *line = panel.isAcross ? localStep : local, *inLine = panel.isAcross ? local : localStep;
  Value *size = b.getInt64(byteSize(panel.value->type)), *bytes;
  if (panel.isSwizzled) { // the bits of the address that the descriptor's form names
    Value *shift = b.CreateShl(b.CreateAnd(line, 7), 4), *pitch = b.getInt64(panel.pitch);
    Value *place = b.CreateXor(b.CreateMul(b.CreateURem(inLine, pitch), size), shift);
    if (panel.isAcross) // columns beyond a line
      line = b.CreateAdd(line, b.CreateMul(b.CreateUDiv(inLine, pitch), b.getInt64(panel.lines)));
    bytes = b.CreateAdd(b.CreateMul(line, b.getInt64(warpgroupLine)), place);
  } else {
    bytes = b.CreateMul(b.CreateAdd(b.CreateMul(line, b.getInt64(panel.pitch)), inLine), size);
  }
  slot = b.CreateURem(slot, b.getInt64(panel.slots));
  bytes = b.CreateAdd(bytes, b.CreateMul(slot, b.getInt64(panel.size)));
  return b.CreateGEP(b.getInt8Ty(), tileMemory, b.CreateAdd(bytes, b.getInt64(panel.offset)));
}

/// The point of the stage, domain and reduction, for a row or column and a step; of the other
/// factor's dimensions nothing is asked.
Coordinates cuda::Emitter::pointOf(const Tile &tile, const Panel &panel, Value *line, Value *step) {
  Coordinates at(tile.stage->domain.size());
  Coordinates own = decompose(line, extentsOf(*tile.stage, *panel.dims), "%m");
  for (size_t i = 0; i < own.size(); ++i)
    at[(*panel.dims)[i]] = own[i];
  for (size_t i = 0; i < batchPoint.size(); ++i)
    at[tile.batches[i]] = batchPoint[i];
  Coordinates inner = decompose(step, tile.stage->reduction, "%r");
  at.insert(at.end(), inner.begin(), inner.end());
  return at;
}

void cuda::Emitter::fillElement(const Tile &tile, const Panel &panel, Value *slot, Value *line,
                                Value *step, Value *localStep, Value *local) {
  Value *to = sharedAt(panel, slot, local, localStep);
  Type *type = values.memoryType(panel.value->type);
  Align align(byteSize(panel.value->type));
  memo.clear();
  branch(
      b.CreateAnd(b.CreateICmpSLT(line, panel.end), b.CreateICmpSLT(step, steps)),
      [&] {
        Frame frame = frameOf(*tile.stage, pointOf(tile, panel, line, step));
        b.CreateAlignedStore(evaluate(panel.value, frame), to, align);
      },
      [&] { b.CreateAlignedStore(Constant::getNullValue(type), to, align); });
  memo.clear();
}

/// 16 bytes by one asynchronous copy where all are there and aligned, else one by one.
void cuda::Emitter::fillChunk(const Tile &tile, const Panel &panel, Value *slot, Value *number,
                              Value *step) {
  int chunk = tile.chunk();
  Value *perLine = b.getInt64((panel.isAcross ? panel.count : tile.k) / chunk);
  Value *inLine = b.CreateMul(b.CreateURem(number, perLine), b.getInt64(chunk));
  Value *lineNumber = b.CreateUDiv(number, perLine);
  Value *local = panel.isAcross ? inLine : lineNumber;
  Value *localStep = panel.isAcross ? lineNumber : inLine;
  Value *line = b.CreateAdd(panel.first, local), *at = b.CreateAdd(step, localStep);
  Value *lastLine = panel.isAcross ? b.CreateAdd(line, b.getInt64(chunk - 1)) : line;
  Value *lastStep = panel.isAcross ? at : b.CreateAdd(at, b.getInt64(chunk - 1));
  Value *isWhole =
      b.CreateAnd(b.CreateICmpSLT(lastLine, panel.end), b.CreateICmpSLT(lastStep, steps));
  IRBuilder<> top(&function->getEntryBlock(), function->getEntryBlock().begin());
  AllocaInst *from = top.CreateAlloca(b.getPtrTy(globalSpace));
  b.CreateStore(Constant::getNullValue(b.getPtrTy(globalSpace)), from);
  branch(
      isWhole,
      [&] {
        const Read &read = panel.value->read;
        Frame frame = frameOf(*tile.stage, pointOf(tile, panel, line, at));
        const Memory &memory = memories.find(read.source)->second;
        Coordinates place;
        std::vector<Guard> guards;
        for (size_t i = 0; i < read.indices.size(); ++i) {
          place.push_back(coordinate(read.indices[i], memory.facts->shape[i], frame, true));
          if (read.outside)
            guards.push_back({&read.indices[i], place.back(), memory.facts->shape[i]});
        }
        Value *isInside = nullptr, *wide = nullptr;
        checks(guards, isInside, wide);
        Value *pointer = address(memory, position(*memory.facts, place));
        Value *low = b.CreateAnd(b.CreatePtrToInt(pointer, b.getInt64Ty()), b.getInt64(15));
        Value *isFine = b.CreateICmpEQ(low, b.getInt64(0));
        if (isInside)
          isFine = b.CreateAnd(isFine, isInside);
        b.CreateStore(b.CreateSelect(isFine, pointer, Constant::getNullValue(pointer->getType())),
                      from);
      },
      [] {});
  Value *pointer = b.CreateLoad(b.getPtrTy(globalSpace), from);
  branch(
      b.CreateICmpNE(pointer, Constant::getNullValue(pointer->getType())),
      [&] {
        b.CreateIntrinsic(Intrinsic::nvvm_cp_async_cg_shared_global_16, {},
                          {sharedAt(panel, slot, local, localStep), pointer});
      },
      [&] {
        loop(b.getInt64(0), b.getInt64(chunk), [&](Value *i) {
          Value *none = b.getInt64(0);
          Value *across = panel.isAcross ? i : none, *along = panel.isAcross ? none : i;
          fillElement(tile, panel, slot, b.CreateAdd(line, across), b.CreateAdd(at, along),
                      b.CreateAdd(localStep, along), b.CreateAdd(local, across));
        });
      });
}

/// Brings a panel's elements of some steps into a stage of shared memory.
void cuda::Emitter::fill(const Tile &tile, const Panel &panel, Value *slot, Value *step) {
  int64_t count = int64_t(panel.count) * tile.k;
  Value *first = b.CreateZExt(thread, b.getInt64Ty()), *stride = b.getInt64(blockThreads);
  if (panel.copies)
    return loop(
        first, b.getInt64(count / tile.chunk()),
        [&](Value *number) { fillChunk(tile, panel, slot, number, step); }, stride);
  loop(
      first, b.getInt64(count),
      [&](Value *number) {
        Value *perLine = b.getInt64(panel.isAcross ? panel.count : tile.k);
        Value *local = b.CreateUDiv(number, perLine), *localStep = b.CreateURem(number, perLine);
        if (panel.isAcross)
          std::swap(local, localStep);
        fillElement(tile, panel, slot, b.CreateAdd(panel.first, local),
                    b.CreateAdd(step, localStep), localStep, local);
      },
      stride);
}

/// 4 x 4 points a thread, each the sum of its products in order.
void cuda::Emitter::multiply(const Tile &tile, Value *slot) {
  Value *number = b.CreateZExt(thread, b.getInt64Ty());
  Value *own[] = {b.CreateUDiv(number, b.getInt64(side)), b.CreateURem(number, b.getInt64(side))};
  int rows = tile.m / side, columns = tile.n / side;
  for (int k = 0; k < tile.k; ++k) {
    std::vector<Value *> factors[2];
    for (int which : {0, 1})
      for (int i = 0; i < (which ? columns : rows); ++i) {
        Value *local = b.CreateAdd(own[which], b.getInt64(i * side));
        factors[which].push_back(
            b.CreateLoad(b.getFloatTy(), sharedAt(panels[which], slot, local, b.getInt64(k))));
      }
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < columns; ++j) {
        AllocaInst *sum = sums[i * columns + j];
        b.CreateStore(
            values.multiplyAdd(factors[0][i], factors[1][j], b.CreateLoad(b.getFloatTy(), sum)),
            sum);
      }
  }
}

/// Row and column in the tile of a thread's sum.
std::pair<Value *, Value *> cuda::Emitter::sumAt(const Tile &tile, int number) {
  if (tile.byWarpgroups)
    return sumOfWarpgroup(number);
  if (tile.stages > 1)
    return sumOfLane(tile, number);
  int columns = tile.n / side;
  Value *own = b.CreateZExt(thread, b.getInt64Ty());
  Value *row = b.CreateUDiv(own, b.getInt64(side)), *column = b.CreateURem(own, b.getInt64(side));
  return {b.CreateAdd(row, b.getInt64(number / columns * side)),
          b.CreateAdd(column, b.getInt64(number % columns * side))};
}

/// Writes the sums to shared memory, row by row. All copies and products are done.
void cuda::Emitter::keepTile(const Tile &tile) {
  Type *type = values.type(tile.stage->type);
  for (int i = 0; i < static_cast<int>(sums.size()); ++i) {
    auto [row, column] = sumAt(tile, i);
    Value *place = b.CreateAdd(b.CreateMul(row, b.getInt64(tile.n)), column);
    b.CreateStore(b.CreateLoad(type, sums[i]), b.CreateGEP(type, tileMemory, place));
  }
}

/// Stores the sum of a part, or what the epilogue makes of the sum of all.
void cuda::Emitter::finishPoint(const Grid &grid, const Stage &stage, const Coordinates &at,
                                Value *sum) {
  if (grid.parts) {
    const Memory &memory = memories.find(grid.parts->name)->second;
    Coordinates place = {part};
    place.insert(place.end(), at.begin(), at.end());
    b.CreateAlignedStore(sum, address(memory, position(*memory.facts, place)),
                         Align(byteSize(stage.type)));
    return;
  }
  Value *value =
      values.combine(Combiner::Add, stage.type, {values.constant(*stage.init)}, {sum}).value;
  memo.clear();
  placedValues.clear();
  placedValues[frameOf(stage, at).key] = value;
  Frame frame = frameOf(*grid.stage, at);
  store(grid, frame, &stage == grid.stage ? value : evaluate(grid.stage->body, frame));
  memo.clear();
}

/// The epilogue, point by point.
void cuda::Emitter::finishTile(const Grid &grid, const Tile &tile) {
  const Stage &stage = *tile.stage;
  Type *type = values.type(stage.type);
  loop(
      b.CreateZExt(thread, b.getInt64Ty()), b.getInt64(int64_t(tile.m) * tile.n),
      [&](Value *number) {
        Value *lines[] = {b.CreateAdd(panels[0].first, b.CreateUDiv(number, b.getInt64(tile.n))),
                          b.CreateAdd(panels[1].first, b.CreateURem(number, b.getInt64(tile.n)))};
        Value *sum = b.CreateLoad(type, b.CreateGEP(type, tileMemory, number));
        branch(
            b.CreateAnd(b.CreateICmpSLT(lines[0], panels[0].end),
                        b.CreateICmpSLT(lines[1], panels[1].end)),
            [&] {
              Coordinates at(stage.domain.size());
              for (int which : {0, 1}) {
                const std::vector<int> &dims = *panels[which].dims;
                Coordinates own = decompose(lines[which], extentsOf(stage, dims), "%m");
                for (size_t i = 0; i < own.size(); ++i)
                  at[dims[i]] = own[i];
              }
              for (size_t i = 0; i < batchPoint.size(); ++i)
                at[tile.batches[i]] = batchPoint[i];
              finishPoint(grid, stage, at, sum);
            },
            [] {});
      },
      b.getInt64(blockThreads));
}
