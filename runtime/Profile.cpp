//===- Profile.cpp - time per launch --------------------------------------===//
#include "runtime/Profile.h"

#include "runtime/Libc.h"

namespace kiln::rt {

size_t Profile::memoryBytes(const kiln_model &model) {
  size_t launches = 0;
  for (int32_t i = 0; i < model.num_entries; ++i)
    launches += size_t(model.entries[i].num_launches);
  return launches * sizeof(kiln_profile_row);
}

void Profile::begin(const kiln_model &newModel, void *memory) {
  model = &newModel;
  rows = static_cast<kiln_profile_row *>(memory);
}

kiln_profile_row *Profile::rowsOf(int32_t entry) const {
  kiln_profile_row *row = rows;
  for (int32_t i = 0; i < entry; ++i)
    row += model->entries[i].num_launches;
  return row;
}

void Profile::tick(int32_t index) {
  int64_t now = libc::now();
  tick(index, now - last);
  last = now;
}

void Profile::tick(int32_t index, int64_t nanoseconds) {
  if (launch >= 0) {
    current[launch].calls += 1;
    current[launch].nanoseconds += nanoseconds;
  }
  launch = index;
}

} // namespace kiln::rt
