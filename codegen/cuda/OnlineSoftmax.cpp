//===- OnlineSoftmax.cpp - attention without stored scores ----------------===//
//
// A block has some rows of the result, and goes through the keys by tiles. Scores of a tile lie in
// shared memory; two or four neighbouring threads have a row, its maximum and its sum so far. When
// the maximum grows, the sum and the row of the result are scaled by exp(old - new) (Milakov and
// Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135).
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/Emitter.h"

#include "llvm/IR/IntrinsicsNVPTX.h"

#include <cmath>

using namespace kiln;
using namespace kiln::cuda;
using namespace kiln::codegen;
using namespace kiln::spec;
using namespace llvm;

/// Elements from row to row of scores in shared memory: rows begin in different banks, aligned as
/// ldmatrix wants them.
static int pitchOf(const Tile &scores) { return scores.n + 4; }
/// Threads of a row of scores.
static int rowThreads(const Tile &scores) { return blockThreads / scores.m; }
/// A weight is at most 1, and by tensor cores a sum of halves: 2^15 times as much is far from what
/// has few bits in f16, and so are its parts.
static double magnified(const Tile &result) { return result.type == DType::F16 ? 1 << 15 : 1; }

/// Room for panels, scores behind them, and the tile of the result, which takes the place of both.
void cuda::Emitter::placeAttention(const Attention &attention) {
  const Tile &scores = attention.scores, &result = attention.result;
  queries = panel(scores, true);
  panels[0] = queries;
  keys = panel(scores, false);
  valuesPanel = panel(result, false);
  valuesPanel.offset = 0;
  bool isHalf = result.stages > 1;
  int64_t ofProduct = (queries.size + keys.size) * scores.stages;
  // Of f32, all have room; else scores lie where their factors were.
  scoresAt = isHalf ? valuesPanel.size * result.stages : std::max(ofProduct, valuesPanel.size);
  int64_t ofScores = int64_t(scores.m) * pitchOf(scores) * 4;
  int64_t bytes = std::max({ofProduct, scoresAt + ofScores, int64_t(result.m) * result.n * 4});
  if (isHalf) {
    weights = queries;
    weights.value = attention.power->body;
    weights.parts = result.type == DType::F16 ? 2 : 3;
    weights.pitch = pitchOf(scores);
    weights.offset = scoresAt;
    weights.size = result.k * byteSize(DType::F32);
    weights.slots = scores.n / result.k;
  }
  tileMemory = sharedMemory(ArrayType::get(b.getInt8Ty(), bytes), "tile");
  rowMemory = sharedMemory(ArrayType::get(b.getFloatTy(), scores.m), "rows");
  IRBuilder<> top(&function->getEntryBlock(), function->getEntryBlock().begin());
  auto allocate = [&](int count, std::vector<AllocaInst *> &where) {
    for (int i = 0; i < count; ++i)
      where.push_back(top.CreateAlloca(b.getFloatTy()));
  };
  allocate(scores.m * scores.n / blockThreads, scoreSums);
  allocate(result.m * result.n / blockThreads, resultSums);
  row.top = top.CreateAlloca(b.getFloatTy());
  row.sum = top.CreateAlloca(b.getFloatTy());
  row.sees = top.CreateAlloca(b.getInt1Ty());
  row.seen = top.CreateAlloca(b.getInt1Ty());
  row.best = top.CreateAlloca(b.getFloatTy());
}

void cuda::Emitter::emitAttention(const Grid &grid) {
  const Attention &attention = *grid.attention;
  const Tile &tile = attention.result;
  placeAttention(attention);
  auto tilesOf = [&](const std::vector<int> &dims, int64_t size) {
    return DimExpr::floorDiv(product(extentsOf(*tile.stage, dims)) + DimExpr(size - 1),
                             DimExpr(size));
  };
  std::vector<DimExpr> batches = extentsOf(*tile.stage, tile.batches);
  std::vector<DimExpr> extents = {product(batches), tilesOf(tile.rows, tile.m),
                                  tilesOf(tile.columns, tile.n)};
  Value *block = b.CreateZExt(special(Intrinsic::nvvm_read_ptx_sreg_ctaid_x), b.getInt64Ty());
  Value *blocks = b.CreateZExt(special(Intrinsic::nvvm_read_ptx_sreg_nctaid_x), b.getInt64Ty());
  loop(
      block, emit(product(extents)),
      [&](Value *number) {
        Coordinates at = decompose(number, extents, "%t");
        batchPoint = decompose(emit(at[0]), batches, "%b");
        queries.first = emit(at[1] * DimExpr(tile.m));
        valuesPanel.first = emit(at[2] * DimExpr(tile.n));
        for (AllocaInst *sum : resultSums)
          b.CreateStore(values.constant(-0.0, DType::F32), sum);
        b.CreateStore(values.constant(-INFINITY, DType::F32), row.top);
        b.CreateStore(values.constant(0.0, DType::F32), row.sum);
        b.CreateStore(b.getFalse(), row.sees);
        loop(
            b.getInt64(0), emit(tile.stage->reduction[0]),
            [&](Value *key) { visitTile(attention, key); }, b.getInt64(attention.scores.n));
        finishAttention(grid);
      },
      blocks);
}

/// The tile of keys that begins with this one, unless all of it is excluded for all of the block's
/// queries: weights would be 0 then.
void cuda::Emitter::visitTile(const Attention &attention, Value *key) {
  keys.first = key;
  if (!attention.limited)
    return attendTile(attention, key);
  Value *isSeen = row.seen;
  b.CreateStore(b.getFalse(), isSeen);
  forRow(attention, [&](const Coordinates *at, Value *) {
    if (!at)
      return;
    Value *seen = evaluate(attention.isLimit, frameOf(*attention.limited, *at));
    b.CreateStore(b.CreateOr(b.CreateLoad(b.getInt1Ty(), isSeen), seen), isSeen);
  });
  Value *seen = b.CreateLoad(b.getInt1Ty(), isSeen);
  seen = shareWarp(Combiner::Or, DType::Bool, {seen}, warpThreads).value;
  seen = shareBlock(Combiner::Or, DType::Bool, {seen}).value;
  branch(
      seen, [&] { attendTile(attention, key); },
      [&] {
        if (!attention.sees) // no choice behind softmax: every key is seen
          b.CreateStore(b.getTrue(), row.sees);
      });
}

void cuda::Emitter::attendTile(const Attention &attention, Value *key) {
  const Tile &scores = attention.scores, &result = attention.result;
  panels[0] = queries;
  panels[1] = keys;
  steps = emit(product(scores.stage->reduction));
  std::swap(sums, scoreSums);
  firstStep = b.getInt64(0);
  addUp(scores);
  for (int i = 0; i < static_cast<int>(sums.size()); ++i) {
    auto [line, column] = sumAt(scores, i);
    b.CreateStore(b.CreateLoad(b.getFloatTy(), sums[i]), scoreAt(scores, line, column));
  }
  std::swap(sums, scoreSums);
  barrier();
  weighRow(attention);
  barrier();
  rescale(result);
  panels[1] = valuesPanel;
  steps = emit(result.stage->reduction[0]);
  Value *end =
      b.CreateBinaryIntrinsic(Intrinsic::smin, steps, b.CreateAdd(key, b.getInt64(scores.n)));
  if (result.stages > 1) {
    panels[0] = weights;
    firstStep = key;
    steps = end;
    std::swap(sums, resultSums);
    pipeline(result);
    std::swap(sums, resultSums);
    return;
  }
  loop(
      key, end,
      [&](Value *step) {
        fill(result, valuesPanel, b.getInt64(0), step);
        barrier();
        multiplyWeights(attention, b.CreateSub(step, key));
        barrier();
      },
      b.getInt64(result.k));
}

/// The place of a score, then weight, in shared memory.
Value *cuda::Emitter::scoreAt(const Tile &scores, Value *line, Value *column) {
  Value *place = b.CreateAdd(b.CreateMul(line, b.getInt64(pitchOf(scores))), column);
  Value *bytes = b.CreateAdd(b.CreateMul(place, b.getInt64(4)), b.getInt64(scoresAt));
  return b.CreateGEP(b.getInt8Ty(), tileMemory, bytes);
}

/// exp(x - top), by the stage's own expression.
Value *cuda::Emitter::powerOf(const Attention &attention, Value *x, Value *top) {
  const Stage &stage = *attention.power;
  Frame frame = frameOf(stage, Coordinates(stage.domain.size()));
  memo.clear();
  memo[{attention.difference.get(), frame.key}] = values.apply(*attention.difference, {x, top});
  Value *result = evaluate(stage.body, frame);
  memo.clear();
  return result;
}

/// Goes through the thread's part of its row of a tile: `visit` gets the point, the score's place
/// and, for keys and rows that are none, null in place of the point.
void cuda::Emitter::forRow(const Attention &attention,
                           function_ref<void(const Coordinates *, Value *)> visit) {
  const Tile &scores = attention.scores;
  Value *number = b.CreateZExt(thread, b.getInt64Ty());
  Value *sharers = b.getInt64(rowThreads(scores));
  Value *local = b.CreateUDiv(number, sharers);
  Value *line = b.CreateAdd(queries.first, local);
  loop(
      b.CreateURem(number, sharers), b.getInt64(scores.n),
      [&](Value *column) {
        Value *place = scoreAt(scores, local, column), *key = b.CreateAdd(keys.first, column);
        memo.clear();
        branch(
            b.CreateAnd(b.CreateICmpSLT(line, queries.end), b.CreateICmpSLT(key, keys.end)),
            [&] {
              Coordinates at(scores.stage->domain.size());
              Coordinates own = decompose(line, extentsOf(*scores.stage, scores.rows), "%m");
              for (size_t i = 0; i < own.size(); ++i)
                at[scores.rows[i]] = own[i];
              for (size_t i = 0; i < batchPoint.size(); ++i)
                at[scores.batches[i]] = batchPoint[i];
              at.back() = bind(key, "%k", indexBounds(scores.stage->domain.back()));
              visit(&at, place);
            },
            [&] { visit(nullptr, place); });
        memo.clear();
      },
      sharers);
}

/// Makes weights of the scores of the thread's row, not yet scaled by their sum. Where all keys so
/// far are excluded the maximum is -inf, and 0 stands for it, so that their weights are 0.
void cuda::Emitter::weighRow(const Attention &attention) {
  const Stage &scores = *attention.scores.stage;
  int sharers = rowThreads(attention.scores);
  Type *type = b.getFloatTy();
  Constant *least = values.constant(-INFINITY, DType::F32),
           *none = values.constant(0.0, DType::F32);
  auto get = [&](AllocaInst *from) { return b.CreateLoad(from->getAllocatedType(), from); };
  b.CreateStore(least, row.best);
  forRow(attention, [&](const Coordinates *at, Value *place) {
    if (!at)
      return void(b.CreateStore(least, place));
    placedValues.clear();
    Value *score = b.CreateLoad(type, place);
    if (attention.factor)
      score = b.CreateFMul(score, values.constant(*attention.factor));
    placedValues[frameOf(scores, *at).key] =
        values.combine(Combiner::Add, scores.type, {values.constant(*scores.init)}, {score}).value;
    Value *x = evaluate(attention.top->body, frameOf(*attention.top, *at));
    b.CreateStore(x, place);
    b.CreateStore(values.combine(Combiner::Max, DType::F32, {get(row.best)}, {x}).value, row.best);
  });
  Value *before = get(row.top);
  Value *best = shareWarp(Combiner::Max, DType::F32, {get(row.best)}, sharers).value;
  best = values.combine(Combiner::Max, DType::F32, {before}, {best}).value;
  Value *safe = b.CreateSelect(b.CreateFCmpOEQ(best, least), none, best);
  Value *scale = powerOf(attention, before, safe);
  b.CreateStore(best, row.top);
  b.CreateStore(none, row.best); // from here on, the sum of this tile
  forRow(attention, [&](const Coordinates *at, Value *place) {
    if (!at)
      return void(b.CreateStore(none, place));
    Value *weight = powerOf(attention, b.CreateLoad(type, place), safe), *sees = b.getTrue();
    b.CreateStore(b.CreateFAdd(get(row.best), weight), row.best);
    if (attention.sees) {
      sees = evaluate(attention.sees, frameOf(*attention.weight, *at));
      weight = b.CreateSelect(sees, weight, none);
    }
    if (double times = magnified(attention.result); times != 1)
      weight = b.CreateFMul(weight, values.constant(times, DType::F32));
    b.CreateStore(weight, place);
    b.CreateStore(b.CreateOr(get(row.sees), sees), row.sees);
  });
  Value *sum = shareWarp(Combiner::Add, DType::F32, {get(row.best)}, sharers).value;
  b.CreateStore(b.CreateFAdd(b.CreateFMul(get(row.sum), scale), sum), row.sum);
  keepOfRow(attention.scores, scale);
}

/// Tells the block what the threads of a row found.
void cuda::Emitter::keepOfRow(const Tile &scores, Value *value) {
  int sharers = rowThreads(scores);
  Value *line = b.CreateLShr(thread, Log2_32(sharers));
  branch(
      b.CreateICmpEQ(b.CreateAnd(thread, sharers - 1), b.getInt32(0)),
      [&] { b.CreateStore(value, b.CreateGEP(b.getFloatTy(), rowMemory, line)); }, [] {});
}

/// What the block was told of the row of the thread's sum.
Value *cuda::Emitter::keptOfRow(const Tile &result, int sum) {
  Value *line = sumAt(result, sum).first;
  return b.CreateLoad(b.getFloatTy(), b.CreateGEP(b.getFloatTy(), rowMemory, line));
}

void cuda::Emitter::rescale(const Tile &result) {
  for (int i = 0; i < static_cast<int>(resultSums.size()); ++i) {
    AllocaInst *sum = resultSums[i];
    b.CreateStore(b.CreateFMul(b.CreateLoad(b.getFloatTy(), sum), keptOfRow(result, i)), sum);
  }
}

/// Products of some keys' weights, from this one of the tile on, with their values.
void cuda::Emitter::multiplyWeights(const Attention &attention, Value *key) {
  const Tile &result = attention.result;
  Value *number = b.CreateZExt(thread, b.getInt64Ty());
  Value *own[] = {b.CreateUDiv(number, b.getInt64(side)), b.CreateURem(number, b.getInt64(side))};
  int rows = result.m / side, columns = result.n / side;
  Type *type = b.getFloatTy();
  for (int k = 0; k < result.k; ++k) {
    std::vector<Value *> weights, factors;
    for (int i = 0; i < rows; ++i)
      weights.push_back(
          b.CreateLoad(type, scoreAt(attention.scores, b.CreateAdd(own[0], b.getInt64(i * side)),
                                     b.CreateAdd(key, b.getInt64(k)))));
    for (int j = 0; j < columns; ++j)
      factors.push_back(
          b.CreateLoad(type, sharedAt(valuesPanel, b.getInt64(0),
                                      b.CreateAdd(own[1], b.getInt64(j * side)), b.getInt64(k))));
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < columns; ++j) {
        AllocaInst *sum = resultSums[i * columns + j];
        b.CreateStore(values.multiplyAdd(weights[i], factors[j], b.CreateLoad(type, sum)), sum);
      }
  }
}

/// Scales the rows by their sums. Where no key was seen all weights are 0, whatever the sum; where
/// all that are seen are excluded by their scores there is no softmax.
void cuda::Emitter::finishAttention(const Grid &grid) {
  const Attention &attention = *grid.attention;
  const Tile &result = attention.result;
  auto get = [&](AllocaInst *from) { return b.CreateLoad(from->getAllocatedType(), from); };
  int sharers = rowThreads(attention.scores);
  Value *sees = shareWarp(Combiner::Or, DType::Bool, {get(row.sees)}, sharers).value;
  Value *isLost = b.CreateFCmpOEQ(get(row.top), values.constant(-INFINITY, DType::F32));
  Value *lost =
      b.CreateSelect(sees, values.constant(NAN, DType::F32), values.constant(1.0, DType::F32));
  keepOfRow(attention.scores, b.CreateSelect(isLost, lost, get(row.sum)));
  barrier();
  Coordinates nowhere(attention.scaled->domain.size());
  Coordinates noRow(attention.sum->domain.size());
  for (int i = 0; i < static_cast<int>(resultSums.size()); ++i) {
    memo.clear();
    placedValues.clear();
    placedValues[frameOf(*attention.sum, noRow).key] = keptOfRow(result, i);
    Value *scale = evaluate(attention.scale, frameOf(*attention.scaled, nowhere));
    AllocaInst *sum = resultSums[i];
    Value *value = get(sum);
    if (double times = magnified(result); times != 1)
      value = b.CreateFMul(value, values.constant(1 / times, DType::F32));
    value = attention.divides ? b.CreateFDiv(value, scale) : b.CreateFMul(value, scale);
    b.CreateStore(value, sum);
  }
  memo.clear();
  panels[0] = queries;
  panels[1] = valuesPanel;
  std::swap(sums, resultSums);
  keepTile(result);
  std::swap(sums, resultSums);
  barrier();
  finishTile(grid, result);
  barrier();
}
