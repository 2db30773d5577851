//===- Find.cpp - positions of what is true -------------------------------===//

#include "codegen/procedures/Types.h"

extern "C" int32_t kiln_find_bool(kiln_ctx *, void *const *bufs, const int64_t *sizes) {
  auto *mask = static_cast<const uint8_t *>(bufs[0]);
  auto *positions = static_cast<int64_t *>(bufs[1]);
  int64_t count = 0;
  for (int64_t i = 0; i < sizes[0]; ++i) { // no branch: what does not count is overwritten
    positions[count] = i;
    count += mask[i] != 0;
  }
  for (int64_t i = count; i < sizes[0]; ++i)
    positions[i] = 0;
  *static_cast<int64_t *>(bufs[2]) = count;
  return KILN_OK;
}
