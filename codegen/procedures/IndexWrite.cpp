//===- IndexWrite.cpp - slices put at computed positions ------------------===//
//
// Tasks share out the elements of a slice, so that each meets the indices in their order. Positions
// out of range are passed over: the host ends the call for them. The result may be x's own memory.
//
//===----------------------------------------------------------------------===//

#include "codegen/procedures/Numbers.h"
#include "codegen/procedures/Positions.h"

using namespace kiln::procedures;

namespace {
/// Elements of a slice that one piece of work takes. That of sums keeps a wide sum for each along
/// the whole extent; codegen/lower knows how many.
constexpr int64_t copyLanes = 4096, sumLanes = 8;

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
    Wide *sums =
        static_cast<Wide *>(scratch) + task * positions.extent * least(inner, int64_t(mostLanes));
    for (int64_t row = begin; row < end; ++row) {
      int64_t o = row / groups, first = row % groups * mostLanes;
      int64_t lanes = least(inner - first, mostLanes);
      const Bits *from = src + o * positions.count * inner + first;
      int64_t start = o * positions.extent * inner + first;
      for (int64_t i = 0; i < positions.extent; ++i)
        for (int64_t lane = 0; lane < lanes; ++lane)
          sums[i * lanes + lane] = Number::load(x[start + i * inner + lane]);
      for (int64_t k = 0; k < positions.count; ++k)
        if (int64_t at = positions[k]; at >= 0)
          for (int64_t lane = 0; lane < lanes; ++lane)
            sums[at * lanes + lane] += Number::load(from[k * inner + lane]);
      for (int64_t i = 0; i < positions.extent; ++i)
        for (int64_t lane = 0; lane < lanes; ++lane)
          y[start + i * inner + lane] = Number::store(sums[i * lanes + lane]);
    }
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
    return run<Sum<KILN_BARE type>>(ctx, bufs, sizes, bufs[4], bytes, isSigned != 0);              \
  }
KILN_FOR_NUMBERS(KILN_SUM)
