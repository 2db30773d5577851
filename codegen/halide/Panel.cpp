//===- Panel.cpp - contractions with a packed weight ----------------------===//
//
// linear and conv2d: the innermost dimension of the domain is the weight's panels, the next one
// (pixels of a row, or rows of a matrix) is tiled. The output is cut into pieces, each of constant
// tile size, so that no point is computed twice and no store is guarded: columns in groups of
// `vectors` panels, the panels left over, and the lanes of the last one; rows in groups of `rows`
// and the rows left over.
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

/// Some panels of the columns.
struct Columns {
  int64_t first, count; ///< panels
  int vectors, lanes;   ///< of a tile; lanes stored of each panel
};

/// Tiles of rows.
struct Rows {
  DimExpr first, tiles;
  int size;
};

class PanelTemplate {
public:
  explicit PanelTemplate(Builder &builder) : builder(builder) {}
  void run();

private:
  void chooseTile();
  std::vector<Columns> columnPieces() const;
  std::vector<Rows> rowPieces() const;
  void piece(const Columns &columns, const Rows &rows, int number);
  Halide::Func accumulator(const std::string &suffix);
  Halide::Func pointwise(const Stage &stage, const std::string &suffix);
  void schedule(Halide::Func out, Halide::Func acc, const Columns &columns, const Rows &rows);
  bool paddingFits() const;
  int64_t work() const;

  Builder &builder;
  const Stage *anchor = nullptr, *result = nullptr;
  size_t rank = 0;
  int rowsOfTile = 1, vectorsOfTile = 1;
  std::vector<Var> vars; ///< lane, panel, row, tile, then the outer dimensions from the inside
  Coordinates domain;    ///< of the piece being built, in the spec's order
  Halide::RDom reduction;
};
} // namespace

/// Cycles of one step of k of a tile: multiply-adds, loads, and the latency of a chain.
static double tileCycles(int rows, int vectors, int registersOfPanel) {
  double fma = rows * vectors * registersOfPanel / 2.0;
  double loads = (rows + vectors * registersOfPanel) / 2.0;
  return std::max({fma, loads, 4.0}) + 0.3;
}

void PanelTemplate::chooseTile() {
  const target::Target &target = builder.target;
  int perPanel = std::max(1, 16 / target.lanesF32);
  int64_t panels = *anchor->domain[rank - 1].constantValue() / 16;
  panels += *anchor->domain[rank - 1].constantValue() % 16 != 0;
  int64_t points = Builder::known(anchor->domain[rank - 2]).value_or(64);
  double best = 1e300;
  for (int vectors = 1; vectors <= 8; ++vectors)
    for (int rows = 1; rows <= 14; ++rows) {
      // The broadcast operand is a memory operand where the ISA has them (32 registers).
      int needed = (rows + 1) * vectors * perPanel + (target.registers < 32 ? 1 : 0);
      if (needed > target.registers || vectors > panels || rows > points)
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

std::vector<Columns> PanelTemplate::columnPieces() const {
  int64_t n = *anchor->domain[rank - 1].constantValue(), full = n / 16;
  std::vector<Columns> result;
  int64_t main = full / vectorsOfTile * vectorsOfTile;
  if (main)
    result.push_back({0, main, vectorsOfTile, 16});
  if (full > main)
    result.push_back({main, full - main, static_cast<int>(full - main), 16});
  if (n % 16)
    result.push_back({full, 1, 1, static_cast<int>(n % 16)});
  return result;
}

std::vector<Rows> PanelTemplate::rowPieces() const {
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

int64_t PanelTemplate::work() const {
  int64_t product = 1;
  for (const std::vector<DimExpr> *shape : {&anchor->domain, &anchor->reduction})
    for (const DimExpr &extent : *shape)
      product *= std::min<int64_t>(extent.constantValue().value_or(1 << 20), 1 << 20);
  return product;
}

/// Whether one row of outputs needs a constant block of padded input that fits the stack.
bool PanelTemplate::paddingFits() const {
  for (const DimExpr &extent : anchor->domain)
    if (!extent.isConstant())
      return false;
  bool fits = true, isGuarded = false;
  std::set<const Expr *> seen;
  visitPostOrder(anchor->body, seen, [&](const ExprPtr &node) {
    if (node->op != Op::Read || !node->read.outside)
      return;
    isGuarded = true;
    int64_t bytes = byteSize(node->type);
    for (const Index &index : node->read.indices) {
      int64_t width = 1;
      for (auto [dim, coefficient] : index.terms) {
        size_t at = dim;
        // Dimensions outside of the row are fixed within a block.
        if (at + 2 < rank)
          continue;
        const DimExpr &size = at < rank ? anchor->domain[at] : anchor->reduction[at - rank];
        width += std::abs(coefficient) * (size.constantValue().value_or(1 << 20) - 1);
      }
      bytes *= width;
      fits &= !index.indirect;
    }
    fits &= bytes <= maxStackBytes;
  });
  return isGuarded && fits;
}

Halide::Func PanelTemplate::accumulator(const std::string &suffix) {
  Halide::Func acc("acc" + suffix);
  Coordinates all = domain;
  for (size_t i = 0; i < anchor->reduction.size(); ++i)
    all.push_back(HExpr(reduction[static_cast<int>(anchor->reduction.size() - 1 - i)]));
  acc(vars) = builder.value(anchor->init, *anchor, domain);
  HExpr item = builder.value(anchor->body, *anchor, all);
  acc(vars) = combine(anchor->combiner, acc(vars), item, anchor->body->strict);
  return acc;
}

Halide::Func PanelTemplate::pointwise(const Stage &stage, const std::string &suffix) {
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

void PanelTemplate::piece(const Columns &columns, const Rows &rows, int number) {
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
  column.value = vars[1] * 16 + vars[0] + static_cast<int32_t>(columns.first * 16);
  column.firstPanel = static_cast<int32_t>(columns.first);
  row.row = vars[2];
  row.tile = vars[3];
  row.value = vars[3] * rows.size + vars[2] + builder.extent(rows.first);
  Halide::Func acc = accumulator(suffix), out;
  StageFunc kept{acc, static_cast<int>(rank - 1), static_cast<int>(rank - 2), anchor};
  builder.define(anchor->name, kept);
  if (result == anchor) {
    out = Halide::Func("out" + suffix);
    out(vars) = acc(vars);
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
              builder.outputOffset(*result) + columnStride * DimExpr(columns.first * 16) +
                  rowStride * rows.first,
              {columns.lanes, columns.count, rows.size, rows.tiles},
              {columnStride, columnStride * 16, rowStride, rowStride * DimExpr(rows.size)}};
  for (size_t i = 2; i < rank; ++i) {
    piece.extents.push_back(anchor->domain[rank - 1 - i]);
    piece.strides.push_back(builder.outputStride(*result, rank - 1 - i));
  }
  builder.output(std::move(piece));
}

void PanelTemplate::schedule(Halide::Func out, Halide::Func acc, const Columns &columns,
                             const Rows &rows) {
  Var j = vars[0], p = vars[1], xi = vars[2], xo = vars[3], po("po"), pi("pi");
  std::vector<Var> outer(vars.begin() + 4, vars.end());
  out.bound(j, 0, columns.lanes).bound(xi, 0, rows.size);
  out.split(p, po, pi, columns.vectors);
  std::vector<Halide::VarOrRVar> order{j, pi, xi, xo};
  bool isBlocked = !builder.padded.empty();
  if (isBlocked)
    order.push_back(po);
  order.insert(order.end(), outer.begin(), outer.end());
  if (!isBlocked)
    order.push_back(po);
  out.reorder(order).vectorize(j, columns.lanes).unroll(pi).unroll(xi);
  Var block = outer.empty() ? po : outer[0];
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
    block = fused;
  }
  acc.compute_at(out, xo).store_in(Halide::MemoryType::Stack);
  acc.bound_extent(j, 16).bound_extent(p, columns.vectors).bound_extent(xi, rows.size);
  acc.vectorize(j, 16).unroll(p).unroll(xi);
  std::vector<Halide::VarOrRVar> steps{j, p, xi};
  for (int i = 0; i < reduction.dimensions(); ++i)
    steps.push_back(reduction[i]);
  acc.update().reorder(steps).vectorize(j, 16).unroll(p).unroll(xi);
  for (Halide::Func pad : builder.padded) {
    pad.compute_at(out, block).store_in(Halide::MemoryType::Stack);
    pad.vectorize(pad.args()[0], 16, Halide::TailStrategy::GuardWithIf);
  }
}

void PanelTemplate::run() {
  anchor = builder.spec.anchor();
  if (!anchor || anchor->combiner != Combiner::Add || anchor->domain.size() < 2 ||
      !anchor->domain.back().isConstant())
    throw Unsupported("expected a sum over at least two dimensions, the last of constant extent");
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
  chooseTile();
  Halide::Region bounds;
  for (size_t i = anchor->reduction.size(); i-- > 0;)
    bounds.push_back({0, builder.extent(anchor->reduction[i])});
  reduction = Halide::RDom(bounds);
  int number = 0;
  for (const Columns &columns : columnPieces())
    for (const Rows &rows : rowPieces()) {
      builder.usesPadding = paddingFits();
      builder.resetPadding();
      piece(columns, rows, number++);
    }
}

void halide::buildPanel(Builder &builder) { PanelTemplate(builder).run(); }
