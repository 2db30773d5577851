//===- Profile.h - time per launch ------------------------------*- C++ -*-===//
#ifndef KILN_RUNTIME_PROFILE_H
#define KILN_RUNTIME_PROFILE_H

#include "runtime/kiln.h"

namespace kiln::rt {

/// Counts the time of each launch of each entry. The time between two ticks of a call belongs to
/// the launch that the first one announced, so the rows add up to the whole call.
class Profile {
public:
  /// Bytes of zeroed memory that begin() needs for a model.
  static size_t memoryBytes(const kiln_model &model);
  void begin(const kiln_model &model, void *memory);
  bool isOn() const { return rows != nullptr; }
  void startCall(int32_t entry) {
    current = rowsOf(entry);
    launch = -1;
  }
  /// Launch `index` begins; the number of launches at the end of the call.
  void tick(int32_t index);
  /// The same where a device has measured what the launch before has taken.
  void tick(int32_t index, int64_t nanoseconds);
  /// The launch that began last; -1 before the first one of a call.
  int32_t running() const { return launch; }
  kiln_profile_row *rowsOf(int32_t entry) const;

private:
  const kiln_model *model = nullptr;
  kiln_profile_row *rows = nullptr, *current = nullptr;
  int64_t last = 0;
  int32_t launch = -1;
};

} // namespace kiln::rt

#endif // KILN_RUNTIME_PROFILE_H
