//===- Text.cpp - pieces of messages --------------------------------------===//
#include "ir/Text.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"

using namespace llvm;

namespace kiln {

/// Bytes of the UTF-8 sequence at the front of `text`; 0 if it is malformed.
static unsigned sequenceLength(StringRef text) {
  const auto *begin = text.bytes_begin(), *end = text.bytes_end();
  unsigned length = getNumBytesForUTF8(*begin);
  return length <= static_cast<size_t>(end - begin) && isLegalUTF8Sequence(begin, begin + length)
             ? length
             : 0;
}

void appendPrintable(std::string &out, StringRef text) {
  while (!text.empty()) {
    unsigned length = sequenceLength(text);
    if (length == 0 || (length == 1 && !isPrint(text.front()))) {
      if (length == 1 && text.front() == '\t')
        out += ' ';
      else
        out += "\\x" + utohexstr(static_cast<uint8_t>(text.front()), /*LowerCase=*/true, 2);
      length = 1;
    } else {
      out += text.take_front(length);
    }
    text = text.drop_front(length);
  }
}

std::string inQuotes(StringRef text) {
  constexpr size_t longest = 60;
  std::string out = "'";
  bool cut = text.size() > longest;
  size_t size = std::min(text.size(), longest);
  while (cut && size && (text[size] & 0xC0) == 0x80) // not inside of a character
    --size;
  appendPrintable(out, text.take_front(size));
  return out + (cut ? "…'" : "'");
}

} // namespace kiln
