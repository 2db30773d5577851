//===- Types.h - elements as procedures see them ---------------*- C++ -*-===//
//
// Compiled for the library, not for the compiler: nothing but what stands here and in the runtime's
// interface. Elements are bit patterns; a key is an unsigned number that orders like the element.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_PROCEDURES_TYPES_H
#define KILN_CODEGEN_PROCEDURES_TYPES_H

#include "runtime/Abi.h"

namespace kiln::procedures {

/// A float whose largest magnitude that is not NaN (infinity, if it has one) is `most`. Zeros are
/// equal, NaNs are equal and the greatest.
template <typename T, T most> struct Float {
  using Bits = T;
  static constexpr bool hasNaN = true;
  static Bits keyOf(Bits bits) {
    constexpr Bits sign = Bits(Bits(1) << (8 * sizeof(Bits) - 1));
    Bits magnitude = Bits(bits & Bits(~sign));
    if (magnitude > most)
      return Bits(~Bits(0));
    if (magnitude == 0)
      return sign;
    return Bits(bits & sign ? ~bits : bits | sign);
  }
};

template <typename T> struct Signed {
  using Bits = T;
  static constexpr bool hasNaN = false;
  static Bits keyOf(Bits bits) { return Bits(bits ^ Bits(Bits(1) << (8 * sizeof(Bits) - 1))); }
};

template <typename T> struct Unsigned {
  using Bits = T;
  static constexpr bool hasNaN = false;
  static Bits keyOf(Bits bits) { return bits; }
};

using f64 = Float<uint64_t, 0x7ff0000000000000>;
using f32 = Float<uint32_t, 0x7f800000>;
using f16 = Float<uint16_t, 0x7c00>;
using bf16 = Float<uint16_t, 0x7f80>;
using f8e4m3 = Float<uint8_t, 0x7e>;
using f8e5m2 = Float<uint8_t, 0x7c>;
using i64 = Signed<uint64_t>;
using i32 = Signed<uint32_t>;
using i16 = Signed<uint16_t>;
using i8 = Signed<uint8_t>;
using u8 = Unsigned<uint8_t>;
struct Bool : Unsigned<uint8_t> {};

/// A key whose greatest is the largest, or the smallest, element; NaN in both.
template <typename Element, bool largest>
typename Element::Bits extremeKeyOf(typename Element::Bits bits) {
  using Bits = typename Element::Bits;
  Bits key = Element::keyOf(bits);
  return largest ? key : Bits(Bits(~key) - Bits(Element::hasNaN)); // 0 of NaN becomes the greatest
}

/// Calls KILN_FOR(name, type) for each element type of the language.
#define KILN_FOR_TYPES(KILN_FOR)                                                                   \
  KILN_FOR(f64, f64)                                                                               \
  KILN_FOR(f32, f32)                                                                               \
  KILN_FOR(f16, f16)                                                                               \
  KILN_FOR(bf16, bf16)                                                                             \
  KILN_FOR(f8e4m3, f8e4m3)                                                                         \
  KILN_FOR(f8e5m2, f8e5m2)                                                                         \
  KILN_FOR(i64, i64)                                                                               \
  KILN_FOR(i32, i32)                                                                               \
  KILN_FOR(i16, i16)                                                                               \
  KILN_FOR(i8, i8)                                                                                 \
  KILN_FOR(u8, u8)                                                                                 \
  KILN_FOR(bool, Bool)

/// The most tasks that work is cut into, whatever the number of threads. Formulas of scratch memory
/// know it too.
inline constexpr int64_t mostTasks = 16;

/// Whether this is compiled for a GPU.
#ifdef __NVPTX__
inline constexpr bool isOnDevice = true;
#else
inline constexpr bool isOnDevice = false;
#endif

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

#ifdef __NVPTX__
/// Calls each(i) for the i in [0, points) that are the running thread's: the grid's threads take
/// turns.
template <typename Each> void forPoints(int64_t points, Each each) {
  int64_t threads = __nvvm_read_ptx_sreg_ntid_x();
  int64_t first = __nvvm_read_ptx_sreg_ctaid_x() * threads + __nvvm_read_ptx_sreg_tid_x();
  for (int64_t i = first, all = __nvvm_read_ptx_sreg_nctaid_x() * threads; i < points; i += all)
    each(i);
}

/// Calls work.rows(0, row, row + 1) for the rows in [0, rows) that are the running thread's: for
/// code without scratch memory of a task.
template <typename Work> int32_t forRows(kiln_ctx *, int64_t rows, int64_t, Work &work) {
  forPoints(rows, [&](int64_t row) { work.rows(0, row, row + 1); });
  return KILN_OK;
}
#else
/// Calls work.rows(task, begin, end) for parts of [0, rows), in parallel unless there are too few
/// elements for it.
template <typename Work>
int32_t forRows(kiln_ctx *ctx, int64_t rows, int64_t elements, Work &work) {
  struct Closure {
    Work *work;
    int64_t rows, tasks;
  } closure = {&work, rows, least(rows, mostTasks)};
  if (elements < 8192 || closure.tasks < 2) {
    work.rows(0, 0, rows);
    return KILN_OK;
  }
  auto task = [](kiln_ctx *, int32_t index, void *opaque) -> int32_t {
    auto *c = static_cast<Closure *>(opaque);
    int64_t size = c->rows / c->tasks, rest = c->rows % c->tasks;
    int64_t begin = index * size + least(index, rest);
    c->work->rows(index, begin, begin + size + (index < rest));
    return KILN_OK;
  };
  return kiln_parallel_for(ctx, task, int32_t(closure.tasks), &closure);
}
#endif

} // namespace kiln::procedures

#endif // KILN_CODEGEN_PROCEDURES_TYPES_H
