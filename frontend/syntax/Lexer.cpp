//===- Lexer.cpp - text to tokens ------------------------------------------===//
#include "frontend/syntax/Lexer.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace kiln {

StringRef spelling(TokenKind kind) {
  switch (kind) {
  case TokenKind::End:
    return "end of file";
  case TokenKind::Newline:
    return "end of line";
  case TokenKind::Identifier:
    return "a name";
  case TokenKind::Integer:
    return "an integer";
  case TokenKind::Float:
    return "a number";
  case TokenKind::String:
    return "a string";
#define PUNCTUATION(kind, spelling)                                                                \
  case TokenKind::kind:                                                                            \
    return "'" spelling "'";
#define KEYWORD(spelling)                                                                          \
  case TokenKind::kw_##spelling:                                                                   \
    return "'" #spelling "'";
#include "frontend/syntax/Tokens.def"
  }
  return {};
}

std::optional<uint64_t> integerValue(StringRef text) {
  bool hex = text.size() > 1 && (text[1] == 'x' || text[1] == 'X');
  std::string digits;
  for (char c : hex ? text.drop_front(2) : text)
    if (c != '_')
      digits += c;
  uint64_t value = 0;
  if (digits.empty() || StringRef(digits).getAsInteger(hex ? 16 : 10, value) ||
      value > uint64_t(1) << 63)
    return std::nullopt;
  return value;
}

std::optional<double> floatValue(StringRef text) {
  std::string digits;
  for (char c : text)
    if (c != '_')
      digits += c;
  double value = 0;
  if (StringRef(digits).getAsDouble(value, /*AllowInexact=*/true) ||
      value > std::numeric_limits<double>::max())
    return std::nullopt;
  return value;
}

std::optional<std::string> stringValue(StringRef text) {
  std::string value;
  if (text.size() < 2 || text.back() != '"')
    return std::nullopt;
  text = text.drop_front().drop_back();
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\\') {
      c = StringSwitch<char>(text.substr(++i, 1))
              .Case("n", '\n')
              .Case("t", '\t')
              .Case("\\", '\\')
              .Case("\"", '"')
              .Default('\0');
      if (!c)
        return std::nullopt;
    }
    value += c;
  }
  return value;
}

namespace {

bool isNameStart(char c) { return isAlpha(c) || c == '_'; }
bool isNameChar(char c) { return isAlnum(c) || c == '_'; }

class Lexer {
public:
  Lexer(StringRef source, Diagnostics &diags) : rest(source), diags(diags) {}
  std::vector<Token> run();

private:
  StringRef rest; ///< what is not read yet
  Diagnostics &diags;
  std::vector<Token> tokens;
  SmallVector<Token, 16> open; ///< brackets not closed yet

  void lexNext();
  void lexLineEnd(size_t length);
  void lexName();
  void lexNumber();
  void lexString();
  bool lexPunctuation();
  void lexInvalid();
  void trackBracket(const Token &token);
  void emit(TokenKind kind, size_t length) {
    tokens.push_back({kind, rest.take_front(length)});
    rest = rest.drop_front(length);
  }
  void report(size_t length, DiagCode code, const Twine &message) {
    Token bad{TokenKind::End, rest.take_front(length)};
    diags.error(bad.range(), code, message);
  }
};

std::vector<Token> Lexer::run() {
  rest.consume_front("\xEF\xBB\xBF");
  while (!rest.empty() && !diags.isFull())
    lexNext();
  if (!open.empty())
    diags.error(open.front().range(), DiagCode::Unbalanced,
                inQuotes(open.front().text) + " is never closed");
  tokens.push_back({TokenKind::Newline, rest.take_front(0)});
  tokens.push_back({TokenKind::End, rest.take_front(0)});
  return std::move(tokens);
}

void Lexer::lexNext() {
  char c = rest.front();
  if (c == ' ' || c == '\t' || c == '\r') {
    rest = rest.drop_front();
  } else if (c == '\n' || c == ';') {
    lexLineEnd(1);
  } else if (c == '#') {
    StringRef comment = rest.take_until([](char c) { return c == '\n'; });
    const auto *at = comment.bytes_begin();
    if (comment.contains('\0') || !isLegalUTF8String(&at, comment.bytes_end()))
      report(comment.size(), DiagCode::InvalidCharacter,
             "a comment with a NUL byte or invalid UTF-8");
    rest = rest.drop_front(comment.size());
  } else if (isNameStart(c)) {
    lexName();
  } else if (isDigit(c)) {
    lexNumber();
  } else if (c == '"') {
    lexString();
  } else if (!lexPunctuation()) {
    lexInvalid();
  }
}

/// Whether an expression or declaration goes on after a line that ends with this token.
static bool continuesLine(TokenKind kind) {
  switch (kind) {
  case TokenKind::Comma:
  case TokenKind::Equal:
  case TokenKind::Arrow:
  case TokenKind::StarStar:
  case TokenKind::kw_not:
  case TokenKind::kw_as:
  case TokenKind::kw_in:
#define BINARY_OPERATOR(kind, spelling, precedence) case TokenKind::kind:
#include "frontend/syntax/Tokens.def"
    return true;
  default:
    return false;
  }
}

void Lexer::lexLineEnd(size_t length) {
  bool bracketed = !open.empty() && !open.back().is(TokenKind::LeftBrace);
  bool ends =
      rest.front() == ';' || (!bracketed && !tokens.empty() && !continuesLine(tokens.back().kind));
  if (ends && (tokens.empty() || !tokens.back().is(TokenKind::Newline)))
    return emit(TokenKind::Newline, length);
  rest = rest.drop_front(length);
}

void Lexer::lexName() {
  StringRef text = rest.take_while(isNameChar);
  TokenKind kind = StringSwitch<TokenKind>(text)
#define KEYWORD(spelling) .Case(#spelling, TokenKind::kw_##spelling)
#include "frontend/syntax/Tokens.def"
                       .Default(TokenKind::Identifier);
  emit(kind, text.size());
}

/// Length of digits with single underscores between them; 0 if `text` begins with none.
template <typename IsDigit> static size_t digitsLength(StringRef text, IsDigit isDigitOf) {
  size_t i = 0;
  while (i < text.size() && (isDigitOf(text[i]) || (text[i] == '_' && i && i + 1 < text.size() &&
                                                    isDigitOf(text[i + 1]))))
    ++i;
  return i;
}

void Lexer::lexNumber() {
  constexpr size_t longest = 100;
  TokenKind kind = TokenKind::Integer;
  size_t size;
  if (rest.starts_with_insensitive("0x")) {
    size = 2 + digitsLength(rest.drop_front(2), [](char c) { return isHexDigit(c); });
  } else {
    auto decimal = [](char c) { return isDigit(c); };
    size = digitsLength(rest, decimal);
    // "1." and "1.5" are floats, "x.0.weight" and "0...": not.
    char next = 'x';
    if (rest.substr(size).starts_with("."))
      next = size + 1 < rest.size() ? rest[size + 1] : ' ';
    if (isDigit(next) || (!isNameChar(next) && next != '.')) {
      kind = TokenKind::Float;
      size += 1 + digitsLength(rest.substr(size + 1), decimal);
    }
    if (rest.substr(size).starts_with_insensitive("e")) {
      size_t sign = rest.substr(size + 1, 1).find_first_of("+-") == 0;
      if (size_t exponent = digitsLength(rest.substr(size + 1 + sign), decimal)) {
        kind = TokenKind::Float;
        size += 1 + sign + exponent;
      }
    }
  }
  size_t whole = size + rest.substr(size).take_while(isNameChar).size();
  StringRef text = rest.take_front(whole);
  bool leadingZero =
      kind == TokenKind::Integer && text.size() > 1 && text[0] == '0' && isDigit(text[1]);
  if (whole != size || leadingZero || size > longest || text.equals_insensitive("0x"))
    report(whole, DiagCode::InvalidNumber, "malformed number " + inQuotes(text));
  else if (kind == TokenKind::Integer ? !integerValue(text) : !floatValue(text))
    report(whole, DiagCode::InvalidNumber,
           "number " + inQuotes(text) + " is out of range of " +
               (kind == TokenKind::Integer ? "i64" : "f64"));
  else
    return emit(kind, whole);
  // The parser goes on with a number in its place (and takes one that has no value for 0).
  emit(TokenKind::Integer, whole);
}

void Lexer::lexString() {
  size_t size = 1;
  while (size < rest.size() && rest[size] != '"' && rest[size] != '\n')
    size += rest[size] == '\\' && size + 1 < rest.size() && rest[size + 1] != '\n' ? 2 : 1;
  size = std::min(size, rest.size());
  if (size == rest.size() || rest[size] == '\n') {
    report(size, DiagCode::InvalidString, "a string must end on its line, expected '\"'");
    return emit(TokenKind::String, size);
  }
  StringRef text = rest.take_front(size + 1);
  const auto *at = text.bytes_begin();
  if (text.contains('\0') || !isLegalUTF8String(&at, text.bytes_end()))
    report(text.size(), DiagCode::InvalidCharacter, "a string with a NUL byte or invalid UTF-8");
  else if (!stringValue(text))
    report(text.size(), DiagCode::InvalidString,
           "unknown escape in a string, expected one of '\\n', '\\t', '\\\\', '\\\"'");
  emit(TokenKind::String, text.size());
}

bool Lexer::lexPunctuation() {
#define PUNCTUATION(kind, spelling)                                                                \
  if (rest.starts_with(spelling)) {                                                                \
    emit(TokenKind::kind, sizeof(spelling) - 1);                                                   \
    trackBracket(tokens.back());                                                                   \
    return true;                                                                                   \
  }
#include "frontend/syntax/Tokens.def"
  return false;
}

void Lexer::trackBracket(const Token &token) {
  TokenKind opener;
  switch (token.kind) {
  case TokenKind::LeftParen:
  case TokenKind::LeftBracket:
  case TokenKind::LeftBrace:
    open.push_back(token);
    return;
  case TokenKind::RightParen:
    opener = TokenKind::LeftParen;
    break;
  case TokenKind::RightBracket:
    opener = TokenKind::LeftBracket;
    break;
  case TokenKind::RightBrace:
    opener = TokenKind::LeftBrace;
    break;
  default:
    return;
  }
  if (!open.empty() && open.back().is(opener)) {
    open.pop_back();
    return;
  }
  auto &error = diags.error(token.range(), DiagCode::Unbalanced,
                            open.empty() ? inQuotes(token.text) + " closes no bracket"
                                         : "expected the end of " + inQuotes(open.back().text) +
                                               ", got " + inQuotes(token.text));
  if (!open.empty())
    error.note(open.back().range(), inQuotes(open.back().text) + " is here");
  // A brace ends everything up to its own opener; other brackets are passed over.
  while (token.is(TokenKind::RightBrace) && !open.empty() && open.pop_back_val().kind != opener)
    ;
}

void Lexer::lexInvalid() {
  unsigned length = getNumBytesForUTF8(rest.bytes_begin()[0]);
  if (rest.front() == '\0') {
    length = rest.take_while([](char c) { return c == '\0'; }).size();
    report(length, DiagCode::InvalidCharacter, "a NUL byte");
  } else if (length > rest.size() ||
             !isLegalUTF8Sequence(rest.bytes_begin(), rest.bytes_begin() + length)) {
    length = 1;
    report(length, DiagCode::InvalidCharacter, "invalid UTF-8");
  } else if (rest.front() == '\'') {
    report(length, DiagCode::InvalidCharacter, "unexpected character, strings stand in '\"'");
    // What is meant is one string, whatever stands in it.
    StringRef line = rest.take_until([](char c) { return c == '\n'; });
    if (size_t end = line.find('\'', 1); end != StringRef::npos)
      return emit(TokenKind::String, end + 1);
  } else {
    StringRef help = StringSwitch<StringRef>(rest.take_front(length))
                         .Cases({"~", "!"}, ", 'not' inverts bools and 'x ^ -1' integers")
                         .Case(";", ", a statement ends with its line")
                         .Case("?", ", a choice is written 'a if condition else b'")
                         .Default(length > 1 ? ", names are ASCII" : "");
    report(length, DiagCode::InvalidCharacter,
           "unexpected character " + inQuotes(rest.take_front(length)) + help.str());
  }
  rest = rest.drop_front(length);
}

} // namespace

std::vector<Token> lex(unsigned bufferId, Diagnostics &diags) {
  const MemoryBuffer *buffer = diags.sourceManager().getMemoryBuffer(bufferId);
  if (buffer->getBufferSize() > maxSourceSize) {
    SMLoc start = SMLoc::getFromPointer(buffer->getBufferStart());
    diags.error(start, DiagCode::FileTooLarge, "expected a model file of at most 4 MiB");
    return Lexer(buffer->getBuffer().take_front(0), diags).run();
  }
  return Lexer(buffer->getBuffer(), diags).run();
}

} // namespace kiln
