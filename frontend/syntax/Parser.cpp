//===- Parser.cpp - files and declarations ---------------------------------===//
#include "frontend/syntax/Parser.h"
#include "frontend/syntax/ParserImpl.h"
#include "frontend/syntax/Suggest.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace kiln {

using namespace ast;

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

bool Parser::accept(TokenKind kind) {
  bool found = at(kind);
  if (found)
    advance();
  return found;
}

bool Parser::acceptWord(StringRef word) {
  bool found = atWord(word);
  if (found)
    advance();
  return found;
}

bool Parser::reportUnexpected(const Twine &expected, SMRange opener, const Twine &note) {
  const Token &token = current();
  // Characters that the lexer has refused may have been what is missing here.
  if (position) {
    const char *end = previous().range().End.getPointer();
    StringRef between(end, token.loc().getPointer() - end);
    if (!between.take_until([](char c) { return c == '#' || c == '\n'; }).trim().empty())
      return false;
  }
  bool named = token.is(TokenKind::End) || token.is(TokenKind::Newline);
  auto &error = diags.error(
      named ? SMRange(token.loc(), token.loc()) : token.range(), DiagCode::UnexpectedToken,
      "expected " + expected + ", got " +
          (named ? spelling(token.kind).str() : inQuotes(token.text)) + keywordHint());
  if (opener.isValid())
    error.note(opener, note);
  return false;
}

/// ", did you mean 'return'" or "; write 'x = x + ...'", if the token here or the one before it is
/// nearly a reserved word.
std::string Parser::keywordHint() const {
  auto meant = [](const Token &token) {
    bool isType = is_contained({"int", "str", "dtype"}, token.text);
    return token.is(TokenKind::Identifier) && !isType ? meantKeyword(token.text) : StringRef();
  };
  if (current().is(TokenKind::Equal) && position &&
      StringRef("+-*/%@|^&**//<<>>").contains(previous().text))
    return ("; '" + previous().text + "=' is written 'x = x " + previous().text + " ...'").str();
  if (current().text == "is")
    return peek().text == "not" ? "; 'is not' is written '!='" : "; 'is' is written '=='";
  bool isDoubled = position && previous().endLoc() == current().loc();
  if (isDoubled && current().text == previous().text && StringRef("&|").contains(current().text))
    return std::string("; '") + previous().text.str() + previous().text.str() + "' is written '" +
           (current().text == "&" ? "and'" : "or'");
  if (StringRef word = meant(current()); !word.empty())
    return ", did you mean " + inQuotes(word);
  StringRef word = position ? meant(previous()) : StringRef();
  return word.empty() ? std::string()
                      : ", did you mean " + inQuotes(word) + " by " + inQuotes(previous().text);
}

bool Parser::expect(TokenKind kind, StringRef where) {
  return accept(kind) || reportUnexpected(spelling(kind) + " " + where);
}

bool Parser::expectName(Ident &name, StringRef what) {
  if (current().isKeyword()) {
    diags.error(current().range(), DiagCode::ReservedName,
                "expected " + what + ", got the reserved word " + inQuotes(current().text));
    return false;
  }
  if (!at(TokenKind::Identifier))
    return reportUnexpected(what);
  name = {current().text, current().range()};
  advance();
  return true;
}

/// Members and named arguments may be called by reserved words: published weights are.
bool Parser::expectMemberName(Ident &name, StringRef what) {
  if (!current().isKeyword())
    return expectName(name, what);
  name = {current().text, current().range()};
  advance();
  return true;
}

/// A member's name goes on with `{number}`, and a name behind that, if no blank is between.
void Parser::takeNumbers(Ident &name) {
  auto touches = [&](size_t ahead) {
    return peek(ahead).loc() == (ahead ? peek(ahead - 1) : previous()).endLoc();
  };
  while (at(TokenKind::LeftBrace) && peek(1).is(TokenKind::Identifier) &&
         peek(2).is(TokenKind::RightBrace) && touches(0) && touches(1) && touches(2)) {
    for (int i = 0; i < 3; ++i)
      advance();
    if (at(TokenKind::Identifier) && touches(0))
      advance();
    name.range.End = previous().endLoc();
    name.text = StringRef(name.text.data(), name.range.End.getPointer() - name.text.data());
  }
}

void Parser::skipNewlines() {
  while (accept(TokenKind::Newline))
    ;
}

/// Whether the token begins a line with a word that only a declaration begins with.
static bool beginsDeclaration(const Token &previous, const Token &token) {
  switch (token.kind) {
  case TokenKind::kw_fn:
  case TokenKind::kw_layer:
  case TokenKind::kw_model:
  case TokenKind::kw_param: {
    const char *end = previous.text.end();
    return previous.is(TokenKind::Newline) ||
           StringRef(end, token.text.begin() - end).contains('\n');
  }
  default:
    return false;
  }
}

/// Goes to the end of a statement in error: past its blocks, before the brace that closes the block
/// it stands in, and not over a declaration. At least one token is taken already.
void Parser::skipStatement() {
  for (unsigned braces = 0; !at(TokenKind::End); advance()) {
    if (at(TokenKind::LeftBrace)) {
      ++braces;
    } else if (at(TokenKind::RightBrace)) {
      if (braces == 0)
        return;
      --braces;
    } else if (braces == 0 &&
               (at(TokenKind::Newline) || beginsDeclaration(previous(), current()))) {
      return;
    }
  }
}

bool Parser::checkDepth() {
  if (depth <= maxDepth)
    return true;
  diags.error(current().loc(), DiagCode::TooDeep,
              "expected at most " + Twine(maxDepth) + " levels of nesting");
  return false;
}

bool Parser::parseList(TokenKind closer, StringRef where, function_ref<bool()> item) {
  const Token &opener = previous();
  while (!at(closer)) {
    if (!item())
      return false;
    if (!accept(TokenKind::Comma))
      break;
  }
  return accept(closer) || reportUnexpected("',' or " + spelling(closer) + " " + where,
                                            opener.range(), inQuotes(opener.text) + " is here");
}

//===----------------------------------------------------------------------===//
// Declarations of a file
//===----------------------------------------------------------------------===//

File Parser::parseFile() {
  Stmts decls;
  while (true) {
    parseStmts(Scope::File, decls);
    if (at(TokenKind::End) || diags.isFull())
      return {bufferId, arena.copy(ArrayRef<const Stmt *>(decls))};
    advance(); // a stray '}', which the lexer has reported
  }
}

/// A declaration that may stand in the scope; null after an error, or if none begins here (then no
/// token is taken).
const Stmt *Parser::parseDecl(Scope scope) {
  if (scope == Scope::File && at(TokenKind::kw_private) && peek().isKeyword()) {
    switch (peek().kind) {
    case TokenKind::kw_const:
      advance();
      return parseConst(/*isPrivate=*/true);
    case TokenKind::kw_layer:
      advance();
      return parseLayer(/*isPrivate=*/true);
    case TokenKind::kw_fn:
      return parseFn();
    default:
      break;
    }
  }
  bool inLayer = scope == Scope::Layer || scope == Scope::Model, inFile = scope == Scope::File;
  switch (current().kind) {
  case TokenKind::kw_import:
    return inFile ? parseImport() : nullptr;
  case TokenKind::kw_const:
    return inFile ? parseConst() : nullptr;
  case TokenKind::kw_layer:
  case TokenKind::kw_model:
    return inFile ? parseLayer() : nullptr;
  case TokenKind::kw_recipe:
    return inFile ? parseRecipe() : nullptr;
  case TokenKind::kw_fn:
    return inFile || inLayer ? parseFn() : nullptr;
  case TokenKind::kw_private:
    return inLayer ? parseFn() : nullptr;
  case TokenKind::kw_param:
  case TokenKind::kw_buffer:
  case TokenKind::kw_state:
    return inLayer ? parseMember() : nullptr;
  case TokenKind::kw_ignore:
    return inLayer ? parseIgnore() : nullptr;
  case TokenKind::kw_tie:
    return inLayer ? parseTie() : nullptr;
  default:
    return nullptr;
  }
}

const Stmt *Parser::parseImport() {
  SMLoc start = current().loc();
  advance();
  Ident path, name;
  bool isFile = at(TokenKind::String);
  if (isFile) {
    path = {arena.copy(StringRef(stringValue(current().text).value_or(""))), current().range()};
    advance();
  } else if (!expectName(path, "a module's name or a file in quotes after 'import'")) {
    return nullptr;
  }
  name = path;
  if (accept(TokenKind::kw_as)) {
    if (!expectName(name, "a name after 'as'"))
      return nullptr;
  } else if (isFile) {
    reportUnexpected("'as' and a name after the imported file");
    return nullptr;
  }
  return arena.make<ImportDecl>(StmtOf<Stmt::Kind::Import>{{Stmt::Kind::Import, rangeFrom(start)}},
                                path, isFile, name);
}

const Stmt *Parser::parseConst(bool isPrivate) {
  SMLoc start = current().loc();
  advance();
  Ident name;
  if (!expectName(name, "a name after 'const'") || !expect(TokenKind::Equal, "after the name"))
    return nullptr;
  const Expr *value = parseExpr();
  if (!value)
    return nullptr;
  return arena.make<ConstDecl>(StmtOf<Stmt::Kind::Const>{{Stmt::Kind::Const, rangeFrom(start)}},
                               name, isPrivate, value);
}

const Stmt *Parser::parseLayer(bool isPrivate) {
  SMLoc start = current().loc();
  bool isModel = at(TokenKind::kw_model);
  advance();
  Ident name;
  ArrayRef<Parameter> parameters;
  Block body;
  if (!expectName(name, isModel ? "the model's name" : "the layer's name"))
    return nullptr;
  if (accept(TokenKind::LeftParen) && !parseParameters(parameters, "after the arguments"))
    return nullptr;
  if (!parseBlock(isModel ? Scope::Model : Scope::Layer, body))
    return nullptr;
  return arena.make<LayerDecl>(StmtOf<Stmt::Kind::Layer>{{Stmt::Kind::Layer, rangeFrom(start)}},
                               isModel, isPrivate, name, parameters, body);
}

const Stmt *Parser::parseRecipe() {
  SMLoc start = current().loc();
  advance();
  Ident name, model;
  if (!expectName(name, "the recipe's name") ||
      (accept(TokenKind::kw_for) && !expectName(model, "a model's name after 'for'")) ||
      !expect(TokenKind::LeftBrace, "before the recipe's statements"))
    return nullptr;
  SmallVector<ArrayRef<Token>> statements;
  SmallVector<Token> line;
  unsigned braces = 0;
  while (braces || !at(TokenKind::RightBrace)) {
    if (at(TokenKind::End)) {
      reportUnexpected("'}' at the end of the recipe", name.range, "the recipe begins here");
      return nullptr;
    }
    braces += at(TokenKind::LeftBrace);
    braces -= at(TokenKind::RightBrace);
    if (!at(TokenKind::Newline))
      line.push_back(current());
    advance();
    if ((previous().is(TokenKind::Newline) || (!braces && at(TokenKind::RightBrace))) &&
        !line.empty()) {
      statements.push_back(arena.copy(ArrayRef<Token>(line)));
      line.clear();
    }
  }
  advance();
  return arena.make<RecipeDecl>(StmtOf<Stmt::Kind::Recipe>{{Stmt::Kind::Recipe, rangeFrom(start)}},
                                name, model, arena.copy(ArrayRef<ArrayRef<Token>>(statements)));
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

const Stmt *Parser::parseFn() {
  SMLoc start = current().loc();
  bool isPrivate = accept(TokenKind::kw_private);
  Ident name;
  ArrayRef<Generic> generics;
  ArrayRef<Parameter> parameters;
  ArrayRef<Result> results;
  Block body;
  if (!expect(TokenKind::kw_fn, "after 'private'") || !expectName(name, "the function's name") ||
      (accept(TokenKind::LeftBracket) && !parseGenerics(generics)) ||
      !expect(TokenKind::LeftParen, "after the function's name") ||
      !parseParameters(parameters, "after the parameters") ||
      (accept(TokenKind::Arrow) && !parseResults(results)) || !parseBlock(Scope::Function, body))
    return nullptr;
  return arena.make<FnDecl>(StmtOf<Stmt::Kind::Fn>{{Stmt::Kind::Fn, rangeFrom(start)}}, name,
                            isPrivate, generics, parameters, results, body);
}

bool Parser::parseGenerics(ArrayRef<Generic> &generics) {
  constexpr int tighterThanComparison = 5;
  SmallVector<Generic> list;
  bool parsed = parseList(TokenKind::RightBracket, "after the generic names", [&] {
    Generic generic{};
    // What begins with a name is the dimension: a bound below is a number or stands in brackets.
    if ((at(TokenKind::Integer) || at(TokenKind::LeftParen)) &&
        (!(generic.least = parseBinary(tighterThanComparison)) ||
         !expect(TokenKind::LessEqual, "between the bound and the dimension")))
      return false;
    if (!expectName(generic.name, "the name of a dimension or element type") ||
        !checkUnique(list, generic.name))
      return false;
    if (!generic.least && accept(TokenKind::Colon)) {
      if (!expectName(generic.dtypeClass, "a class of element types after ':'"))
        return false;
    } else if (accept(TokenKind::LessEqual)) {
      if (!(generic.bound = parseBinary(tighterThanComparison)))
        return false;
    }
    list.push_back(generic);
    return true;
  });
  generics = arena.copy(ArrayRef<Generic>(list));
  return parsed;
}

bool Parser::parseParameters(ArrayRef<Parameter> &parameters, StringRef where) {
  SmallVector<Parameter> list;
  bool parsed = parseList(TokenKind::RightParen, where, [&] {
    Parameter parameter{};
    if (!expectName(parameter.name, "a parameter's name") || !checkUnique(list, parameter.name) ||
        !expect(TokenKind::Colon, "and a type after the parameter's name") ||
        !(parameter.type = parseType()))
      return false;
    if (accept(TokenKind::Equal)) {
      if (!(parameter.defaultValue = parseExpr()))
        return false;
    } else if (!list.empty() && list.back().defaultValue) {
      diags
          .error(parameter.name.range, DiagCode::ArgumentOrder,
                 "expected a default for " + inQuotes(parameter.name.text) +
                     " because the parameter before it has one")
          .note(list.back().name.range, "the parameter before it is here");
      return false;
    }
    list.push_back(parameter);
    return true;
  });
  parameters = arena.copy(ArrayRef<Parameter>(list));
  return parsed;
}

bool Parser::parseResults(ArrayRef<Result> &results) {
  SmallVector<Result> list;
  auto parseResult = [&](bool mayBeNamed) {
    Result result{};
    if (mayBeNamed && peek().is(TokenKind::Colon)) {
      if (!expectName(result.name, "a result's name") || !checkUnique(list, result.name))
        return false;
      advance();
    }
    result.type = parseType();
    list.push_back(result);
    return result.type != nullptr;
  };
  bool parsed = accept(TokenKind::LeftParen) ? parseList(TokenKind::RightParen, "after the results",
                                                         [&] { return parseResult(true); })
                                             : parseResult(false);
  results = arena.copy(ArrayRef<Result>(list));
  return parsed;
}

//===----------------------------------------------------------------------===//
// Members of layers
//===----------------------------------------------------------------------===//

const Stmt *Parser::parseMember() {
  SMLoc start = current().loc();
  MemberKind member = at(TokenKind::kw_param)    ? MemberKind::Param
                      : at(TokenKind::kw_buffer) ? MemberKind::Buffer
                                                 : MemberKind::State;
  advance();
  Ident name;
  if (!expectMemberName(name, "a name after " + inQuotes(previous().text)))
    return nullptr;
  takeNumbers(name);
  if (!expect(TokenKind::Colon, "and a type after the name"))
    return nullptr;
  const Type *type = parseType();
  if (!type)
    return nullptr;
  const Expr *initial = nullptr;
  if (at(TokenKind::Equal) && member != MemberKind::State) {
    diags.error(current().range(), DiagCode::MisplacedStatement,
                "expected no value for " + inQuotes(name.text) + ", it comes with the weights");
    return nullptr;
  }
  if (accept(TokenKind::Equal) && !(initial = parseExpr()))
    return nullptr;
  return arena.make<MemberDecl>(StmtOf<Stmt::Kind::Member>{{Stmt::Kind::Member, rangeFrom(start)}},
                                member, name, type, initial);
}

const Stmt *Parser::parseIgnore() {
  SMLoc start = current().loc();
  SmallVector<const StringExpr *> patterns;
  do {
    advance();
    if (!at(TokenKind::String)) {
      reportUnexpected("a pattern in quotes after 'ignore'");
      return nullptr;
    }
    patterns.push_back(cast<StringExpr>(parseLiteral()));
  } while (at(TokenKind::Comma));
  return arena.make<IgnoreDecl>(StmtOf<Stmt::Kind::Ignore>{{Stmt::Kind::Ignore, rangeFrom(start)}},
                                arena.copy(ArrayRef<const StringExpr *>(patterns)));
}

/// A dotted path of names and numbers, written without blanks. `layer1.0.1.weight` comes from the
/// lexer as names, numbers and dots; only their sequence in the source counts.
bool Parser::parsePath(Ident &path) {
  const char *begin = current().text.begin(), *end = begin;
  auto continues = [&] {
    return current().text.begin() == end && !current().text.empty() &&
           all_of(current().text, [](char c) { return isAlnum(c) || c == '_' || c == '.'; });
  };
  for (; continues(); advance())
    end = current().text.end();
  StringRef text(begin, end - begin);
  if (text.empty() || text.front() == '.' || text.back() == '.' || text.contains(".."))
    return reportUnexpected("a parameter's path such as 'fc.weight'");
  path = {text, rangeFrom(SMLoc::getFromPointer(begin))};
  return true;
}

const Stmt *Parser::parseTie() {
  SMLoc start = current().loc();
  advance();
  Ident alias, stored;
  if (!parsePath(alias) || !expect(TokenKind::Equal, "after the path") || !parsePath(stored))
    return nullptr;
  return arena.make<TieDecl>(StmtOf<Stmt::Kind::Tie>{{Stmt::Kind::Tie, rangeFrom(start)}}, alias,
                             stored);
}

File parseFile(unsigned bufferId, Diagnostics &diags, AstArena &arena) {
  return Parser(bufferId, diags, arena).parseFile();
}

} // namespace kiln
