//===- TopK.cpp - the first elements of sorted rows -----------------------===//
//
// Stable: of equal elements the one that stands first comes first, in both directions. Few of many
// are kept in a heap; else short rows are inserted one by one and long ones sorted by the bytes of
// their keys.
//
//===----------------------------------------------------------------------===//

#include "codegen/procedures/Types.h"

using namespace kiln::procedures;

namespace {
/// Scratch memory holds these; codegen/lower knows their size.
template <typename Key, typename Position> struct Item {
  Key key;
  Position position;
  bool isBefore(const Item &other) const {
    return key < other.key || (key == other.key && position < other.position);
  }
};

/// Fewer than a heap pays for; shorter than a pass over 256 buckets pays for.
constexpr int64_t heapFactor = 8, shortRow = 48;

template <typename Element, typename Position, bool largest> struct TopK {
  using Bits = typename Element::Bits;
  using Entry = Item<Bits, Position>;

  const Bits *x;
  Bits *values;
  int64_t *positions;
  Entry *scratch;
  int64_t extent, inner, kept;

  bool usesHeap() const { return kept * heapFactor <= extent; }

  void rows(int64_t task, int64_t begin, int64_t end) {
    Entry *memory = scratch + task * (usesHeap() ? kept : 2 * extent);
    for (int64_t row = begin; row < end; ++row)
      oneRow(row / inner, row % inner, memory);
  }

  static Bits keyOf(Bits bits) {
    Bits key = Element::keyOf(bits);
    return largest ? Bits(~key) : key;
  }

  void oneRow(int64_t o, int64_t i, Entry *memory) {
    const Bits *from = x + o * extent * inner + i;
    const Entry *sorted = usesHeap()           ? select(from, memory)
                          : extent <= shortRow ? insert(from, memory)
                                               : sortByBytes(from, memory);
    int64_t to = o * kept * inner + i;
    for (int64_t k = 0; k < kept; ++k, to += inner) {
      values[to] = from[int64_t(sorted[k].position) * inner];
      positions[to] = int64_t(sorted[k].position);
    }
  }

  const Entry *insert(const Bits *from, Entry *items) {
    for (int64_t n = 0; n < extent; ++n) {
      Entry entry = {keyOf(from[n * inner]), Position(n)};
      int64_t at = n;
      for (; at > 0 && entry.key < items[at - 1].key; --at)
        items[at] = items[at - 1];
      items[at] = entry;
    }
    return items;
  }

  /// Brings the entry to its place below `at` in a heap whose root comes last in order.
  static void sift(Entry *heap, int64_t count, int64_t at, Entry entry) {
    while (true) {
      int64_t child = 2 * at + 1;
      if (child >= count)
        break;
      if (child + 1 < count && heap[child].isBefore(heap[child + 1]))
        ++child;
      if (!entry.isBefore(heap[child]))
        break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = entry;
  }

  const Entry *select(const Bits *from, Entry *heap) {
    for (int64_t n = 0; n < kept; ++n)
      heap[n] = {keyOf(from[n * inner]), Position(n)};
    for (int64_t at = kept / 2; at-- > 0;)
      sift(heap, kept, at, heap[at]);
    for (int64_t n = kept; n < extent; ++n) // an equal one comes behind all that are there
      if (Bits key = keyOf(from[n * inner]); key < heap[0].key)
        sift(heap, kept, 0, {key, Position(n)});
    for (int64_t count = kept; count-- > 1;) {
      Entry last = heap[count];
      heap[count] = heap[0];
      sift(heap, count, 0, last);
    }
    return heap;
  }

  const Entry *sortByBytes(const Bits *from, Entry *items) {
    Position counts[sizeof(Bits)][256] = {};
    for (int64_t n = 0; n < extent; ++n) {
      Bits key = keyOf(from[n * inner]);
      items[n] = {key, Position(n)};
#pragma unroll
      for (unsigned byte = 0; byte < sizeof(Bits); ++byte)
        ++counts[byte][uint8_t(key >> (8 * byte))];
    }
    Entry *source = items, *target = items + extent;
    for (unsigned byte = 0; byte < sizeof(Bits); ++byte) {
      Position *count = counts[byte];
      if (int64_t(count[uint8_t(source[0].key >> (8 * byte))]) == extent)
        continue; // all have the same
      Position start = 0;
      for (unsigned bucket = 0; bucket < 256; ++bucket) {
        Position size = count[bucket];
        count[bucket] = start;
        start += size;
      }
      for (int64_t n = 0; n < extent; ++n)
        target[count[uint8_t(source[n].key >> (8 * byte))]++] = source[n];
      Entry *other = source;
      source = target;
      target = other;
    }
    return source;
  }
};

template <typename Element, typename Position, bool largest>
int32_t run(kiln_ctx *ctx, void *const *bufs, const int64_t *sizes) {
  using Work = TopK<Element, Position, largest>;
  Work work = {static_cast<const typename Element::Bits *>(bufs[0]),
               static_cast<typename Element::Bits *>(bufs[1]),
               static_cast<int64_t *>(bufs[2]),
               static_cast<typename Work::Entry *>(bufs[3]),
               sizes[1],
               sizes[2],
               sizes[3]};
  if (work.kept == 0)
    return KILN_OK;
  int64_t rows = sizes[0] * sizes[2];
  return forRows(ctx, rows, rows * work.extent, work);
}

template <typename Element>
int32_t choose(kiln_ctx *ctx, void *const *bufs, const int64_t *sizes, bool largest, bool wide) {
  if (wide)
    return largest ? run<Element, uint64_t, true>(ctx, bufs, sizes)
                   : run<Element, uint64_t, false>(ctx, bufs, sizes);
  return largest ? run<Element, uint32_t, true>(ctx, bufs, sizes)
                 : run<Element, uint32_t, false>(ctx, bufs, sizes);
}
} // namespace

#define KILN_DEFINE(name, type)                                                                    \
  extern "C" int32_t kiln_topk_##name(kiln_ctx *ctx, void *const *bufs, const int64_t *sizes,      \
                                      int64_t largest, int64_t wide) {                             \
    return choose<type>(ctx, bufs, sizes, largest != 0, wide != 0);                                \
  }
KILN_FOR_TYPES(KILN_DEFINE)
