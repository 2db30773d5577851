//===- Winograd.cpp - convolutions by few products ------------------------===//

#include "codegen/llvm/Winograd.h"
#include "ir/Winograd.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::codegen;
using namespace llvm;
using namespace kiln::spec;

/// Tiles of a block at most: the transformed filters come from the second cache for each.
static constexpr int64_t mostTiles = 32;
/// Blocks that are too few to share out.
static constexpr int64_t fewBlocks = 4;

/// The expression with 0 in place of what lies outside of what it reads.
static ExprPtr guarded(const ExprPtr &expr) {
  auto copy = std::make_shared<Expr>(*expr);
  if (copy->op == Op::Read && !copy->read.outside)
    copy->read.outside = 0;
  for (ExprPtr &arg : copy->args)
    arg = guarded(arg);
  return copy;
}

std::optional<WinogradParts> codegen::winogradParts(const KernelSpec &spec) {
  auto found = spec.schedule.parameters.find("winograd");
  if (found == spec.schedule.parameters.end())
    return std::nullopt;
  WinogradParts parts;
  parts.tile = found->second;
  int sums = 0, roots = 0;
  for (const Stage &stage : spec.stages) {
    if (stage.combiner != Combiner::None && ++sums)
      parts.core = &stage;
    if (spec.findOperand(stage.name) && ++roots)
      parts.root = &stage;
  }
  if (sums != 1 || roots != 1 || parts.core->domain.size() != 4 ||
      parts.core->domain != parts.root->domain || parts.core->reduction.size() != 3 ||
      parts.core->combiner != Combiner::Add || parts.core->body->op != Op::Mul ||
      parts.core->type != DType::F32)
    return std::nullopt;
  for (int side : {0, 1}) {
    std::set<const Expr *> seen;
    visitPostOrder(parts.core->body->args[side], seen, [&](const ExprPtr &node) {
      const Operand *operand = node->op == Op::Read ? spec.findOperand(node->read.source) : nullptr;
      if (!operand || !operand->panel)
        return;
      parts.filters = operand;
      parts.weight = parts.core->body->args[side];
      parts.input = guarded(parts.core->body->args[1 - side]);
    });
  }
  std::optional<int64_t> channels = parts.core->reduction[2].constantValue(),
                         columns = parts.core->domain[3].constantValue();
  if (!parts.filters || !channels || !columns || *channels % parts.filters->panel->width != 0 ||
      *columns % parts.filters->panel->width != 0 || ir::winogradTiles(parts.tile, *channels) == 0)
    return std::nullopt;
  parts.channels = *channels;
  parts.columns = *columns;
  return parts;
}

/// As many tiles as the stack takes, in whole groups of rows, and no more than there are.
void WinogradEmitter::sizeBlocks() {
  lanes = std::min<int64_t>(target.vectorBytes / byteSize(DType::F32), parts.filters->panel->width);
  const std::vector<DimExpr> &domain = parts.root->domain;
  auto count = [&](const DimExpr &extent) {
    return DimExpr::floorDiv(extent + DimExpr(parts.tile - 1), DimExpr(parts.tile));
  };
  tilesDown = count(domain[1]);
  tilesAcross = count(domain[2]);
  tiles = domain[0] * tilesDown * tilesAcross;
  std::optional<int64_t> known = tiles.constantValue();
  // Rows that leave few over, which are computed like the others.
  vectors = 2;
  rows = target.vectorRegisters >= 32 ? 8 : 4;
  for (int fewer = rows - 1; known && fewer >= 6; --fewer)
    if (alignTo(*known, fewer) < alignTo(*known, rows))
      rows = fewer;
  int64_t most = std::min(mostTiles, ir::winogradTiles(parts.tile, parts.channels));
  rows = static_cast<int>(std::min<int64_t>(rows, most));
  blockSize = most / rows * rows;
  blockCount = DimExpr::floorDiv(tiles + DimExpr(blockSize - 1), DimExpr(blockSize));
  if (!known || *known == 0)
    return;
  // An even number, where that is possible, for two threads.
  int64_t least = divideCeil(*known, blockSize), number = least, real = least;
  auto blockFor = [&](int64_t number) { return alignTo(divideCeil(*known, number), rows); };
  for (; number < 2 * least; ++number)
    if (real = divideCeil(*known, blockFor(number)); real % 2 == 0)
      break;
  blockSize = blockFor(number);
  blockCount = DimExpr(real = divideCeil(*known, blockSize));
  // Few blocks are shared out with a part of the columns each; all transform what they read.
  int64_t wide = static_cast<int64_t>(vectors) * lanes;
  while (real * groups < fewBlocks && groupColumns() >= 4 * wide)
    groups *= 2;
}

/// Columns of a group, but for the last one.
int64_t WinogradEmitter::groupColumns() const {
  int64_t wide = static_cast<int64_t>(vectors) * lanes;
  return alignTo(divideCeil(parts.columns, groups), wide);
}

WinogradEmitter::Tile WinogradEmitter::tileAt(Value *number) {
  auto part = [&](Value *value, const DimExpr &extent) {
    std::optional<int64_t> most = extent.bounds(bounds).upper;
    return bind(value, "%t", {0, most ? std::optional(*most - 1) : std::nullopt});
  };
  Value *across = emit(tilesAcross), *down = emit(tilesDown);
  Value *line = b.CreateUDiv(number, across);
  Tile tile;
  tile.column = part(b.CreateURem(number, across), tilesAcross) * DimExpr(parts.tile);
  tile.row = part(b.CreateURem(line, down), tilesDown) * DimExpr(parts.tile);
  tile.image = part(b.CreateUDiv(line, down), parts.root->domain[0]);
  return tile;
}

Value *WinogradEmitter::times(double factor, Value *x) {
  Value *splat = values.splat(values.constant(factor, DType::F32), lanes);
  return factor == 1 ? x : b.CreateFMul(splat, x);
}

Value *WinogradEmitter::plusTimes(double factor, Value *x, Value *to) {
  if (factor == 1)
    return b.CreateFAdd(to, x);
  if (factor == -1)
    return b.CreateFSub(to, x);
  return values.multiplyAdd(values.splat(values.constant(factor, DType::F32), lanes), x, to);
}

/// B' x: the points of a line of what a tile reads. Those of p and -p are an even and an odd part,
/// added and subtracted.
WinogradEmitter::Vectors WinogradEmitter::transformIn(ArrayRef<Value *> x) {
  if (parts.tile == 2)
    return {b.CreateFSub(x[0], x[2]), b.CreateFAdd(x[1], x[2]), b.CreateFSub(x[2], x[1]),
            b.CreateFSub(x[3], x[1])};
  constexpr double p = ir::winogradNear, q = ir::winogradFar, pp = p * p, qq = q * q;
  auto line = [&](Value *a, Value *c, Value *e) { // of the points 0 and infinity
    return plusTimes(pp * qq, a, plusTimes(-(pp + qq), c, e));
  };
  Value *even = plusTimes(-qq, x[2], x[4]), *odd = plusTimes(-qq, x[1], x[3]);
  Value *evenFar = plusTimes(-pp, x[2], x[4]), *oddFar = plusTimes(-pp, x[1], x[3]);
  return {line(x[0], x[2], x[4]),        plusTimes(p, odd, even),        plusTimes(-p, odd, even),
          plusTimes(q, oddFar, evenFar), plusTimes(-q, oddFar, evenFar), line(x[1], x[3], x[5])};
}

/// A' x: a line of results.
WinogradEmitter::Vectors WinogradEmitter::transformOut(ArrayRef<Value *> x) {
  Value *sum = b.CreateFAdd(x[1], x[2]), *difference = b.CreateFSub(x[1], x[2]);
  if (parts.tile == 2)
    return {b.CreateFAdd(x[0], sum), b.CreateFAdd(difference, x[3])};
  constexpr double p = ir::winogradNear, q = ir::winogradFar;
  Value *sumFar = b.CreateFAdd(x[3], x[4]), *differenceFar = b.CreateFSub(x[3], x[4]);
  return {b.CreateFAdd(b.CreateFAdd(x[0], sum), sumFar),
          plusTimes(q, differenceFar, times(p, difference)),
          plusTimes(q * q, sumFar, times(p * p, sum)),
          plusTimes(q * q * q, differenceFar, plusTimes(p * p * p, difference, x[5]))};
}

/// Emits `body` where all of the tile lies inside of what it reads knowing that, and elsewhere
/// without.
void WinogradEmitter::inside(const Tile &tile, const DimExpr &channel, function_ref<void()> body) {
  std::map<std::string, DimExpr> tests; // to be >= 0
  std::set<const Index *> sure;
  DimExpr row = DimExpr::symbol("%r0"), column = DimExpr::symbol("%r1");
  Frame frame = frameOf(*parts.core, {tile.image, tile.row, tile.column, DimExpr(0)});
  frame.at.insert(frame.at.end(), {row, column, channel});
  walk(parts.input, frame, [&](const Read &, DType, const Coordinates &, const Frame &at) {
    for (const Guard &guard : at.guards) {
      DimExpr low = guard.coordinate, high = guard.coordinate;
      bool isPlain = !isVarying(channel) || !low.splitLinear(laneName) ||
                     low.splitLinear(laneName)->first == 0;
      for (std::string_view name : {"%r0", "%r1"}) {
        auto split = low.splitLinear(name), splitHigh = high.splitLinear(name);
        isPlain &= split && split->first >= 0;
        if (!isPlain)
          break;
        low = split->second;
        high = splitHigh->second + DimExpr(split->first * (points() - 1));
      }
      if (!isPlain || isVarying(low))
        continue;
      sure.insert(guard.index);
      tests.emplace(low.str(), low);
      DimExpr room = guard.extent - 1 - high;
      tests.emplace(room.str(), room);
    }
  });
  Value *isInside = b.getTrue();
  for (auto &[key, value] : tests)
    if (auto low = value.bounds(bounds).lower; !low || *low < 0)
      isInside = b.CreateAnd(isInside, b.CreateICmpSGE(emit(value), b.getInt64(0)));
  std::set<const Index *> before = proven;
  branch(
      isInside,
      [&] {
        proven.insert(sure.begin(), sure.end());
        body();
        proven = before;
      },
      body);
}

/// Transforms some channels of what a tile reads.
void WinogradEmitter::readTile(const Tile &tile, Value *slot, const DimExpr &channel) {
  int64_t count = points();
  std::vector<Vectors> lines(count); // [row of the transform][column]
  for (int64_t column = 0; column < count; ++column) {
    Vectors x;
    for (int64_t row = 0; row < count; ++row) {
      Coordinates at = {tile.image, tile.row, tile.column, DimExpr(0)};
      at.insert(at.end(), {DimExpr(row), DimExpr(column), channel});
      memo.clear();
      Value *value = evaluate(parts.input, frameOf(*parts.core, at));
      x.push_back(value->getType()->isVectorTy() ? value : values.splat(value, lanes));
    }
    for (auto [row, value] : enumerate(transformIn(x)))
      lines[row].push_back(value);
  }
  Value *from = emit(channel - DimExpr::symbol(laneName));
  for (int64_t row = 0; row < count; ++row)
    for (auto [column, value] : enumerate(transformIn(lines[row]))) {
      Value *line = b.CreateAdd(b.getInt64((row * count + column) * blockSize), slot);
      Value *place = b.CreateAdd(b.CreateMul(line, b.getInt64(parts.channels)), from);
      b.CreateAlignedStore(value, b.CreateGEP(b.getFloatTy(), transformed, place),
                           Align(lanes * byteSize(DType::F32)));
    }
}

/// The products of all points for some columns: matrices [tile, channel] by [channel, column].
void WinogradEmitter::multiply(Value *firstColumn, int width) {
  const Memory &memory = memories.find(parts.filters->name)->second;
  int64_t panel = parts.filters->panel->width, all = points() * points();
  Type *vector = FixedVectorType::get(b.getFloatTy(), lanes);
  BasicBlock &entry = b.GetInsertBlock()->getParent()->getEntryBlock();
  IRBuilder<> top(&entry, entry.begin());
  std::vector<AllocaInst *> sums;
  for (int i = 0; i < rows * width; ++i)
    sums.push_back(top.CreateAlloca(vector));
  auto offset = [&](Value *base, Value *elements) {
    return b.CreateGEP(b.getFloatTy(), base, elements);
  };
  loop(b.getInt64(0), b.getInt64(all), [&](Value *point) {
    SmallVector<Value *> filters;
    for (int i = 0; i < width; ++i) {
      Value *column = b.CreateAdd(firstColumn, b.getInt64(static_cast<int64_t>(i) * lanes));
      Value *number = b.CreateUDiv(column, b.getInt64(panel));
      Value *matrix = b.CreateAdd(b.CreateMul(number, b.getInt64(all)), point);
      Value *place = b.CreateMul(matrix, b.getInt64(parts.channels * panel));
      filters.push_back(
          offset(memory.base, b.CreateAdd(place, b.CreateURem(column, b.getInt64(panel)))));
    }
    loop(b.getInt64(0), rowGroups, [&](Value *group) {
      Value *slot = b.CreateAdd(b.CreateMul(point, b.getInt64(blockSize)),
                                b.CreateMul(group, b.getInt64(rows)));
      Value *from = offset(transformed, b.CreateMul(slot, b.getInt64(parts.channels)));
      for (AllocaInst *sum : sums)
        b.CreateStore(Constant::getNullValue(vector), sum);
      loop(b.getInt64(0), b.getInt64(parts.channels), [&](Value *channel) {
        SmallVector<Value *> weights;
        for (Value *filter : filters)
          weights.push_back(b.CreateAlignedLoad(
              vector, offset(filter, b.CreateMul(channel, b.getInt64(panel))), Align(4)));
        for (int row = 0; row < rows; ++row) {
          Value *place = b.CreateAdd(channel, b.getInt64(row * parts.channels));
          Value *x = values.splat(b.CreateLoad(b.getFloatTy(), offset(from, place)), lanes);
          for (int i = 0; i < width; ++i) {
            AllocaInst *sum = sums[row * width + i];
            b.CreateStore(values.multiplyAdd(x, weights[i], b.CreateLoad(vector, sum)), sum);
          }
        }
      });
      for (int row = 0; row < rows; ++row)
        for (int i = 0; i < width; ++i) {
          Value *line = b.CreateAdd(slot, b.getInt64(row));
          Value *place = b.CreateAdd(b.CreateMul(line, b.getInt64(vectors * lanes)),
                                     b.getInt64(static_cast<int64_t>(i) * lanes));
          b.CreateAlignedStore(b.CreateLoad(vector, sums[row * width + i]), offset(products, place),
                               Align(lanes * byteSize(DType::F32)));
        }
    });
  });
}

/// The results of a tile as they are defined: infinities and what is too large for the transforms
/// give here what they give in a sum.
WinogradEmitter::Vectors WinogradEmitter::plainSums(const Tile &tile, const DimExpr &column) {
  int64_t count = parts.tile * parts.tile;
  Type *vector = FixedVectorType::get(b.getFloatTy(), lanes);
  BasicBlock &entry = b.GetInsertBlock()->getParent()->getEntryBlock();
  IRBuilder<> top(&entry, entry.begin());
  AllocaInst *sums = top.CreateAlloca(ArrayType::get(vector, count));
  sums->setAlignment(Align(64));
  loop(b.getInt64(0), b.getInt64(count), [&](Value *number) {
    Value *place = b.CreateGEP(vector, sums, number);
    b.CreateStore(Constant::getNullValue(vector), place);
    DimExpr result = bind(number, "%i", {0, count - 1});
    DimExpr down = DimExpr::floorDiv(result, DimExpr(parts.tile));
    DimExpr across = result - down * DimExpr(parts.tile);
    Coordinates at = {tile.image, tile.row + down, tile.column + across, column};
    std::function<void()> step = [&] {
      if (at.size() < 7)
        return loop(b.getInt64(0), emit(parts.core->reduction[at.size() - 4]), [&](Value *i) {
          std::optional<int64_t> extent = parts.core->reduction[at.size() - 4].constantValue();
          at.push_back(bind(i, "%i", {0, *extent - 1}));
          step();
          at.pop_back();
        });
      Frame frame = frameOf(*parts.core, at);
      memo.clear();
      Value *args[] = {evaluate(parts.input, frame), evaluate(parts.weight, frame)};
      values.unify(args);
      b.CreateStore(values.multiplyAdd(args[0], args[1], b.CreateLoad(vector, place)), place);
    };
    step();
  });
  Vectors result;
  for (int64_t i = 0; i < count; ++i)
    result.push_back(b.CreateLoad(vector, b.CreateConstGEP1_64(vector, sums, i)));
  return result;
}

/// All that the kernel computes of a tile's results that exist.
void WinogradEmitter::storeTile(const Tile &tile, const DimExpr &column,
                                ArrayRef<Value *> results) {
  const Stage &root = *parts.root;
  const Memory &memory = memories.find(root.name)->second;
  auto ifInside = [&](const DimExpr &at, const DimExpr &extent, function_ref<void()> body) {
    auto low = (extent - 1 - at).bounds(bounds).lower;
    if (low && *low >= 0)
      return body();
    branch(b.CreateICmpSLT(emit(at), emit(extent)), body, [] {});
  };
  for (int64_t down = 0; down < parts.tile; ++down)
    ifInside(tile.row + DimExpr(down), root.domain[1], [&] {
      for (int64_t across = 0; across < parts.tile; ++across)
        ifInside(tile.column + DimExpr(across), root.domain[2], [&] {
          Coordinates at = {tile.image, tile.row + DimExpr(down), tile.column + DimExpr(across),
                            column};
          Frame frame = frameOf(root, at);
          memo.clear();
          placedValues.clear();
          Value *sum = results[down * parts.tile + across];
          placedValues[frameOf(*parts.core, at).key] = sum;
          Value *value = &root == parts.core ? sum : evaluate(root.body, frame);
          store(memory, storedAt(root, *memory.facts, frame, true), value);
        });
    });
}

/// Transforms the products of some columns of a tile back.
void WinogradEmitter::finishTile(const Tile &tile, Value *slot, const DimExpr &column, int number) {
  int64_t count = points();
  Type *vector = FixedVectorType::get(b.getFloatTy(), lanes);
  std::vector<Vectors> lines(parts.tile); // [row of results][column of the transform]
  for (int64_t across = 0; across < count; ++across) {
    Vectors x;
    for (int64_t down = 0; down < count; ++down) {
      Value *line = b.CreateAdd(b.getInt64((down * count + across) * blockSize), slot);
      Value *place = b.CreateAdd(b.CreateMul(line, b.getInt64(vectors * lanes)),
                                 b.getInt64(static_cast<int64_t>(number) * lanes));
      x.push_back(b.CreateAlignedLoad(vector, b.CreateGEP(b.getFloatTy(), products, place),
                                      Align(lanes * byteSize(DType::F32))));
    }
    for (auto [down, value] : enumerate(transformOut(x)))
      lines[down].push_back(value);
  }
  Vectors results;
  for (const Vectors &line : lines)
    append_range(results, transformOut(line));
  // A result that is no number makes this none.
  Value *zero = Constant::getNullValue(vector), *none = zero;
  for (Value *result : results)
    none = values.multiplyAdd(result, zero, none);
  Value *isNone = b.CreateOrReduce(b.CreateFCmpUNO(none, none));
  std::pair<Vectors, BasicBlock *> arms[2];
  branch(
      isNone,
      [&] {
        arms[0].first = plainSums(tile, column);
        arms[0].second = b.GetInsertBlock();
      },
      [&] { arms[1] = {results, b.GetInsertBlock()}; });
  Vectors chosen;
  for (size_t i = 0; i < results.size(); ++i) {
    PHINode *value = b.CreatePHI(vector, 2);
    for (auto &[from, place] : arms)
      value->addIncoming(from[i], place);
    chosen.push_back(value);
  }
  storeTile(tile, column, chosen);
}

Function *WinogradEmitter::emitTask(StringRef name) {
  Function *task = createTask(name);
  Plan plan;
  plan.lanes = lanes;
  startPlan(plan);
  auto allocate = [&](int64_t each) {
    AllocaInst *memory =
        b.CreateAlloca(ArrayType::get(b.getFloatTy(), points() * points() * blockSize * each));
    memory->setAlignment(Align(64));
    keptBytes += points() * points() * blockSize * each * byteSize(DType::F32);
    return memory;
  };
  transformed = allocate(parts.channels);
  products = allocate(static_cast<int64_t>(vectors) * lanes);
  DimExpr lane = DimExpr::symbol(laneName);
  auto [from, to] = shareOf(blockCount * DimExpr(groups));
  loop(from, to, [&](Value *number) {
    Value *count = emit(blockCount), *group = b.CreateUDiv(number, count);
    first = b.CreateMul(b.CreateURem(number, count), b.getInt64(blockSize));
    count = b.CreateBinaryIntrinsic(Intrinsic::smin, b.CreateSub(emit(tiles), first),
                                    b.getInt64(blockSize));
    rowGroups = b.CreateUDiv(b.CreateAdd(count, b.getInt64(rows - 1)), b.getInt64(rows));
    loop(b.getInt64(0), b.CreateMul(rowGroups, b.getInt64(rows)), [&](Value *slot) {
      // Rows of products that no tile is there for take the last one's.
      Value *last = b.CreateSub(count, b.getInt64(1));
      Tile tile = tileAt(b.CreateAdd(first, b.CreateBinaryIntrinsic(Intrinsic::smin, slot, last)));
      loop(b.getInt64(0), b.getInt64(parts.channels / lanes), [&](Value *i) {
        DimExpr channel = bind(i, "%i", {0, parts.channels / lanes - 1}) * DimExpr(lanes) + lane;
        inside(tile, channel, [&] { readTile(tile, slot, channel); });
      });
    });
    auto columns = [&](Value *start, const DimExpr &at, int width) {
      multiply(start, width);
      loop(b.getInt64(0), count, [&](Value *slot) {
        Tile tile = tileAt(b.CreateAdd(first, slot));
        for (int i = 0; i < width; ++i)
          finishTile(tile, slot, at + DimExpr(static_cast<int64_t>(i) * lanes) + lane, i);
      });
    };
    int64_t wide = static_cast<int64_t>(vectors) * lanes, whole = parts.columns / wide;
    Value *each = b.getInt64(groupColumns() / wide), *start = b.CreateMul(group, each);
    Value *end =
        b.CreateBinaryIntrinsic(Intrinsic::smin, b.CreateAdd(start, each), b.getInt64(whole));
    loop(start, end, [&](Value *i) {
      DimExpr at = bind(i, "%i", {0, whole - 1}) * DimExpr(wide);
      columns(emit(at), at, vectors);
    });
    if (int64_t rest = parts.columns % wide)
      branch(
          b.CreateICmpEQ(group, b.getInt64(groups - 1)),
          [&] {
            columns(b.getInt64(whole * wide), DimExpr(whole * wide),
                    static_cast<int>(rest / lanes));
          },
          [] {});
  });
  b.CreateRet(b.getInt32(0));
  return task;
}

std::string WinogradEmitter::run(StringRef symbol, WinogradParts found) {
  parts = std::move(found);
  for (const Symbol &value : spec.symbols)
    bounds[value.name] = {value.lower, value.upper};
  sizeBlocks();
  Function *kernel = createKernel(symbol), *task = emitTask((symbol + "_task").str());
  Value *closure = enterKernel(kernel);
  callTask(kernel, task, closure, blockCount * DimExpr(groups),
           tiles * DimExpr(points() * points() * parts.channels * parts.columns));
  b.CreateRet(b.getInt32(0));
  return message;
}
