//===- Scan.cpp - running totals along an axis ----------------------------===//
//
// Elements that stand side by side are totalled together, so that memory is read in its order.
// Where few do, several rows are totalled at once: each addition waits for the one before it, those
// of other rows do not. On a GPU a thread totals a row.
//
//===----------------------------------------------------------------------===//

#include "codegen/procedures/Numbers.h"

using namespace kiln::procedures;

namespace {
/// Totals of a line's part lie on the stack; of rows at once, in registers.
constexpr int64_t mostLanes = 1024, leastLanes = 64, fewLanes = 16, runLength = 8;

template <typename Number, bool product, bool exclusive> struct Scan {
  using Bits = typename Number::Bits;
  using Wide = typename Number::Wide;

  const Bits *x;
  Bits *y;
  int64_t outer, extent, inner;
  static constexpr int64_t mostRows = isOnDevice || Wide(0.5) == 0 ? 1 : 8;
  int64_t step; // from an element to the next of its row: negative where the last comes first

  static void add(Wide &total, const Bits &from, Bits &to) {
    Wide before = total, element = Number::load(from);
    total = product ? before * element : before + element;
    to = Number::store(exclusive ? before : total);
  }

  int64_t firstOf(int64_t o, int64_t i) const {
    return o * extent * inner + i + (step < 0 ? (1 - extent) * step : 0);
  }

  template <int64_t count> void rowsAt(int64_t row) const {
    const Bits *from[count];
    Bits *to[count];
    Wide totals[count];
    for (int64_t r = 0; r < count; ++r) {
      int64_t first = firstOf((row + r) / inner, (row + r) % inner);
      from[r] = x + first;
      to[r] = y + first;
      totals[r] = Wide(product);
    }
    for (int64_t i = 0; i < extent; i += runLength)
      for (int64_t r = 0; r < count; ++r)
        for (int64_t at = i; at < least(i + runLength, extent); ++at)
          add(totals[r], from[r][at * step], to[r][at * step]);
  }

  void linesAt(int64_t at, int64_t lanes) const {
    Wide totals[mostLanes];
    for (int64_t lane = 0; lane < lanes; ++lane)
      totals[lane] = Wide(product);
    for (int64_t i = 0; i < extent; ++i, at += step)
      for (int64_t lane = 0; lane < lanes; ++lane)
        add(totals[lane], x[at + lane], y[at + lane]);
  }
};

/// Some rows at once.
template <typename Scan> struct ByRows {
  Scan scan;
  int64_t count;

  void rows(int64_t, int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      int64_t row = group * Scan::mostRows, past = least(row + Scan::mostRows, count);
      if (past - row == Scan::mostRows)
        scan.template rowsAt<Scan::mostRows>(row);
      else
        for (; row < past; ++row)
          scan.template rowsAt<1>(row);
    }
  }
};

/// Parts of lines.
template <typename Scan> struct ByLines {
  Scan scan;
  int64_t lanes, parts;

  void rows(int64_t, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t first = row % parts * lanes;
      scan.linesAt(scan.firstOf(row / parts, first), least(scan.inner - first, lanes));
    }
  }
};

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <typename Number, bool product, bool exclusive>
int32_t run(kiln_ctx *ctx, void *const *bufs, const int64_t *sizes, bool reverse) {
  using Bits = typename Number::Bits;
  using Work = Scan<Number, product, exclusive>;
  int64_t outer = sizes[0], extent = sizes[1], inner = sizes[2], elements = outer * extent * inner;
  if (elements == 0)
    return KILN_OK;
  Work scan = {static_cast<const Bits *>(bufs[0]),
               static_cast<Bits *>(bufs[1]),
               outer,
               extent,
               inner,
               reverse ? -inner : inner};
  if (isOnDevice || inner < fewLanes) {
    ByRows<Work> work = {scan, outer * inner};
    return forRows(ctx, ceilDiv(outer * inner, Work::mostRows), elements, work);
  }
  // As long parts as leave each task one.
  int64_t lanes = ceilDiv(ceilDiv(outer * inner, mostTasks), leastLanes) * leastLanes;
  lanes = least(lanes, mostLanes);
  ByLines<Work> work = {scan, lanes, ceilDiv(inner, lanes)};
  return forRows(ctx, outer * work.parts, elements, work);
}

template <typename Number>
int32_t choose(kiln_ctx *ctx, void *const *bufs, const int64_t *sizes, bool product, bool reverse,
               bool exclusive) {
  if (product)
    return exclusive ? run<Number, true, true>(ctx, bufs, sizes, reverse)
                     : run<Number, true, false>(ctx, bufs, sizes, reverse);
  return exclusive ? run<Number, false, true>(ctx, bufs, sizes, reverse)
                   : run<Number, false, false>(ctx, bufs, sizes, reverse);
}
} // namespace

#define KILN_BARE(...) __VA_ARGS__
#define KILN_DEFINE(name, type)                                                                    \
  extern "C" int32_t kiln_scan_##name(kiln_ctx *ctx, void *const *bufs, const int64_t *sizes,      \
                                      int64_t product, int64_t reverse, int64_t exclusive) {       \
    return choose<KILN_BARE type>(ctx, bufs, sizes, product != 0, reverse != 0, exclusive != 0);   \
  }
KILN_FOR_NUMBERS(KILN_DEFINE)
