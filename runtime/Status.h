//===- Status.h - texts of failures -----------------------------*- C++ -*-===//
#ifndef KILN_RUNTIME_STATUS_H
#define KILN_RUNTIME_STATUS_H

#include "runtime/kiln.h"

namespace kiln::rt {

/// Appends text to a buffer of fixed size; what does not fit is cut off. The buffer is always
/// terminated. A null or empty buffer swallows everything.
class TextWriter {
public:
  TextWriter(char *buffer, size_t size);
  TextWriter &operator<<(const char *text);
  TextWriter &operator<<(int64_t number);

private:
  char *buffer;
  size_t size, length = 0;
};

/// The sentence of a status a kernel returned.
const char *describe(kiln_status status);

} // namespace kiln::rt

#endif // KILN_RUNTIME_STATUS_H
