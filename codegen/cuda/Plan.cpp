//===- Plan.cpp - which grids compute a kernel ----------------------------===//

#include "codegen/cuda/Plan.h"
#include "codegen/cuda/Runs.h"

#include <algorithm>

using namespace kiln;
using namespace kiln::cuda;
using namespace kiln::spec;

/// More than a chip runs at once: extents without a bound count as this.
static constexpr int64_t many = 1 << 20;
/// Points from which on a thread each fills a chip, and a warp each.
static constexpr int64_t fullOfThreads = 1 << 16, fullOfWarps = 1 << 10;
/// Steps of a reduction below which a warp, and a block, has too little to share.
static constexpr int64_t leastForWarp = 64, leastForBlock = 1024;
/// Rows or columns up to which most of a tile would be empty, where they are known at run time.
static constexpr int64_t mostThin = 4;
/// Blocks that run at once on a chip of the kind generated for, about: fewer leave some of it idle.
static constexpr int64_t fullOfTiles = 108;
/// Steps of a part of a reduction, in steps of a tile, below which handing sums over costs more.
static constexpr int64_t leastOfPart = 8;
/// Parts of a reduction at most: a thread adds them.
static constexpr int64_t mostParts = 16;
/// Blocks of a launch at most; what they do not reach at once, they reach in strides.
static constexpr int64_t mostBlocks = 1 << 16;

int cuda::threadsOf(Team team) {
  return team == Team::Thread ? 1 : team == Team::Warp ? warpThreads : blockThreads;
}

DimExpr cuda::product(const std::vector<DimExpr> &extents) {
  DimExpr result = 1;
  for (const DimExpr &extent : extents)
    result = result * extent;
  return result;
}

namespace {
class Planner {
public:
  Planner(const KernelSpec &spec, std::string_view chip) : spec(spec), chip(chip) {
    for (const Symbol &symbol : spec.symbols)
      bounds[symbol.name] = {symbol.lower, symbol.upper};
  }
  Plan run();

private:
  bool isInlined(const Stage &stage) const {
    return stage.combiner == Combiner::None && !spec.findOperand(stage.name);
  }
  const Stage *onlyReader(const Stage &stage) const;
  const Stage *registerReader(const Stage &stage) const;
  bool isAlongRows(const Stage &stage) const;
  int64_t mostOf(const DimExpr &value) const {
    return std::clamp<int64_t>(value.bounds(bounds).upper.value_or(many), 0, many);
  }
  Team teamOf(const Grid &grid, const DimExpr &points) const;
  void setSimple(Grid &grid, const DimExpr &points) const;
  std::optional<Tile> tileOf(const Grid &grid, Plan &plan) const;
  void widen(Tile &tile) const;
  void findAttention(Plan &plan);
  void addAttention(Grid grid, const Attention &attention, Plan &plan) const;
  bool mayBeThin(const DimExpr &extent) const;
  std::optional<Parts> partsOf(const Tile &tile, const DimExpr &tiles) const;
  void addTotals(Grid grid, const DimExpr &isTiled, Plan &plan) const;
  void addTiled(Grid grid, Plan &plan) const;

  const KernelSpec &spec;
  std::string_view chip;
  DimExpr::BoundsMap bounds;
  std::map<const Stage *, Attention> attentions; ///< by the last product
  std::set<const Stage *> absorbed;
};
} // namespace

/// Whether coordinates are d0, d1, … and all lie inside.
static bool isIdentity(const Read &read) {
  for (size_t i = 0; i < read.indices.size(); ++i) {
    const Index &index = read.indices[i];
    bool isSame = index.terms.size() == 1 && index.terms[0].first == static_cast<int>(i) &&
                  index.terms[0].second == 1 && index.offset == DimExpr(0) && !index.indirect;
    if (!isSame)
      return false;
  }
  return !read.outside;
}

/// The one stage that reads this one, if it does so at its own point only and has the same points.
const Stage *Planner::onlyReader(const Stage &stage) const {
  const Stage *reader = nullptr;
  bool isFine = true;
  for (const Stage &other : spec.stages) {
    std::set<const Expr *> seen;
    visitPostOrder(other.body, seen, [&](const ExprPtr &node) {
      if (node->op != Op::Read || node->read.source != stage.name)
        return;
      isFine &= !reader || reader == &other;
      isFine &= isIdentity(node->read) && other.domain == stage.domain;
      reader = &other;
    });
  }
  return isFine ? reader : nullptr;
}

/// The stored stage in whose registers a reducing one can stay: read at the same point alone,
/// perhaps through inlined stages.
const Stage *Planner::registerReader(const Stage &stage) const {
  const Stage *reader = onlyReader(stage);
  while (reader && isInlined(*reader))
    reader = onlyReader(*reader);
  return reader && reader->combiner == Combiner::None ? reader : nullptr;
}

/// Whether neighbours along the last dimension of the reduction are neighbours in memory, in all
/// that moves with it.
bool Planner::isAlongRows(const Stage &stage) const {
  int last = static_cast<int>(stage.domain.size() + stage.reduction.size()) - 1;
  bool result = true;
  std::set<const Expr *> seen;
  visitPostOrder(stage.body, seen, [&](const ExprPtr &node) {
    if (node->op != Op::Read)
      return;
    const Operand *operand = spec.findOperand(node->read.source);
    for (size_t i = 0; i < node->read.indices.size(); ++i)
      for (auto [dim, coefficient] : node->read.indices[i].terms) {
        if (dim != last)
          continue;
        bool isDense = !operand || operand->panel ? !operand && i + 1 == node->read.indices.size()
                                                  : operand->strides[i] == DimExpr(1);
        result &= isDense && coefficient == 1;
      }
  });
  return result;
}

/// The team for a grid that computes that many of its points.
Team Planner::teamOf(const Grid &grid, const DimExpr &count) const {
  std::vector<const Stage *> reducing = grid.reduced;
  if (grid.stage->combiner != Combiner::None)
    reducing.push_back(grid.stage);
  int64_t steps = 0, points = mostOf(count);
  bool alongRows = true;
  for (const Stage *stage : reducing) {
    int64_t products = 1; // of a step
    std::vector<Run> runs = runsOf(spec, *stage);
    for (const Run &run : runs)
      products = std::max(products, run.width);
    steps = std::max(steps, products * mostOf(product(stage->reduction)));
    alongRows &= !runs.empty() || isAlongRows(*stage);
  }
  if (steps < leastForWarp || (points >= fullOfThreads && !alongRows))
    return Team::Thread;
  return points < fullOfWarps && steps >= leastForBlock ? Team::Block : Team::Warp;
}

/// Completes a grid in the simple form, of which `points` will be computed at most.
void Planner::setSimple(Grid &grid, const DimExpr &points) const {
  grid.team = teamOf(grid, points);
  int64_t perBlock = blockThreads / threadsOf(grid.team);
  grid.blocks = DimExpr::min(
      DimExpr::floorDiv(grid.points + DimExpr(perBlock - 1), DimExpr(perBlock)), mostBlocks);
}

/// How many tiles there are.
static DimExpr tilesOf(const Tile &tile) {
  DimExpr tiles = product(extentsOf(*tile.stage, tile.batches));
  for (bool isRows : {true, false}) {
    DimExpr extent = product(extentsOf(*tile.stage, isRows ? tile.rows : tile.columns));
    DimExpr size = isRows ? tile.m : tile.n;
    tiles = tiles * DimExpr::floorDiv(extent + size - DimExpr(1), size);
  }
  return tiles;
}

/// Twice the columns a tile, where there are more than one tile has and tiles are enough for a
/// chip: the second factor's reads from shared memory count once for more products.
void Planner::widen(Tile &tile) const {
  Tile wide = tile;
  wide.n = 2 * tile.n;
  wide.stages = 3; // of 32 KB: as much memory as the narrow one's
  bool isWide = mostOf(product(extentsOf(*tile.stage, tile.columns))) > tile.n;
  if (isWide && mostOf(tilesOf(wide)) >= fullOfTiles)
    tile = wide;
}

/// The fast form of a grid that computes one contraction.
std::optional<Tile> Planner::tileOf(const Grid &grid, Plan &plan) const {
  bool isAlone = grid.reduced.size() + (grid.stage->combiner != Combiner::None) == 1;
  const Stage *stage = grid.reduced.empty() ? grid.stage : grid.reduced[0];
  if (stage->combiner != Combiner::Add || stage->body->op != Op::Mul || stage->body->strict)
    return std::nullopt;
  std::string why = "several reductions share a grid";
  std::optional<Tile> tile;
  if (isAlone)
    tile = makeTile(spec, *stage, bounds, chip, why);
  if (tile && tile->byWarpgroups) {
    widen(*tile);
    tile->tensors = tensorsOf(spec, *tile, bounds);
  }
  if (!tile && plan.missed.empty())
    plan.missed = why;
  return tile;
}

/// Whether there may be few at run time, other than none.
bool Planner::mayBeThin(const DimExpr &extent) const {
  DimExpr::BoundsMap some = bounds;
  for (auto &[name, bound] : some)
    bound.lower = std::max<int64_t>(bound.lower.value_or(1), 1);
  return extent.bounds(some).lower.value_or(0) <= mostThin;
}

/// The parts of a tile's steps, where the tiles alone would leave most of a chip idle. By bounds
/// alone, so that sums are added in one order wherever the kernel runs.
std::optional<Parts> Planner::partsOf(const Tile &tile, const DimExpr &tiles) const {
  int64_t steps = product(tile.stage->reduction).bounds(bounds).lower.value_or(0);
  int64_t count = std::min({fullOfTiles / std::max<int64_t>(mostOf(tiles), 1),
                            steps / (leastOfPart * tile.k), mostParts});
  if (count < 2)
    return std::nullopt;
  return Parts{static_cast<int>(count), tile.stage->name + ".parts"};
}

static Scratch makeScratch(std::string name, DType type, std::vector<DimExpr> shape) {
  Operand facts;
  facts.name = std::move(name);
  facts.type = type;
  facts.shape = std::move(shape);
  facts.strides.resize(facts.shape.size());
  DimExpr stride = 1;
  for (size_t i = facts.shape.size(); i-- > 0; stride = stride * facts.shape[i])
    facts.strides[i] = stride;
  facts.use = Operand::Use::Scratch;
  return {std::move(facts), stride * DimExpr(byteSize(type))};
}

/// Adds the grid behind one whose tiles store the sums of parts.
void Planner::addTotals(Grid grid, const DimExpr &isTiled, Plan &plan) const {
  const Stage &stage = *grid.tile->stage;
  std::vector<DimExpr> shape = {DimExpr(grid.parts->count)};
  shape.insert(shape.end(), stage.domain.begin(), stage.domain.end());
  plan.scratch.push_back(makeScratch(grid.parts->name, stage.type, std::move(shape)));
  grid.tile.reset();
  grid.dynamicBytes = 0;
  grid.team = Team::Thread;
  grid.blocks = DimExpr::min(
      DimExpr::floorDiv(grid.points + DimExpr(blockThreads - 1), DimExpr(blockThreads)),
      isTiled * DimExpr(mostBlocks));
  plan.grids.push_back(std::move(grid));
}

/// Adds a grid by tiles, and where there may be few rows or columns one in the simple form: of the
/// two, one has no blocks.
void Planner::addTiled(Grid grid, Plan &plan) const {
  const Tile &tile = *grid.tile;
  DimExpr batches = product(extentsOf(*tile.stage, tile.batches)), tiles = tilesOf(tile),
          isTiled = 1;
  std::optional<DimExpr> thinPoints;
  for (bool isRows : {true, false}) {
    DimExpr extent = product(extentsOf(*tile.stage, isRows ? tile.rows : tile.columns));
    DimExpr other = product(extentsOf(*tile.stage, isRows ? tile.columns : tile.rows));
    if (!mayBeThin(extent))
      continue;
    isTiled = isTiled * DimExpr::min(DimExpr::floorDiv(extent, DimExpr(mostThin + 1)), 1);
    DimExpr here = batches * DimExpr(mostThin) * other;
    thinPoints = thinPoints ? DimExpr::max(*thinPoints, here) : here;
  }
  Grid simple = grid;
  grid.team = Team::Block;
  if (int64_t bytes = sharedBytes(tile); bytes > mostStaticBytes)
    grid.dynamicBytes = bytes;
  grid.parts = partsOf(tile, tiles);
  if (grid.parts)
    tiles = tiles * DimExpr(grid.parts->count);
  grid.blocks = DimExpr::min(tiles, isTiled * DimExpr(mostBlocks));
  plan.grids.push_back(grid);
  if (grid.parts)
    addTotals(std::move(grid), isTiled, plan);
  if (!thinPoints)
    return;
  simple.tile.reset();
  setSimple(simple, *thinPoints);
  simple.blocks = DimExpr::min(simple.blocks, (DimExpr(1) - isTiled) * DimExpr(mostBlocks));
  plan.grids.push_back(std::move(simple));
}

void Planner::findAttention(Plan &plan) {
  for (const Stage &stage : spec.stages)
    if (std::optional<Attention> found = makeAttention(spec, stage, bounds, plan.missed)) {
      const Stage *reader = spec.findOperand(stage.name) ? nullptr : registerReader(stage);
      auto shares = [&](const Stage &other) {
        return &other != &stage && !found->absorbed.count(&other) && !isInlined(other) &&
               !spec.findOperand(other.name) && registerReader(other) == reader;
      };
      if (reader && std::any_of(spec.stages.begin(), spec.stages.end(), shares)) {
        plan.missed = "several reductions share a grid";
        continue;
      }
      absorbed.insert(found->absorbed.begin(), found->absorbed.end());
      attentions[&stage] = std::move(*found);
    }
}

/// Adds a grid that computes attention, its epilogue with it: a block for each tile of the result.
void Planner::addAttention(Grid grid, const Attention &attention, Plan &plan) const {
  const Tile &tile = attention.result;
  grid.attention = attention;
  grid.team = Team::Block;
  grid.blocks = DimExpr::min(tilesOf(tile), mostBlocks);
  plan.grids.push_back(std::move(grid));
}

Plan Planner::run() {
  Plan plan;
  findAttention(plan);
  std::map<const Stage *, std::vector<const Stage *>> reducedIn;
  for (const Stage &stage : spec.stages) {
    if (isInlined(stage)) {
      plan.inlined.push_back(&stage);
      continue;
    }
    if (absorbed.count(&stage))
      continue;
    bool isOperand = spec.findOperand(stage.name);
    if (const Stage *reader = isOperand ? nullptr : registerReader(stage)) {
      reducedIn[reader].push_back(&stage);
      continue;
    }
    if (!isOperand)
      plan.scratch.push_back(makeScratch(stage.name, stage.type, stage.domain));
    Grid grid;
    grid.stage = &stage;
    grid.reduced = reducedIn[&stage];
    grid.points = product(stage.domain);
    const Stage *last = grid.reduced.size() == 1 ? grid.reduced[0] : grid.stage;
    if (auto found = attentions.find(last); found != attentions.end()) {
      addAttention(std::move(grid), found->second, plan);
      continue;
    }
    grid.tile = tileOf(grid, plan);
    if (grid.tile) {
      addTiled(std::move(grid), plan);
      continue;
    }
    setSimple(grid, grid.points);
    plan.grids.push_back(std::move(grid));
  }
  return plan;
}

Plan cuda::makePlan(const KernelSpec &spec, std::string_view chip) {
  return Planner(spec, chip).run();
}

static std::string productsOf(const Tile &tile) {
  if (tile.stages == 1)
    return std::to_string(tile.m / side) + " x " + std::to_string(tile.n / side) + " a thread";
  std::string columns = std::to_string(tile.n), stages = std::to_string(tile.stages) + " stages";
  std::string steps = std::to_string(2 * tile.chunk());
  if (tile.byWarpgroups)
    return "by wgmma.m64n" + columns + "k" + steps + ", 64 x " + columns + " a warpgroup, " +
           stages;
  if (isEighth(tile.type))
    steps = "16 of f16";
  return "by mma.m16n8k" + steps + ", 32 x 32 a warp, " + stages;
}

static std::string textOf(const Tile &tile) {
  std::string text = "tiles of " + std::to_string(tile.m) + " x " + std::to_string(tile.n) + " x " +
                     std::to_string(tile.k) + " " + std::string(name(tile.type));
  if (tile.stages > 1 && tile.second->type != tile.type)
    text += " and " + std::string(name(tile.second->type));
  text += (tile.stages > 1 ? " " : ", ") + productsOf(tile);
  if (!tile.tensors.empty())
    return text + ", loads by TMA, ";
  text += tile.copiesRows ? ", copies rows" : "";
  text += tile.copiesColumns ? ", copies columns" : tile.copiesAcross ? ", copies across" : "";
  text += tile.readsAcross ? ", reads across" : "";
  return text + ", ";
}

static std::string textOf(const Attention &attention) {
  const Stage *on[] = {attention.scores.stage, attention.top, attention.sum};
  std::string text = "attention of " + on[0]->name + ", " + on[1]->name + ", " + on[2]->name;
  text += attention.sees ? ", chosen by " + attention.weight->name : "";
  text += attention.limited ? ", tiles skipped by " + attention.limited->name : "";
  return text + ": scores in " + textOf(attention.scores) + "result in " + textOf(attention.result);
}

std::string cuda::print(const Plan &plan) {
  std::string text;
  for (const Scratch &scratch : plan.scratch)
    text += "scratch " + scratch.facts.name + ": " + scratch.bytes.str() + " bytes\n";
  for (const Stage *stage : plan.inlined)
    text += "inline " + stage->name + "\n";
  for (const Grid &grid : plan.grids) {
    constexpr std::string_view names[] = {"thread", "warp", "block"};
    text +=
        "grid " + grid.written() + ": " + grid.points.str() + " points, " +
        (grid.tile        ? textOf(*grid.tile)
         : grid.attention ? textOf(*grid.attention)
                          : "a " + std::string(names[static_cast<int>(grid.team)]) + " each, ") +
        grid.blocks.str() + " blocks of " + std::to_string(blockThreads) + " threads";
    for (const Stage *stage : grid.reduced)
      text += (grid.parts && !grid.tile ? ", completes " : ", reduces ") + stage->name;
    if (grid.parts)
      text += (grid.tile ? ", in " : ", of ") + std::to_string(grid.parts->count) + " parts";
    if (grid.dynamicBytes)
      text += ", " + std::to_string(grid.dynamicBytes >> 10) + " KB shared";
    text += "\n";
  }
  return text;
}
