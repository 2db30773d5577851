//===- Tiled.cpp - reductions with vectors of columns ---------------------===//
//
// linear, conv2d, matmul, depthwise and pool: the innermost dimension of the domain is cut into
// panels of 16 columns, the next one (pixels of a row, or rows of a matrix) into tiles. The output
// falls into pieces, each of constant tile size, so that no point is computed twice and no store is
// guarded: columns in groups of `vectors` panels, the panels left over, and the last columns; rows
// in groups of `rows`, and the rows left over.
//
//===----------------------------------------------------------------------===//

#include "codegen/halide/Build.h"

using namespace kiln;
using namespace kiln::halide;
using namespace kiln::spec;
using Halide::Var;
using HExpr = Halide::Expr;

namespace {
constexpr int64_t maxStackBytes = 64 << 10;
constexpr int64_t serialWork = 1 << 18; ///< multiply-adds below which a kernel runs in one task

/// Some of the columns: `count` panels of `width` columns, of which `lanes` are stored.
struct Columns {
  DimExpr first, count; ///< first in columns
  int vectors;          ///< panels of a tile
  int width, lanes;
};

/// Tiles of rows.
struct Rows {
  DimExpr first, tiles;
  int size;
};

class TiledTemplate {
public:
  explicit TiledTemplate(Builder &builder) : builder(builder) {}
  void run();

private:
  void chooseTile();
  std::vector<Columns> columnPieces() const;
  std::vector<Rows> rowPieces() const;
  void piece(const Columns &columns, const Rows &rows, int number);
  Halide::Func accumulator(const std::string &suffix);
  Halide::Func pointwise(const Stage &stage, const std::string &suffix);
  void unrollTaps(Halide::Func acc, int tile);
  void schedule(Halide::Func out, Halide::Func acc, const Columns &columns, const Rows &rows);
  using Blocks = std::map<std::string, std::vector<int64_t>>;
  Blocks paddingBlocks(const Columns &columns) const;
  void inspectReads();
  bool dependsOnColumns(const std::string &source) const;
  int64_t work() const;

  Builder &builder;
  const Stage *anchor = nullptr, *result = nullptr;
  size_t rank = 0;
  bool gathers(const Expr &node) const;
  bool collides = false; ///< the rows of a tile lie a multiple of 4096 bytes apart
  bool hasPanel = false; ///< the anchor reads a packed weight
  int rowsOfTile = 1, vectorsOfTile = 1;
  std::vector<Var> vars; ///< lane, panel, row, tile, then the outer dimensions from the inside
  Coordinates domain;    ///< of the piece being built, in the spec's order
  Halide::RDom reduction;
  Blocks blocks;
};
} // namespace

/// Cycles of one step of k of a tile: multiply-adds, loads, and the latency of a chain; and a share
/// of the time that the weights take to come from the second cache.
static double tileCycles(int rows, int vectors, int registersOfPanel) {
  double fma = rows * vectors * registersOfPanel / 2.0;
  double loads = (rows + vectors * registersOfPanel) / 2.0;
  return std::max({fma, loads, 4.0}) + 0.3 + 0.25 * vectors * registersOfPanel;
}

void TiledTemplate::chooseTile() {
  const target::Target &target = builder.target;
  int perPanel = std::max(1, 16 / target.lanesF32);
  int64_t panels = (Builder::known(anchor->domain[rank - 1]).value_or(256) + 15) / 16;
  int64_t points = Builder::known(anchor->domain[rank - 2]).value_or(64);
  double best = 1e300;
  for (int vectors = 1; vectors <= 8; ++vectors)
    for (int rows = 1; rows <= 14; ++rows) {
      // Accumulators, the panels' vectors, and the broadcast operand.
      int needed = (rows + 1) * vectors * perPanel + 1;
      if (needed > target.registers || (collides && rows > 8) || vectors > panels || rows > points)
        continue;
      double columns = (panels / vectors) * tileCycles(rows, vectors, perPanel);
      double cost = (points / rows) * columns;
      if (int rest = static_cast<int>(panels % vectors))
        cost += (points / rows) * tileCycles(rows, rest, perPanel);
      if (int rest = static_cast<int>(points % rows)) {
        cost += (panels / vectors) * tileCycles(rest, vectors, perPanel);
        if (int corner = static_cast<int>(panels % vectors))
          cost += tileCycles(rest, corner, perPanel);
      }
      if (cost < best * 0.999) {
        best = cost;
        rowsOfTile = rows;
        vectorsOfTile = vectors;
      }
    }
  rowsOfTile = static_cast<int>(builder.parameter("rows", rowsOfTile));
  vectorsOfTile = static_cast<int>(builder.parameter("vectors", vectorsOfTile));
  if (rowsOfTile < 1 || rowsOfTile > 32 || vectorsOfTile < 1 || vectorsOfTile > 8)
    throw Unsupported("expected 1 to 32 rows and 1 to 8 vectors in a tile");
}

std::vector<Columns> TiledTemplate::columnPieces() const {
  const DimExpr &extent = anchor->domain[rank - 1];
  std::vector<Columns> result;
  std::optional<int64_t> known = extent.constantValue();
  if (!known) {
    DimExpr groups = DimExpr::floorDiv(extent, 16 * vectorsOfTile);
    DimExpr done = groups * DimExpr(16 * vectorsOfTile);
    result.push_back({0, groups * DimExpr(vectorsOfTile), vectorsOfTile, 16, 16});
    DimExpr panels = DimExpr::floorDiv(extent - done, 16);
    result.push_back({done, panels, 1, 16, 16});
    done = done + panels * DimExpr(16);
    result.push_back({done, extent - done, 1, 1, 1});
    return result;
  }
  int64_t full = *known / 16, main = full / vectorsOfTile * vectorsOfTile;
  int rest = static_cast<int>(full - main), lanes = static_cast<int>(*known % 16);
  if (main)
    result.push_back({0, main, vectorsOfTile, 16, 16});
  if (rest)
    result.push_back({main * 16, rest, rest, 16, 16});
  // A packed weight has all lanes of its last panel; other operands must not be read beyond.
  if (lanes)
    result.push_back({full * 16, 1, 1, hasPanel ? 16 : lanes, lanes});
  return result;
}

std::vector<Rows> TiledTemplate::rowPieces() const {
  const DimExpr &extent = anchor->domain[rank - 2];
  std::vector<Rows> result;
  if (std::optional<int64_t> n = extent.constantValue()) {
    int64_t tiles = *n / rowsOfTile, rest = *n % rowsOfTile;
    if (tiles)
      result.push_back({0, tiles, rowsOfTile});
    if (rest)
      result.push_back({tiles * rowsOfTile, 1, static_cast<int>(rest)});
    return result;
  }
  // What is left of the tiles goes to tiles of half the size, and so on.
  DimExpr done = 0;
  for (int size = rowsOfTile;; size /= 2) {
    DimExpr tiles = DimExpr::floorDiv(extent - done, size);
    result.push_back({done, tiles, size});
    done = done + tiles * DimExpr(size);
    if (size == 1)
      return result;
  }
}

int64_t TiledTemplate::work() const {
  int64_t product = 1;
  for (const std::vector<DimExpr> *shape : {&anchor->domain, &anchor->reduction})
    for (const DimExpr &extent : *shape)
      product *= std::min<int64_t>(extent.constantValue().value_or(1 << 20), 1 << 20);
  return product;
}

/// Whether a read of an activation takes its columns from memory that is not contiguous.
bool TiledTemplate::gathers(const Expr &node) const {
  const Operand *operand = builder.spec.findOperand(node.read.source);
  if (!operand || operand->use != Operand::Use::Input || operand->panel)
    return false;
  DimExpr stride = 0;
  for (size_t i = 0; i < node.read.indices.size(); ++i)
    for (auto [dim, coefficient] : node.read.indices[i].terms)
      if (static_cast<size_t>(dim) == rank - 1)
        stride = stride + DimExpr(coefficient) * operand->strides[i];
  return stride != DimExpr(0) && stride != DimExpr(1);
}

/// Notes what decides the tile: packed weights, rows that fall into one set of the first cache.
void TiledTemplate::inspectReads() {
  std::set<const Expr *> seen;
  visitPostOrder(anchor->body, seen, [&](const ExprPtr &node) {
    if (node->op != Op::Read)
      return;
    const Operand *operand = builder.spec.findOperand(node->read.source);
    if (!operand)
      return;
    if (operand->panel) {
      hasPanel = true;
      return;
    }
    for (size_t i = 0; i < node->read.indices.size(); ++i)
      for (auto [dim, coefficient] : node->read.indices[i].terms)
        if (static_cast<size_t>(dim) == rank - 2) {
          DimExpr stride = operand->strides[i] * DimExpr(coefficient * byteSize(operand->type));
          collides |= stride.isConstant() && *stride.constantValue() % 4096 == 0;
        }
  });
}

/// Extents of the blocks of input that one row of outputs needs padded, or one group of columns
/// transposed, if they are constant and fit the stack: by the source's name, in its dimensions'
/// order.
TiledTemplate::Blocks TiledTemplate::paddingBlocks(const Columns &columns) const {
  Blocks blocks;
  bool fits = true;
  std::set<const Expr *> seen;
  visitPostOrder(anchor->body, seen, [&](const ExprPtr &node) {
    if (node->op != Op::Read || !(node->read.outside || gathers(*node)))
      return;
    std::vector<int64_t> &block = blocks[node->read.source];
    block.resize(node->read.indices.size(), 1);
    int64_t bytes = byteSize(node->type);
    for (size_t i = 0; i < block.size(); ++i) {
      const Index &index = node->read.indices[i];
      int64_t width = 1;
      for (auto [dim, coefficient] : index.terms) {
        size_t at = dim;
        // Dimensions outside of the row are fixed within a block.
        if (at + 2 < rank)
          continue;
        if (at + 1 == rank) {
          width += std::abs(coefficient) * (columns.width * columns.vectors - 1);
          continue;
        }
        const DimExpr &size = at < rank ? anchor->domain[at] : anchor->reduction[at - rank];
        width += std::abs(coefficient) * (size.constantValue().value_or(1 << 20) - 1);
      }
      fits &= !index.indirect && width <= maxStackBytes;
      block[i] = std::max(block[i], width);
      bytes = std::min(bytes * block[i], maxStackBytes + 1);
    }
    fits &= bytes <= maxStackBytes;
  });
  return fits ? blocks : Blocks();
}

Halide::Func TiledTemplate::accumulator(const std::string &suffix) {
  Halide::Func acc("acc" + suffix);
  Coordinates all = domain;
  for (size_t i = 0; i < anchor->reduction.size(); ++i)
    all.push_back(HExpr(reduction[static_cast<int>(anchor->reduction.size() - 1 - i)]));
  Halide::Type type = valueType(accumulatorType(*anchor, 1));
  acc(vars) = Halide::cast(type, builder.value(anchor->init, *anchor, domain));
  HExpr item =
      Builder::term(reduction, Halide::cast(type, builder.value(anchor->body, *anchor, all)));
  acc(vars) = combine(anchor->combiner, acc(vars), item, anchor->body->strict);
  return acc;
}

Halide::Func TiledTemplate::pointwise(const Stage &stage, const std::string &suffix) {
  if (stage.combiner != Combiner::None || stage.domain.size() != rank)
    throw Unsupported("the epilogue has another domain than the anchor");
  for (size_t i = 0; i < rank; ++i)
    if (stage.domain[i] != anchor->domain[i])
      throw Unsupported("the epilogue has another domain than the anchor");
  Halide::Func func(stage.name + suffix);
  HExpr value = builder.value(stage.body, stage, domain);
  func(vars) = stage.type == DType::Bool ? Halide::cast<uint8_t>(value) : value;
  return func;
}

void TiledTemplate::piece(const Columns &columns, const Rows &rows, int number) {
  std::string suffix = "_" + std::to_string(number);
  vars = {Var("j"), Var("p"), Var("xi"), Var("xo")};
  for (size_t i = 2; i < rank; ++i)
    vars.push_back(Var("y" + std::to_string(i - 2)));
  domain.assign(rank, {});
  for (size_t i = 2; i < rank; ++i)
    domain[rank - 1 - i] = HExpr(vars[i + 2]);
  Coordinate &column = domain[rank - 1], &row = domain[rank - 2];
  column.lane = vars[0];
  column.panel = vars[1];
  column.value = vars[1] * columns.width + vars[0] + builder.extent(columns.first);
  column.firstPanel = static_cast<int32_t>(columns.first.constantValue().value_or(0) / 16);
  row.row = vars[2];
  row.tile = vars[3];
  row.value = vars[3] * rows.size + vars[2] + builder.extent(rows.first);
  Halide::Func acc = accumulator(suffix), out;
  StageFunc kept{acc, static_cast<int>(rank - 1), static_cast<int>(rank - 2), anchor};
  builder.define(anchor->name, kept);
  if (result == anchor) {
    out = Halide::Func("out" + suffix);
    out(vars) = Halide::cast(valueType(anchor->type), acc(vars));
  } else {
    for (const Stage &stage : builder.spec.stages) {
      if (stage.role != Role::Epilogue)
        continue;
      out = pointwise(stage, suffix);
      kept.func = out;
      kept.stage = &stage;
      builder.define(stage.name, kept);
    }
  }
  schedule(out, acc, columns, rows);
  DimExpr columnStride = builder.outputStride(*result, rank - 1),
          rowStride = builder.outputStride(*result, rank - 2);
  Piece piece{out,
              result,
              builder.outputOffset(*result) + columnStride * columns.first + rowStride * rows.first,
              {columns.lanes, columns.count, rows.size, rows.tiles},
              {columnStride, columnStride * DimExpr(columns.width), rowStride,
               rowStride * DimExpr(rows.size)}};
  for (size_t i = 2; i < rank; ++i) {
    piece.extents.push_back(anchor->domain[rank - 1 - i]);
    piece.strides.push_back(builder.outputStride(*result, rank - 1 - i));
  }
  builder.output(std::move(piece));
}

/// Unrolls the taps of a small window, so that overlapping inputs are loaded once.
void TiledTemplate::unrollTaps(Halide::Func acc, int tile) {
  int64_t taps = 1;
  for (const DimExpr &extent : anchor->reduction)
    taps = std::min<int64_t>(taps * extent.constantValue().value_or(1 << 20), 1 << 20);
  if (taps * tile > 128)
    return;
  for (int i = 0; i < reduction.dimensions(); ++i)
    acc.update().unroll(reduction[i]);
}

void TiledTemplate::schedule(Halide::Func out, Halide::Func acc, const Columns &columns,
                             const Rows &rows) {
  Var j = vars[0], p = vars[1], xi = vars[2], xo = vars[3], po("po"), pi("pi");
  std::vector<Var> outer(vars.begin() + 4, vars.end());
  out.bound(j, 0, columns.lanes).bound(xi, 0, rows.size);
  // The count is a multiple of it.
  out.split(p, po, pi, columns.vectors, Halide::TailStrategy::RoundUp);
  std::vector<Halide::VarOrRVar> order{j, pi, xi, xo};
  bool isBlocked = !builder.padded.empty();
  if (isBlocked)
    order.push_back(po);
  order.insert(order.end(), outer.begin(), outer.end());
  if (!isBlocked)
    order.push_back(po);
  out.reorder(order).vectorize(j, columns.lanes).unroll(pi).unroll(xi);
  Var task = outer.empty() ? po : outer[0];
  if (work() > serialWork) {
    std::vector<Var> shared = outer;
    if (!isBlocked || outer.empty())
      shared.push_back(po);
    Var fused = shared[0];
    for (size_t i = 1; i < shared.size(); ++i) {
      Var next("f" + std::to_string(i));
      out.fuse(fused, shared[i], next);
      fused = next;
    }
    out.parallel(fused);
    task = fused;
  }
  acc.compute_at(out, xo).store_in(Halide::MemoryType::Stack);
  acc.bound_extent(j, columns.width).bound_extent(p, columns.vectors).bound_extent(xi, rows.size);
  acc.vectorize(j, columns.width).unroll(p).unroll(xi);
  std::vector<Halide::VarOrRVar> steps{j, p, xi};
  for (int i = 0; i < reduction.dimensions(); ++i)
    steps.push_back(reduction[i]);
  unrollTaps(acc, rows.size * columns.vectors);
  acc.update().reorder(steps).vectorize(j, columns.width).unroll(p).unroll(xi);
  for (auto &[source, pad] : builder.padded) {
    const std::vector<int64_t> &block = blocks[source];
    std::vector<Var> args = pad.args();
    for (size_t i = 0; i < args.size(); ++i)
      pad.bound_extent(args[i], static_cast<int32_t>(block[block.size() - 1 - i]));
    int lanes = static_cast<int>(std::min<int64_t>(block.back(), 16));
    // A block that depends on the columns is made for each group of them.
    pad.compute_at(out, dependsOnColumns(source) ? po : task)
        .store_in(Halide::MemoryType::Register);
    pad.vectorize(args[0], lanes, Halide::TailStrategy::GuardWithIf);
  }
}

bool TiledTemplate::dependsOnColumns(const std::string &source) const {
  bool result = false;
  std::set<const Expr *> seen;
  visitPostOrder(anchor->body, seen, [&](const ExprPtr &node) {
    if (node->op != Op::Read || node->read.source != source)
      return;
    for (const Index &index : node->read.indices)
      for (auto [dim, coefficient] : index.terms)
        result |= static_cast<size_t>(dim) == rank - 1;
  });
  return result;
}

void TiledTemplate::run() {
  anchor = builder.spec.anchor();
  bool isValue = anchor && anchor->combiner != Combiner::None && anchor->init;
  if (!isValue || anchor->domain.size() < 2)
    throw Unsupported("expected an anchor that reduces, over a domain of at least two dimensions");
  rank = anchor->domain.size();
  for (const Stage &stage : builder.spec.stages) {
    if (stage.role == Role::Prologue)
      definePointwise(builder, stage);
    else if (builder.writesOperand(stage) && result)
      throw Unsupported("more than one output");
    else if (builder.writesOperand(stage))
      result = &stage;
  }
  if (!result || result != &builder.spec.stages.back())
    throw Unsupported("the last stage does not write an operand");
  inspectReads();
  builder.copies = [this](const Expr &node) { return gathers(node); };
  chooseTile();
  Halide::Region bounds;
  for (size_t i = anchor->reduction.size(); i-- > 0;)
    bounds.push_back({0, builder.extent(anchor->reduction[i])});
  reduction = Halide::RDom(bounds);
  int number = 0;
  for (const Columns &columns : columnPieces())
    for (const Rows &rows : rowPieces()) {
      blocks = paddingBlocks(columns);
      builder.usesPadding = !blocks.empty();
      builder.resetPadding();
      piece(columns, rows, number++);
    }
}

void halide::buildTiled(Builder &builder) { TiledTemplate(builder).run(); }
