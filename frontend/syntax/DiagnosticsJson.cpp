//===- DiagnosticsJson.cpp - errors for other programs --------------------===//
#include "frontend/syntax/DiagnosticsJson.h"

#include "frontend/syntax/Diagnostics.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;
using namespace kiln;

/// Paths may hold any bytes.
static json::Value textOrNull(StringRef text) {
  return text.empty() ? json::Value(nullptr) : json::Value(json::fixUTF8(text));
}

static json::Value numberOrNull(unsigned number) {
  return number ? json::Value(number) : json::Value(nullptr);
}

static void writePlace(json::OStream &out, const JsonPlace &place) {
  out.attribute("file", textOrNull(place.file));
  out.attribute("line", numberOrNull(place.line));
  out.attribute("column", numberOrNull(place.column));
  if (!place.endLine)
    return out.attribute("end", nullptr);
  out.attributeObject("end", [&] {
    out.attribute("line", place.endLine);
    out.attribute("column", place.endColumn);
  });
}

void JsonDiagnostic::print(raw_ostream &os) const {
  json::OStream out(os);
  out.object([&] {
    writePlace(out, place);
    out.attribute("severity", severity);
    out.attribute("code", textOrNull(code));
    out.attribute("name", textOrNull(name));
    out.attribute("message", json::fixUTF8(message));
    out.attributeArray("notes", [&] {
      for (const Note &note : notes)
        out.object([&] {
          writePlace(out, note.place);
          out.attribute("message", json::fixUTF8(note.message));
        });
    });
  });
  out.flush();
  os << '\n';
}

static JsonPlace placeOf(const SourceMgr &sources, SMRange range) {
  unsigned buffer = range.isValid() ? sources.FindBufferContainingLoc(range.Start) : 0;
  if (!buffer)
    return {};
  auto [line, column] = sources.getLineAndColumn(range.Start, buffer);
  auto [endLine, endColumn] = sources.getLineAndColumn(range.End, buffer);
  return {sources.getMemoryBuffer(buffer)->getBufferIdentifier().str(), line, column, endLine,
          endColumn};
}

void Diagnostics::printJson(raw_ostream &os) const {
  for (const Error &error : sorted()) {
    JsonDiagnostic object;
    object.place = placeOf(sources, error.range);
    object.code = number(error.code);
    object.name = name(error.code).str();
    object.message = error.message;
    for (const Note &note : error.notes)
      object.notes.push_back({placeOf(sources, note.range), note.message});
    object.print(os);
  }
  if (count > errors.size()) {
    JsonDiagnostic rest;
    rest.message = std::to_string(count - errors.size()) + " more errors are not shown";
    rest.print(os);
  }
}
