//===- Diagnostics.cpp - errors in model files -----------------------------===//
#include "frontend/syntax/Diagnostics.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>

using namespace llvm;

namespace kiln {

StringRef nearest(StringRef name, ArrayRef<StringRef> candidates) {
  constexpr size_t longest = 100; // the distance costs the product of the lengths
  if (name.size() > longest)
    return {};
  unsigned best = (name.size() + 2) / 3 + 1;
  StringRef found;
  for (StringRef candidate : candidates) {
    if (candidate.size() > longest || candidate == name)
      continue;
    unsigned distance = name.edit_distance(candidate, /*AllowReplacements=*/true, best);
    if (distance < best && distance < std::max(name.size(), candidate.size())) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string didYouMean(StringRef name, ArrayRef<StringRef> candidates) {
  StringRef found = nearest(name, candidates);
  return found.empty() ? std::string() : ", did you mean " + inQuotes(found);
}

Diagnostics::Error &Diagnostics::Error::note(SMRange where, const Twine &text) {
  notes.push_back({where, text.str()});
  return *this;
}

Diagnostics::Error &Diagnostics::error(SMRange where, DiagCode code, const Twine &message) {
  if (where.isValid() &&
      any_of(errors, [&](const Error &error) { return error.range.Start == where.Start; })) {
    dropped = {};
    return dropped;
  }
  ++count;
  if (isFull()) {
    dropped = {};
    return dropped;
  }
  errors.push_back({code, where, message.str(), {}});
  return errors.back();
}

std::vector<Diagnostics::Error> Diagnostics::sorted() const {
  auto key = [&](const Error &error) {
    SMLoc at = error.range.Start;
    unsigned buffer = at.isValid() ? sources.FindBufferContainingLoc(at) : 0;
    return std::pair(buffer, at.getPointer());
  };
  std::vector<Error> result = errors;
  std::stable_sort(result.begin(), result.end(),
                   [&](const Error &a, const Error &b) { return key(a) < key(b); });
  return result;
}

void Diagnostics::printOne(raw_ostream &os, StringRef kind, SMRange range,
                           const Twine &message) const {
  unsigned buffer = range.isValid() ? sources.FindBufferContainingLoc(range.Start) : 0;
  if (!buffer) {
    os << kind << ": " << message << '\n';
    return;
  }
  const MemoryBuffer *file = sources.getMemoryBuffer(buffer);
  auto [line, column] = sources.getLineAndColumn(range.Start, buffer);
  os << file->getBufferIdentifier() << ':' << line << ':' << column << ": " << kind << ": "
     << message << '\n';

  // The source line, or of a long one a window around the place.
  constexpr size_t before = 80, after = 60;
  const char *at = range.Start.getPointer();
  StringRef head(file->getBufferStart(), at - file->getBufferStart());
  head = head.substr(head.rfind('\n') + 1).take_back(before);
  StringRef tail(at, file->getBufferEnd() - at);
  tail = tail.take_until([](char c) { return c == '\n'; }).take_front(after).rtrim("\r");
  while (!head.empty() && (head.front() & 0xC0) == 0x80)
    head = head.drop_front();
  std::string text;
  appendPrintable(text, head);
  int width = static_cast<int>(count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
  appendPrintable(text, tail);
  size_t length = std::min<size_t>(std::max<ptrdiff_t>(range.End.getPointer() - at, 1),
                                   std::max<size_t>(tail.size(), 1));
  os << "  " << text << '\n';
  os.indent(2 + width) << '^' << std::string(length - 1, '~') << '\n';
}

void Diagnostics::print(raw_ostream &os) const {
  for (const Error &error : sorted()) {
    printOne(os, "error", error.range,
             error.message + " [" + name(error.code) + "] [" + number(error.code) + "]");
    for (const Note &note : error.notes)
      printOne(os, "note", note.range, note.message);
  }
  if (count > errors.size())
    os << "error: " << count - errors.size() << " more errors are not shown\n";
}

std::optional<unsigned> openSource(StringRef path, Diagnostics &diags, SMRange from) {
  auto fail = [&](DiagCode code, const Twine &reason) {
    diags.error(from, code, "cannot read " + inQuotes(path) + ": " + reason);
    return std::nullopt;
  };
  auto tooLarge = [&](uint64_t size) {
    return fail(DiagCode::FileTooLarge, "expected at most 4 MiB, got " + Twine(size) +
                                            " bytes; weights are given by '--weights'");
  };
  sys::fs::file_status status;
  if (path == "-")
    status = sys::fs::file_status(sys::fs::file_type::fifo_file);
  else if (std::error_code error = sys::fs::status(path, status))
    return fail(DiagCode::FileUnreadable, error.message());
  if (sys::fs::is_directory(status))
    return fail(DiagCode::FileUnreadable, "it is a directory");
  if (status.type() == sys::fs::file_type::regular_file && status.getSize() > maxSourceSize)
    return tooLarge(status.getSize());
  bool isPipe = status.type() == sys::fs::file_type::fifo_file;
  if (status.type() != sys::fs::file_type::regular_file && !isPipe)
    return fail(DiagCode::FileUnreadable, "it is neither a file nor a pipe");
  auto buffer = path == "-" ? MemoryBuffer::getSTDIN()
                            : MemoryBuffer::getFile(path, /*IsText=*/false,
                                                    /*RequiresNullTerminator=*/true,
                                                    /*IsVolatile=*/true);
  if (!buffer)
    return fail(DiagCode::FileUnreadable, buffer.getError().message());
  if ((*buffer)->getBufferSize() > maxSourceSize)
    return tooLarge((*buffer)->getBufferSize());
  return diags.sourceManager().AddNewSourceBuffer(std::move(*buffer), from.Start);
}

} // namespace kiln
