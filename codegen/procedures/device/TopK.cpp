//===- TopK.cpp - the first elements of sorted rows, on a GPU -------------===//
//
// The place of an element is the number of those before it in the order, which a thread counts: as
// many steps as the row has elements, fewer where the first few are looked for.
//
//===----------------------------------------------------------------------===//

#include "codegen/procedures/Types.h"

using namespace kiln::procedures;

namespace {
template <typename Element, bool largest> struct Ranking {
  using Bits = typename Element::Bits;

  static Bits keyOf(Bits bits) {
    Bits key = Element::keyOf(bits);
    return largest ? Bits(~key) : key;
  }

  /// The place of element n of a row; `kept` or more if it is not one of the first ones.
  static int64_t rank(const Bits *row, int64_t extent, int64_t stride, int64_t kept, int64_t n) {
    Bits key = keyOf(row[n * stride]);
    int64_t before = 0;
    for (int64_t m = 0; m < n && before < kept; ++m) // an equal one that stands in front is before
      before += keyOf(row[m * stride]) <= key;
    for (int64_t m = n + 1; m < extent && before < kept; ++m)
      before += keyOf(row[m * stride]) < key;
    return before;
  }
};

template <typename Element, bool largest> void run(void *const *bufs, const int64_t *sizes) {
  using Bits = typename Element::Bits;
  auto *x = static_cast<const Bits *>(bufs[0]);
  auto *values = static_cast<Bits *>(bufs[1]);
  auto *positions = static_cast<int64_t *>(bufs[2]);
  int64_t extent = sizes[1], inner = sizes[2], kept = sizes[3];
  forPoints(sizes[0] * extent * inner, [&](int64_t point) {
    int64_t lane = point % inner, n = point / inner % extent, o = point / inner / extent;
    const Bits *row = x + o * extent * inner + lane;
    int64_t rank = Ranking<Element, largest>::rank(row, extent, inner, kept, n);
    if (rank >= kept)
      return;
    int64_t to = (o * kept + rank) * inner + lane;
    values[to] = row[n * inner];
    positions[to] = n;
  });
}
} // namespace

#define KILN_DEFINE(name, type)                                                                    \
  extern "C" void kiln_topk_##name(kiln_ctx *, void *const *bufs, const int64_t *sizes,            \
                                   int64_t largest, int64_t) {                                     \
    return largest ? run<type, true>(bufs, sizes) : run<type, false>(bufs, sizes);                 \
  }
KILN_FOR_TYPES(KILN_DEFINE)
