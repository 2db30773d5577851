//===- IndexWrite.cpp - slices put at computed positions, on a GPU --------===//
//
// Three grids. The first copies x and marks all positions as free; in the second the last index
// that names a position gets it where it replaces, else the first; in the third the index that has
// the position writes. So equal arguments give equal bits, in whatever order threads run. Positions
// out of range are passed over: the host ends the call for them. The result may be x's own memory.
//
//===----------------------------------------------------------------------===//

#include "codegen/procedures/Numbers.h"
#include "codegen/procedures/Positions.h"

using namespace kiln::procedures;

namespace {
/// Operands: x, indices, src, y, and an index for each position. Sizes: outer, extent, inner,
/// count.
template <typename Bits> struct Write {
  const Bits *x, *src;
  Bits *y;
  int64_t *owners;
  int64_t outer, inner;
  Positions positions;

  Write(void *const *bufs, const int64_t *sizes, int64_t bytes, bool isSigned)
      : x(static_cast<const Bits *>(bufs[0])), src(static_cast<const Bits *>(bufs[2])),
        y(static_cast<Bits *>(bufs[3])), owners(static_cast<int64_t *>(bufs[4])), outer(sizes[0]),
        inner(sizes[2]), positions{bufs[1], sizes[3], sizes[1], bytes, isSigned} {}

  void prepare(int64_t owner) const {
    forPoints(positions.extent, [&](int64_t i) { owners[i] = owner; });
    if (x != y)
      forPoints(outer * positions.extent * inner, [&](int64_t i) { y[i] = x[i]; });
  }

  template <bool isLast> void own() const {
    forPoints(positions.count, [&](int64_t k) {
      int64_t at = positions[k];
      if (at < 0)
        return;
      if constexpr (isLast)
        __scoped_atomic_fetch_max(owners + at, k, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
      else
        __scoped_atomic_fetch_min(owners + at, k, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
    });
  }

  /// Calls each(lane of src, place in y, position, index) for each element of src whose index has
  /// its position.
  template <typename Each> void owned(Each each) const {
    forPoints(outer * positions.count * inner, [&](int64_t point) {
      int64_t lane = point % inner, k = point / inner % positions.count,
              o = point / inner / positions.count, at = positions[k];
      if (at >= 0 && owners[at] == k)
        each(src + o * positions.count * inner + lane, (o * positions.extent + at) * inner + lane,
             at, k);
    });
  }
};
} // namespace

#define KILN_PHASE(procedure, name, phase, ...)                                                    \
  extern "C" void kiln_##procedure##_##name##_##phase(kiln_ctx *, void *const *bufs,               \
                                                      const int64_t *sizes, int64_t bytes,         \
                                                      int64_t isSigned __VA_OPT__(, ) __VA_ARGS__)

#define KILN_COPY(name, type)                                                                      \
  KILN_PHASE(index_copy, name, 0) {                                                                \
    Write<type::Bits>(bufs, sizes, bytes, isSigned != 0).prepare(-1);                              \
  }                                                                                                \
  KILN_PHASE(index_copy, name, 1) {                                                                \
    Write<type::Bits>(bufs, sizes, bytes, isSigned != 0).own<true>();                              \
  }                                                                                                \
  KILN_PHASE(index_copy, name, 2) {                                                                \
    Write<type::Bits> write(bufs, sizes, bytes, isSigned != 0);                                    \
    write.owned([&](const type::Bits *from, int64_t to, int64_t, int64_t k) {                      \
      write.y[to] = from[k * write.inner];                                                         \
    });                                                                                            \
  }
KILN_FOR_TYPES(KILN_COPY)

/// The sum of all that falls on a position, in the order of the indices, from the first one on.
template <typename Number> static void sum(const Write<typename Number::Bits> &write) {
  write.owned([&](const typename Number::Bits *from, int64_t to, int64_t at, int64_t first) {
    typename Number::Wide total = Number::load(write.x[to]);
    for (int64_t k = first; k < write.positions.count; ++k)
      if (write.positions[k] == at)
        total += Number::load(from[k * write.inner]);
    write.y[to] = Number::store(total);
  });
}

#define KILN_BARE(...) __VA_ARGS__
#define KILN_SUM(name, type)                                                                       \
  KILN_PHASE(index_add, name, 0) {                                                                 \
    Write<KILN_BARE type ::Bits>(bufs, sizes, bytes, isSigned != 0).prepare(INT64_MAX);            \
  }                                                                                                \
  KILN_PHASE(index_add, name, 1) {                                                                 \
    Write<KILN_BARE type ::Bits>(bufs, sizes, bytes, isSigned != 0).template own<false>();         \
  }                                                                                                \
  KILN_PHASE(index_add, name, 2) {                                                                 \
    using Number = KILN_BARE type;                                                                 \
    sum<Number>(Write<Number::Bits>(bufs, sizes, bytes, isSigned != 0));                           \
  }
KILN_FOR_NUMBERS(KILN_SUM)

/// The first of the most extreme of x and all that falls on a position.
template <typename Element, bool largest>
static void extreme(const Write<typename Element::Bits> &write) {
  using Bits = typename Element::Bits;
  write.owned([&](const Bits *from, int64_t to, int64_t at, int64_t first) {
    Bits best = write.x[to], key = extremeKeyOf<Element, largest>(best);
    for (int64_t k = first; k < write.positions.count; ++k)
      if (write.positions[k] == at)
        if (Bits next = extremeKeyOf<Element, largest>(from[k * write.inner]); next > key)
          best = from[k * write.inner], key = next;
    write.y[to] = best;
  });
}

#define KILN_EXTREME(name, type)                                                                   \
  KILN_PHASE(index_extreme, name, 0, int64_t) {                                                    \
    Write<type::Bits>(bufs, sizes, bytes, isSigned != 0).prepare(INT64_MAX);                       \
  }                                                                                                \
  KILN_PHASE(index_extreme, name, 1, int64_t) {                                                    \
    Write<type::Bits>(bufs, sizes, bytes, isSigned != 0).own<false>();                             \
  }                                                                                                \
  KILN_PHASE(index_extreme, name, 2, int64_t largest) {                                            \
    Write<type::Bits> write(bufs, sizes, bytes, isSigned != 0);                                    \
    largest ? extreme<type, true>(write) : extreme<type, false>(write);                            \
  }
KILN_FOR_TYPES(KILN_EXTREME)
