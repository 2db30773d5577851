//===- NumberBlock.h - numbers of fewer bits than a byte -------*- C++ -*-===//
//
// Numbers follow each other in the bits of bytes, from the lowest bit of the first byte on. A block
// is as few of them as fill whole bytes: two of 4 bits in one, eight of 3 bits in three.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_IR_NUMBERBLOCK_H
#define KILN_IR_NUMBERBLOCK_H

#include <cstdint>
#include <numeric>

namespace kiln::ir {

struct NumberBlock {
  int64_t bits;
  int64_t numbers() const { return std::lcm(bits, int64_t(8)) / bits; }
  int64_t bytes() const { return std::lcm(bits, int64_t(8)) / 8; }
  /// Of a number of positions that whole blocks fill.
  int64_t bytesOf(int64_t count) const { return count * bits / 8; }
  int64_t mask() const { return (int64_t(1) << bits) - 1; }
  int64_t low(bool isSigned) const { return isSigned ? -(mask() + 1) / 2 : 0; }
  int64_t high(bool isSigned) const { return low(isSigned) + mask(); }
  /// The highest bit of each number of a block.
  int64_t highestBits() const {
    int64_t result = 0;
    for (int64_t i = 1; i <= numbers(); ++i)
      result |= int64_t(1) << (bits * i - 1);
    return result;
  }
  /// The i-th number of a block whose bytes are one integer, the first lowest.
  int64_t numberIn(uint64_t block, int64_t i, bool isSigned) const {
    int64_t number = static_cast<int64_t>(block >> (bits * i)) & mask();
    return number > high(isSigned) ? number - mask() - 1 : number;
  }
};

} // namespace kiln::ir

#endif // KILN_IR_NUMBERBLOCK_H
