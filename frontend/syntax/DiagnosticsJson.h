//===- DiagnosticsJson.h - errors for other programs -----------*- C++ -*-===//
#ifndef KILN_FRONTEND_SYNTAX_DIAGNOSTICSJSON_H
#define KILN_FRONTEND_SYNTAX_DIAGNOSTICSJSON_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace kiln {

/// A place as in the text form: lines and columns (of bytes) from 1, the end exclusive. Without a
/// file it is none; without an end line the end is not known.
struct JsonPlace {
  std::string file;
  unsigned line = 0, column = 0, endLine = 0, endColumn = 0;
};

struct JsonDiagnostic {
  struct Note {
    JsonPlace place;
    std::string message;
  };
  JsonPlace place;
  std::string severity = "error";
  std::string code, name; ///< empty: null
  std::string message;
  std::vector<Note> notes;

  /// One object on one line: file, line, column, end {line, column}, severity, code, name, message,
  /// notes [{file, line, column, end, message}]; what there is not is null.
  void print(llvm::raw_ostream &os) const;
};

} // namespace kiln

#endif // KILN_FRONTEND_SYNTAX_DIAGNOSTICSJSON_H
