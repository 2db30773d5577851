//===- Numbers.h - elements that procedures compute with -------*- C++ -*-===//
//
// Floats are computed in f64 and rounded once (ties to even; f8e4m3 saturates, as everywhere);
// integers in 64 bits, which wrap. A bool is a bit.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_PROCEDURES_NUMBERS_H
#define KILN_CODEGEN_PROCEDURES_NUMBERS_H

#include "codegen/procedures/Types.h"

namespace kiln::procedures {

/// A float of fewer bits than 32: `mantissa` bits behind the point, exponents around `bias`.
template <typename T, int mantissa, int bias, T most, bool saturates> struct NarrowNumber {
  using Bits = T;
  using Wide = double;
  static constexpr T sign = T(T(1) << (8 * sizeof(T) - 1));

  static double load(T bits) {
    T magnitude = T(bits & T(~sign));
    uint64_t wide;
    if (magnitude > most)
      wide = uint64_t(0x7ff8) << 48;
    else if (!saturates && magnitude == most)
      wide = uint64_t(0x7ff) << 52;
    else if (magnitude >> mantissa)
      wide = (uint64_t(magnitude) << (52 - mantissa)) + (uint64_t(1023 - bias) << 52);
    else // exact: a whole number of the least one
      wide = __builtin_bit_cast(uint64_t, double(magnitude) * leastOne());
    return __builtin_bit_cast(double, wide | (bits & sign ? uint64_t(1) << 63 : 0));
  }

  static T store(double value) {
    uint64_t wide = __builtin_bit_cast(uint64_t, value);
    T negative = wide >> 63 ? sign : T(0);
    wide &= ~(uint64_t(1) << 63);
    if (wide > uint64_t(0x7ff) << 52)
      return T(sign - 1); // the NaN of all ones
    uint64_t magnitude;
    if (wide >= uint64_t(1024 - bias) << 52) {
      magnitude = wide - (uint64_t(1023 - bias) << 52);
      constexpr int dropped = 52 - mantissa;
      magnitude += (uint64_t(1) << (dropped - 1)) - 1 + (magnitude >> dropped & 1);
      magnitude >>= dropped;
    } else { // rounded by the addition: the sum's last bit is the least one's
      double shift = leastOne() * double(uint64_t(1) << 52);
      double sum = __builtin_bit_cast(double, wide) + shift;
      magnitude = __builtin_bit_cast(uint64_t, sum) - __builtin_bit_cast(uint64_t, shift);
    }
    return T(negative | T(magnitude < most ? magnitude : most));
  }

private:
  static double leastOne() {
    return __builtin_bit_cast(double, uint64_t(1023 + 1 - bias - mantissa) << 52);
  }
};

template <typename T, typename Value> struct WideNumber {
  using Bits = T;
  using Wide = double;
  static double load(T bits) { return __builtin_bit_cast(Value, bits); }
  static T store(double value) { return __builtin_bit_cast(T, Value(value)); }
};

template <typename T, typename Value> struct Whole {
  using Bits = T;
  using Wide = uint64_t;
  static uint64_t load(T bits) { return uint64_t(int64_t(Value(bits))); }
  static T store(uint64_t value) { return T(value); }
};

/// Calls KILN_FOR(name, type) for each type of numbers.
#define KILN_FOR_NUMBERS(KILN_FOR)                                                                 \
  KILN_FOR(f64, (WideNumber<uint64_t, double>))                                                    \
  KILN_FOR(f32, (WideNumber<uint32_t, float>))                                                     \
  KILN_FOR(f16, (NarrowNumber<uint16_t, 10, 15, 0x7c00, false>))                                   \
  KILN_FOR(bf16, (NarrowNumber<uint16_t, 7, 127, 0x7f80, false>))                                  \
  KILN_FOR(f8e4m3, (NarrowNumber<uint8_t, 3, 7, 0x7e, true>))                                      \
  KILN_FOR(f8e5m2, (NarrowNumber<uint8_t, 2, 15, 0x7c, false>))                                    \
  KILN_FOR(i64, (Whole<uint64_t, int64_t>))                                                        \
  KILN_FOR(i32, (Whole<uint32_t, int32_t>))                                                        \
  KILN_FOR(i16, (Whole<uint16_t, int16_t>))                                                        \
  KILN_FOR(i8, (Whole<uint8_t, int8_t>))                                                           \
  KILN_FOR(u8, (Whole<uint8_t, uint8_t>))

} // namespace kiln::procedures

#endif // KILN_CODEGEN_PROCEDURES_NUMBERS_H
