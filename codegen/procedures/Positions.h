//===- Positions.h - indices along an extent -------------------*- C++ -*-===//
#ifndef KILN_CODEGEN_PROCEDURES_POSITIONS_H
#define KILN_CODEGEN_PROCEDURES_POSITIONS_H

#include "codegen/procedures/Types.h"

namespace kiln::procedures {

/// Positions of any type of integers, whose bytes and sign the kernel's constants tell.
struct Positions {
  const void *data;
  int64_t count, extent, bytes;
  bool isSigned;

  /// -1: none.
  int64_t operator[](int64_t i) const {
    int64_t index = bytes == 8   ? static_cast<const int64_t *>(data)[i]
                    : bytes == 4 ? static_cast<const int32_t *>(data)[i]
                    : bytes == 2 ? static_cast<const int16_t *>(data)[i]
                    : isSigned   ? static_cast<const int8_t *>(data)[i]
                                 : static_cast<const uint8_t *>(data)[i];
    if (index < 0)
      index += extent;
    return index < 0 || index >= extent ? -1 : index;
  }
};

} // namespace kiln::procedures

#endif // KILN_CODEGEN_PROCEDURES_POSITIONS_H
