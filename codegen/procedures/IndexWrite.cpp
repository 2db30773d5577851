//===- IndexWrite.cpp - slices put at computed positions ------------------===//
//
// Tasks share out the elements of a slice, so that each meets the indices in their order; or, for
// sums of long slices, whole slices, for which the indices are sorted by position. Positions out of
// range are passed over: the host ends the call for them. The result may be x's own memory.
//
//===----------------------------------------------------------------------===//

#include "codegen/procedures/Numbers.h"
#include "codegen/procedures/Positions.h"

using namespace kiln::procedures;

namespace {
/// Elements of a slice that one piece of work takes. That of sums of slices that are no longer
/// keeps a wide sum for each along the whole extent; codegen/lower knows how many. Longer slices
/// are summed one by one, in parts on the stack.
constexpr int64_t copyLanes = 4096, sumLanes = 8, sliceLanes = 256;

/// What replaces an element.
struct Always {
  template <typename Bits> static bool replaces(Bits, Bits) { return true; }
};
template <typename Element, bool largest> struct Beyond {
  template <typename Bits> static bool replaces(Bits a, Bits b) {
    return extremeKeyOf<Element, largest>(a) > extremeKeyOf<Element, largest>(b);
  }
};

template <typename Bits, typename Rule> struct Put {
  static constexpr int64_t mostLanes = copyLanes;
  const Bits *x, *src;
  Bits *y;
  void *scratch;
  int64_t inner, groups;
  Positions positions;

  void rows(int64_t, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t o = row / groups, first = row % groups * mostLanes;
      int64_t lanes = least(inner - first, mostLanes);
      const Bits *from = src + o * positions.count * inner + first;
      int64_t start = o * positions.extent * inner + first;
      for (int64_t i = 0; x != y && i < positions.extent; ++i)
        move<Always>(x + start + i * inner, y + start + i * inner, lanes);
      for (int64_t k = 0; k < positions.count; ++k)
        if (int64_t at = positions[k]; at >= 0)
          move<Rule>(from + k * inner, y + start + at * inner, lanes);
    }
  }
  template <typename How> static void move(const Bits *from, Bits *to, int64_t lanes) {
    for (int64_t lane = 0; lane < lanes; ++lane)
      to[lane] = How::replaces(from[lane], to[lane]) ? from[lane] : to[lane];
  }
};

/// Sums of few elements side by side: wide ones of all along the extent.
template <typename Number> struct Sum {
  using Bits = typename Number::Bits;
  using Wide = typename Number::Wide;
  static constexpr int64_t mostLanes = sumLanes;
  const Bits *x, *src;
  Bits *y;
  void *scratch;
  int64_t inner, groups;
  Positions positions;

  void rows(int64_t task, int64_t begin, int64_t end) {
    Wide *sums = static_cast<Wide *>(scratch) + task * positions.extent * least(inner, sumLanes);
    for (int64_t row = begin; row < end; ++row) {
      int64_t o = row / groups, first = row % groups * sumLanes;
      int64_t start = o * positions.extent * inner + first;
      const Bits *from = src + o * positions.count * inner + first;
      if (int64_t lanes = least(inner - first, sumLanes); lanes == 1)
        sum(x + start, from, y + start, 1, sums);
      else
        sum(x + start, from, y + start, lanes, sums);
    }
  }
  [[gnu::always_inline]] void sum(const Bits *old, const Bits *from, Bits *to, int64_t lanes,
                                  Wide *sums) const {
    for (int64_t i = 0; i < positions.extent; ++i)
      for (int64_t lane = 0; lane < lanes; ++lane)
        sums[i * lanes + lane] = Number::load(old[i * inner + lane]);
    for (int64_t k = 0; k < positions.count; ++k)
      if (int64_t at = positions[k]; at >= 0)
        for (int64_t lane = 0; lane < lanes; ++lane)
          sums[at * lanes + lane] += Number::load(from[k * inner + lane]);
    for (int64_t i = 0; i < positions.extent; ++i)
      for (int64_t lane = 0; lane < lanes; ++lane)
        to[i * inner + lane] = Number::store(sums[i * lanes + lane]);
  }
};

/// Sums of long slices, one at a time: all that falls on it, in order.
template <typename Number> struct SliceSum {
  using Bits = typename Number::Bits;
  using Wide = typename Number::Wide;
  const Bits *x, *src;
  Bits *y;
  int64_t *starts, *order; // what falls on i: order[starts[i]] to order[starts[i + 1]]
  int64_t inner;
  Positions positions;

  void sort() const {
    for (int64_t i = 0; i < positions.extent + 2; ++i)
      starts[i] = 0;
    for (int64_t k = 0; k < positions.count; ++k)
      if (int64_t at = positions[k]; at >= 0)
        ++starts[at + 2];
    for (int64_t i = 2; i < positions.extent + 2; ++i)
      starts[i] += starts[i - 1];
    for (int64_t k = 0; k < positions.count; ++k)
      if (int64_t at = positions[k]; at >= 0)
        order[starts[at + 1]++] = k;
  }

  void rows(int64_t, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for (int64_t first = 0; first < inner; first += sliceLanes)
        slice(row / positions.extent, row % positions.extent, first);
  }

  void slice(int64_t o, int64_t i, int64_t first) const {
    Wide sums[sliceLanes];
    int64_t lanes = least(inner - first, sliceLanes);
    int64_t start = (o * positions.extent + i) * inner + first;
    const Bits *from = src + o * positions.count * inner + first;
    for (int64_t lane = 0; lane < lanes; ++lane)
      sums[lane] = Number::load(x[start + lane]);
    for (int64_t k = starts[i]; k < starts[i + 1]; ++k)
      for (int64_t lane = 0; lane < lanes; ++lane)
        sums[lane] += Number::load(from[order[k] * inner + lane]);
    for (int64_t lane = 0; lane < lanes; ++lane)
      y[start + lane] = Number::store(sums[lane]);
  }
};

/// Operands: x, indices, src, y, scratch memory of sums. Sizes: outer, extent, inner, count.
template <typename Work>
int32_t run(kiln_ctx *ctx, void *const *bufs, const int64_t *sizes, void *scratch, int64_t bytes,
            bool isSigned) {
  int64_t outer = sizes[0], extent = sizes[1], inner = sizes[2], count = sizes[3];
  if (outer == 0 || extent == 0 || inner == 0)
    return KILN_OK;
  Work work = {static_cast<decltype(Work::x)>(bufs[0]),
               static_cast<decltype(Work::src)>(bufs[2]),
               static_cast<decltype(Work::y)>(bufs[3]),
               scratch,
               inner,
               (inner + Work::mostLanes - 1) / Work::mostLanes,
               {bufs[1], count, extent, bytes, isSigned}};
  int64_t kept = work.x == work.y ? 0 : extent;
  return forRows(ctx, outer * work.groups, outer * (kept + count) * inner, work);
}

template <typename Number>
int32_t runSum(kiln_ctx *ctx, void *const *bufs, const int64_t *sizes, int64_t bytes,
               bool isSigned) {
  using Bits = typename Number::Bits;
  int64_t outer = sizes[0], extent = sizes[1], inner = sizes[2], count = sizes[3];
  if (inner <= sumLanes)
    return run<Sum<Number>>(ctx, bufs, sizes, bufs[4], bytes, isSigned);
  if (outer == 0 || extent == 0)
    return KILN_OK;
  auto *starts = static_cast<int64_t *>(bufs[4]);
  SliceSum<Number> work = {static_cast<const Bits *>(bufs[0]),
                           static_cast<const Bits *>(bufs[2]),
                           static_cast<Bits *>(bufs[3]),
                           starts,
                           starts + extent + 2,
                           inner,
                           {bufs[1], count, extent, bytes, isSigned}};
  work.sort();
  return forRows(ctx, outer * extent, outer * (extent + count) * inner, work);
}
} // namespace

#define KILN_BARE(...) __VA_ARGS__
#define KILN_COPY(name, type)                                                                      \
  extern "C" int32_t kiln_index_copy_##name(                                                       \
      kiln_ctx *ctx, void *const *bufs, const int64_t *sizes, int64_t bytes, int64_t isSigned) {   \
    return run<Put<type::Bits, Always>>(ctx, bufs, sizes, nullptr, bytes, isSigned != 0);          \
  }
KILN_FOR_TYPES(KILN_COPY)

#define KILN_EXTREME(name, type)                                                                   \
  extern "C" int32_t kiln_index_extreme_##name(kiln_ctx *ctx, void *const *bufs,                   \
                                               const int64_t *sizes, int64_t bytes,                \
                                               int64_t isSigned, int64_t largest) {                \
    auto work = largest ? run<Put<type::Bits, Beyond<type, true>>>                                 \
                        : run<Put<type::Bits, Beyond<type, false>>>;                               \
    return work(ctx, bufs, sizes, nullptr, bytes, isSigned != 0);                                  \
  }
KILN_FOR_TYPES(KILN_EXTREME)

#define KILN_SUM(name, type)                                                                       \
  extern "C" int32_t kiln_index_add_##name(kiln_ctx *ctx, void *const *bufs, const int64_t *sizes, \
                                           int64_t bytes, int64_t isSigned) {                      \
    return runSum<KILN_BARE type>(ctx, bufs, sizes, bytes, isSigned != 0);                         \
  }
KILN_FOR_NUMBERS(KILN_SUM)
