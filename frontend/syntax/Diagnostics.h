//===- Diagnostics.h - errors in model files ------------------*- C++ -*-===//
//
// Collects errors with places in the user's files, so that one run reports several, sorted.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_SYNTAX_DIAGNOSTICS_H
#define KILN_FRONTEND_SYNTAX_DIAGNOSTICS_H

#include "ir/Text.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/SMLoc.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>
#include <string>
#include <vector>

namespace kiln {

enum class DiagCode : uint8_t {
#define KILN_DIAGNOSTIC(code, ...) code,
#include "frontend/syntax/Diagnostics.def"
};

/// The name of a code as printed ("unexpected-token").
llvm::StringRef name(DiagCode code);
/// The number of a code as printed ("K0206"); it never changes.
std::string number(DiagCode code);
/// The candidate most like `name`, if one is near enough to be meant; empty otherwise.
llvm::StringRef nearest(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> candidates);
/// ", did you mean 'x'", or nothing.
std::string didYouMean(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> candidates);

/// The errors of one run. A range may be empty (a point); a range without a place is printed
/// without file and line.
class Diagnostics {
public:
  static constexpr unsigned defaultLimit = 20;

  explicit Diagnostics(llvm::SourceMgr &sources, unsigned limit = defaultLimit)
      : sources(sources), limit(limit) {}

  struct Note {
    llvm::SMRange range;
    std::string message;
  };
  struct Error {
    DiagCode code;
    llvm::SMRange range;
    std::string message;
    std::vector<Note> notes;
    Error &note(llvm::SMRange where, const llvm::Twine &text);
  };

  /// Records an error; the reference takes notes and is valid until the next error. Beyond the
  /// limit errors are counted, not kept; a second error at the same place is dropped.
  Error &error(llvm::SMRange where, DiagCode code, const llvm::Twine &message);
  Error &error(llvm::SMLoc where, DiagCode code, const llvm::Twine &message) {
    return error(llvm::SMRange(where, where), code, message);
  }

  bool hasErrors() const { return count != 0; }
  unsigned numErrors() const { return count; }
  bool isFull() const { return errors.size() >= limit; }
  /// Kept errors, sorted by file (in the order of loading) and place.
  std::vector<Error> sorted() const;
  /// Writes all errors with their source lines: "file:line:column: error: message [name] [K0206]".
  void print(llvm::raw_ostream &os) const;
  /// Writes the same as objects of JSON, one a line (DiagnosticsJson.h).
  void printJson(llvm::raw_ostream &os) const;
  llvm::SourceMgr &sourceManager() const { return sources; }

private:
  llvm::SourceMgr &sources;
  unsigned limit, count = 0;
  std::vector<Error> errors;
  Error dropped;

  void printOne(llvm::raw_ostream &os, llvm::StringRef kind, llvm::SMRange range,
                const llvm::Twine &message) const;
};

/// Largest model file that is read, in bytes.
inline constexpr uint64_t maxSourceSize = uint64_t(4) << 20;

/// Loads a file into the manager of `diags` and returns its buffer id; reports why not otherwise
/// (at `from`, the import that names it, if it is valid).
std::optional<unsigned> openSource(llvm::StringRef path, Diagnostics &diags,
                                   llvm::SMRange from = llvm::SMRange());

} // namespace kiln

#endif // KILN_FRONTEND_SYNTAX_DIAGNOSTICS_H
