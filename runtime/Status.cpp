//===- Status.cpp - texts of failures -------------------------------------===//
#include "runtime/Status.h"

namespace kiln::rt {

TextWriter::TextWriter(char *buffer, size_t size) : buffer(buffer), size(buffer ? size : 0) {
  if (this->size)
    buffer[0] = 0;
}

TextWriter &TextWriter::operator<<(const char *text) {
  while (*text && length + 1 < size)
    buffer[length++] = *text++;
  if (size)
    buffer[length] = 0;
  return *this;
}

TextWriter &TextWriter::operator<<(int64_t number) {
  char digits[24];
  char *at = digits + sizeof(digits);
  *--at = 0;
  uint64_t rest = number < 0 ? 0 - uint64_t(number) : uint64_t(number);
  do
    *--at = char('0' + rest % 10);
  while (rest /= 10);
  if (number < 0)
    *--at = '-';
  return *this << static_cast<const char *>(at);
}

const char *describe(kiln_status status) {
  switch (status) {
  case KILN_OK:
    return "no error";
  case KILN_INVALID_ARGUMENT:
    return "invalid argument";
  case KILN_TOO_LARGE:
    return "too large";
  case KILN_OUT_OF_MEMORY:
    return "out of memory";
  case KILN_CANCELLED:
    return "the call was cancelled";
  case KILN_INDEX_OUT_OF_RANGE:
    return "an index is out of range";
  case KILN_DEVICE_FAILED:
    return "the GPU failed";
  default:
    return "a kernel failed";
  }
}

} // namespace kiln::rt
