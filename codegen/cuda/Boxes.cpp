//===- Boxes.cpp - factors that TMA brings --------------------------------===//
//
// One thread asks for boxes of both factors, ahead of the products by all stages but one. Two
// mbarriers a stage: `full` ends a phase when the boxes are there, `empty` when no warp's products
// read them any more. Rounds are counted over all tiles of a block; a round's number gives the
// stage and the phases.
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/Emitter.h"

#include "llvm/IR/IntrinsicsNVPTX.h"

using namespace kiln;
using namespace kiln::cuda;
using namespace kiln::codegen;
using namespace llvm;

/// Memory of the blocks that may run together, which boxes are copied to; here of one.
static constexpr unsigned clusterSpace = 7;

/// A round's mbarrier.
Value *cuda::Emitter::boxBarrier(const Tile &tile, bool isFull, Value *round) {
  Value *slot = b.CreateURem(round, b.getInt64(tile.stages));
  Value *number = b.CreateAdd(slot, b.getInt64(isFull ? 0 : tile.stages));
  return b.CreateGEP(b.getInt64Ty(), boxBarriers, number);
}

void cuda::Emitter::beginBoxes(const Tile &tile) {
  boxBarriers = sharedMemory(ArrayType::get(b.getInt64Ty(), 2 * tile.stages), "barriers");
  IRBuilder<> top(&function->getEntryBlock(), function->getEntryBlock().begin());
  boxRounds = top.CreateAlloca(b.getInt64Ty());
  b.CreateStore(b.getInt64(0), boxRounds);
  branch(
      b.CreateICmpEQ(thread, b.getInt32(0)),
      [&] {
        for (bool isFull : {true, false})
          for (int i = 0; i < tile.stages; ++i)
            b.CreateIntrinsic(Intrinsic::nvvm_mbarrier_init_shared, {},
                              {boxBarrier(tile, isFull, b.getInt64(i)),
                               b.getInt32(isFull ? 1 : blockThreads / warpThreads)});
        special(Intrinsic::nvvm_fence_mbarrier_init_release_cluster);
      },
      [] {});
  barrier();
}

/// Waits for the phase of an mbarrier whose number, but for its lowest bit, is this.
void cuda::Emitter::waitForBoxes(Value *at, Value *phase) {
  Value *parity = b.CreateTrunc(b.CreateAnd(phase, 1), b.getInt32Ty());
  auto *wait = BasicBlock::Create(b.getContext(), "wait", function);
  auto *there = BasicBlock::Create(b.getContext(), "there", function);
  b.CreateBr(wait);
  b.SetInsertPoint(wait);
  Value *isThere = b.CreateIntrinsic(Intrinsic::nvvm_mbarrier_try_wait_parity_scope_cta_space_cta,
                                     {}, {at, parity});
  b.CreateCondBr(isThere, there, wait);
  b.SetInsertPoint(there);
}

void cuda::Emitter::loadBoxes(const Tile &tile, const Panel &panel, Value *map, Value *round,
                              Value *step) {
  Value *slot = b.CreateURem(round, b.getInt64(tile.stages));
  Value *to = b.CreateAdd(b.CreateMul(slot, b.getInt64(panel.size)), b.getInt64(panel.offset));
  int boxes = panel.isAcross ? panel.count / panel.pitch : 1;
  bool isBatched = !tile.batches.empty();
  auto narrow = [&](Value *value) { return b.CreateTrunc(value, b.getInt32Ty()); };
  for (int i = 0; i < boxes; ++i) {
    Value *at = b.CreateAdd(to, b.getInt64(int64_t(i) * panel.lines * warpgroupLine));
    Value *line = narrow(b.CreateAdd(panel.first, b.getInt64(int64_t(i) * panel.pitch)));
    SmallVector<Value *> arguments = {
        b.CreateAddrSpaceCast(b.CreateGEP(b.getInt8Ty(), tileMemory, at), b.getPtrTy(clusterSpace)),
        boxBarrier(tile, true, round), map};
    arguments.push_back(panel.isAcross ? line : narrow(step));
    arguments.push_back(panel.isAcross ? narrow(step) : line);
    if (isBatched)
      arguments.push_back(narrow(batchNumber));
    arguments.append({b.getInt16(0), b.getInt64(0), b.getFalse(), b.getFalse(), b.getInt32(0)});
    b.CreateIntrinsic(isBatched ? Intrinsic::nvvm_cp_async_bulk_tensor_g2s_tile_3d
                                : Intrinsic::nvvm_cp_async_bulk_tensor_g2s_tile_2d,
                      {}, arguments);
  }
}

/// One thread, when nobody needs what was in the stage: elements beyond the ends are zeros, and
/// count.
void cuda::Emitter::fillBoxes(const Tile &tile, Value *round, Value *step) {
  Value *isMine = b.CreateICmpEQ(thread, b.getInt32(0));
  branch(
      b.CreateAnd(isMine, b.CreateICmpSLT(step, steps)),
      [&] {
        Value *turn = b.CreateUDiv(round, b.getInt64(tile.stages));
        waitForBoxes(boxBarrier(tile, false, round), b.CreateAdd(turn, b.getInt64(1)));
        b.CreateIntrinsic(
            Intrinsic::nvvm_mbarrier_arrive_expect_tx_scope_cta_space_cta, {},
            {boxBarrier(tile, true, round), b.getInt32(panels[0].size + panels[1].size)});
        for (int i : {0, 1})
          loadBoxes(tile, panels[i], function->getArg(function->arg_size() - 2 + i), round, step);
      },
      [] {});
}

/// The same as `pipeline`, by boxes: no barrier of the block in a round.
void cuda::Emitter::pipelineBoxes(const Tile &tile) {
  Value *base = b.CreateLoad(b.getInt64Ty(), boxRounds);
  Value *size = b.getInt64(tile.k);
  auto joinWarp = [&] { b.CreateIntrinsic(Intrinsic::nvvm_bar_warp_sync, {}, {b.getInt32(~0u)}); };
  for (int i = 0; i < tile.stages - 1; ++i)
    fillBoxes(tile, b.CreateAdd(base, b.getInt64(i)),
              b.CreateAdd(firstStep, b.getInt64(int64_t(i) * tile.k)));
  loop(
      firstStep, steps,
      [&](Value *step) {
        Value *round = b.CreateAdd(base, b.CreateUDiv(b.CreateSub(step, firstStep), size));
        waitForBoxes(boxBarrier(tile, true, round), b.CreateUDiv(round, b.getInt64(tile.stages)));
        joinWarp();
        startProducts(tile, round);
        fillBoxes(tile, b.CreateAdd(round, b.getInt64(tile.stages - 1)),
                  b.CreateAdd(step, b.getInt64(int64_t(tile.stages - 1) * tile.k)));
        joinWarp();
        finishProducts(tile);
        branch(
            b.CreateICmpEQ(b.CreateAnd(thread, warpThreads - 1), b.getInt32(0)),
            [&] {
              b.CreateIntrinsic(Intrinsic::nvvm_mbarrier_arrive_scope_cta_space_cta, {},
                                {boxBarrier(tile, false, round), b.getInt32(1)});
            },
            [] {});
      },
      size);
  Value *length =
      b.CreateBinaryIntrinsic(Intrinsic::smax, b.CreateSub(steps, firstStep), b.getInt64(0));
  Value *rounds = b.CreateUDiv(b.CreateAdd(length, b.getInt64(tile.k - 1)), size);
  b.CreateStore(b.CreateAdd(base, rounds), boxRounds);
  barrier();
}
