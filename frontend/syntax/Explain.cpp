//===- Explain.cpp - the long form of errors ------------------------------===//
#include "frontend/syntax/Explain.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace llvm;

namespace kiln {

namespace {
struct Entry {
  unsigned number;
  StringLiteral name, title, explanation, wrong, right;
};
} // namespace

static constexpr Entry table[] = {
#define KILN_DIAGNOSTIC(code, number, name, title, explanation, wrong, right)                      \
  {number, name, title, explanation, wrong, right},
#include "frontend/syntax/Diagnostics.def"
};

static constexpr bool isSound() {
  unsigned last = 0;
  for (const Entry &entry : table) {
    bool hasText = entry.name.size() && entry.title.size() && entry.explanation.size();
    bool hasBoth = (entry.wrong.size() == 0) == (entry.right.size() == 0);
    if (entry.number <= last || entry.number > 9999 || !hasText || !hasBoth)
      return false;
    last = entry.number;
  }
  return true;
}
static_assert(isSound(), "numbers ascend, texts are not empty, examples come with corrections");

static const Entry &entryOf(DiagCode code) { return table[static_cast<int>(code)]; }

static std::string numberText(unsigned number) {
  std::string text;
  raw_string_ostream(text) << 'K' << format("%04u", number);
  return text;
}

StringRef name(DiagCode code) { return entryOf(code).name; }
std::string number(DiagCode code) { return numberText(entryOf(code).number); }

std::optional<DiagCode> findCode(StringRef text) {
  for (auto [i, entry] : enumerate(table))
    if (text.equals_insensitive(numberText(entry.number)) || text.equals_insensitive(entry.name))
      return static_cast<DiagCode>(i);
  return std::nullopt;
}

std::string nearestCode(StringRef text) {
  std::string upper = text.upper();
  SmallVector<std::string> numbers =
      map_to_vector(table, [](const Entry &entry) { return numberText(entry.number); });
  SmallVector<StringRef> names =
      map_to_vector(table, [](const Entry &e) -> StringRef { return e.name; });
  std::string hint = didYouMean(upper, SmallVector<StringRef>(numbers.begin(), numbers.end()));
  return hint.empty() ? didYouMean(text.lower(), names) : hint;
}

/// Breaks the text between words, into lines of at most 80 columns where that is possible.
static void printWrapped(raw_ostream &os, StringRef text) {
  constexpr size_t width = 80;
  size_t column = 0;
  for (StringRef word : split(text, ' ')) {
    bool isNew = column && column + 1 + word.size() > width;
    os << (isNew ? "\n" : column ? " " : "") << word;
    column = (isNew || !column ? 0 : column + 1) + word.size();
  }
  os << "\n";
}

/// Four blanks before each line: code to a reader and to Markdown alike.
static void printModel(raw_ostream &os, StringRef head, StringRef model) {
  os << "\n" << head << ":\n\n";
  for (StringRef line : split(model.rtrim('\n'), '\n'))
    os << "    " << line << "\n";
}

void explain(raw_ostream &os, DiagCode code) {
  const Entry &entry = entryOf(code);
  os << numberText(entry.number) << " " << entry.name << ": " << entry.title << "\n\n";
  printWrapped(os, entry.explanation);
  if (entry.wrong.empty())
    return;
  printModel(os, "Wrong", entry.wrong);
  printModel(os, "Right", entry.right);
}

void explainAll(raw_ostream &os) {
  os << "# Errors in model files\n\n";
  printWrapped(os, "Each error ends with its name and its number in brackets; 'kilnc --explain' "
                   "with either prints what stands here. Each wrong model is refused with its "
                   "number, each right one compiles.");
  for (size_t i = 0; i < std::size(table); ++i) {
    os << "\n## ";
    explain(os, static_cast<DiagCode>(i));
  }
}

} // namespace kiln
