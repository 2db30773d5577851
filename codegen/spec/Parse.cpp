//===- Parse.cpp - kernel specs from text ---------------------------------===//
//
// Reads what Print.cpp writes, line by line. Any text is safe to read: sizes and depths are
// limited, and every reference is to something above it.
//
//===----------------------------------------------------------------------===//

#include "codegen/spec/KernelSpec.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>

using namespace kiln;
using namespace kiln::spec;

namespace {
constexpr size_t maxTextBytes = size_t(16) << 20;
constexpr size_t maxNodes = size_t(1) << 14; ///< of one stage
constexpr int maxDepth = 4000;               ///< walks of a body are recursive
constexpr size_t maxDimExprBytes = size_t(1) << 16;

/// The lexical level: eats tokens of one line. Each function gives false, or nothing, on a
/// mismatch.
struct Line {
  std::string_view rest;

  void skip() {
    while (!rest.empty() && rest[0] == ' ')
      rest.remove_prefix(1);
  }
  bool atEnd() {
    skip();
    return rest.empty();
  }
  bool eat(std::string_view token) {
    skip();
    if (!rest.starts_with(token))
      return false;
    rest.remove_prefix(token.size());
    return true;
  }
  /// A whole word.
  bool eatWord(std::string_view token) {
    Line copy = *this;
    if (copy.word() != token)
      return false;
    *this = copy;
    return true;
  }
  std::string_view word() {
    skip();
    size_t n = 0;
    while (n < rest.size() &&
           (std::isalnum(static_cast<unsigned char>(rest[n])) || rest[n] == '_' || rest[n] == '.'))
      ++n;
    std::string_view result = rest.substr(0, n);
    rest.remove_prefix(n);
    return result;
  }
  template <typename T> bool number(T &value) {
    skip();
    auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (code != std::errc())
      return false;
    rest.remove_prefix(end - rest.data());
    return true;
  }
  bool type(DType &result) {
    std::optional<DType> parsed = parseDType(word());
    result = parsed.value_or(DType::F32);
    return parsed.has_value();
  }
  /// An expression that ends before one of the characters of `stop`, outside of parentheses.
  bool dimExpr(DimExpr &result, std::string_view stop) {
    size_t end = 0;
    for (int depth = 0; end < rest.size(); ++end) {
      depth += (rest[end] == '(') - (rest[end] == ')');
      if (depth <= 0 && stop.find(rest[end]) != std::string_view::npos)
        break;
    }
    if (end == rest.size() || end > maxDimExprBytes)
      return false;
    std::optional<DimExpr> parsed = DimExpr::parse(rest.substr(0, end));
    if (!parsed)
      return false;
    result = *parsed;
    rest.remove_prefix(end);
    return true;
  }
  bool dimExprs(std::vector<DimExpr> &result) {
    if (!eat("["))
      return false;
    if (eat("]"))
      return true;
    do {
      DimExpr value;
      if (!dimExpr(value, ",]"))
        return false;
      result.push_back(std::move(value));
    } while (eat(","));
    return eat("]");
  }
};

class SpecParser {
public:
  std::optional<KernelSpec> run(std::string_view text, std::string &error);

private:
  bool line(Line in);
  bool symbol(Line &in);
  bool operand(Line &in, Operand::Use use);
  bool stage(Line &in);
  bool numbers(Line &in, std::map<std::string, int64_t> &values);
  bool procedure(Line &in);
  bool schedule(Line &in);
  bool node(Line &in);
  bool leaf(Line &in, Expr &expr);
  bool reference(Line &in, ExprPtr &result);
  bool index(Line &in, Index &result);
  bool indices(Line &in, std::vector<Index> &result);
  bool fail(std::string text) {
    if (message.empty())
      message = std::move(text);
    return false;
  }

  KernelSpec result;
  std::vector<ExprPtr> nodes; ///< of the stage being read
  std::vector<int> depths;
  int deepest = 0; ///< of the nodes that the node being read refers to
  std::string message;
};
} // namespace

bool SpecParser::symbol(Line &in) {
  Symbol symbol;
  symbol.name = in.word();
  if (symbol.name.empty() || !in.eat("=") || !in.number(symbol.lower) || !in.eat(".."))
    return fail("expected 'symbol NAME = LOWER..UPPER'");
  if (int64_t upper; in.number(upper))
    symbol.upper = upper;
  result.symbols.push_back(std::move(symbol));
  return true;
}

/// "panel16" or "panel16x4": width and, if more than 1, group.
static std::optional<Panel> panelOf(std::string_view word) {
  constexpr std::string_view prefix = "panel";
  if (!word.starts_with(prefix))
    return std::nullopt;
  Panel result;
  const char *end = word.data() + word.size();
  auto width = std::from_chars(word.data() + prefix.size(), end, result.width);
  if (width.ec == std::errc() && width.ptr != end && *width.ptr == 'x')
    width = std::from_chars(width.ptr + 1, end, result.group);
  return width.ec == std::errc() && width.ptr == end ? std::optional(result) : std::nullopt;
}

bool SpecParser::operand(Line &in, Operand::Use use) {
  Operand operand;
  operand.use = use;
  operand.name = in.word();
  if (operand.name.empty() || !in.eat(":") || !in.type(operand.type) || !in.dimExprs(operand.shape))
    return fail("expected 'NAME : TYPE [SHAPE]'");
  std::string_view layout = in.word();
  operand.panel = panelOf(layout);
  if (!operand.panel && (layout != "strides" || !in.dimExprs(operand.strides)))
    return fail("expected 'panel16', 'panel16x4' or 'strides [...]'");
  if (!in.eatWord("align") || !in.number(operand.alignment))
    return fail("expected 'align BYTES'");
  if (in.eatWord("alias"))
    operand.mayAlias = in.word();
  result.operands.push_back(std::move(operand));
  return true;
}

bool SpecParser::stage(Line &in) {
  Stage stage;
  stage.name = in.word();
  if (stage.name.empty() || !in.eat(":") || !in.type(stage.type))
    return fail("expected 'stage NAME : TYPE'");
  std::string_view role = in.word();
  stage.role = role == text(Role::Prologue) ? Role::Prologue
               : role == text(Role::Anchor) ? Role::Anchor
                                            : Role::Epilogue;
  if (role != text(stage.role))
    return fail("expected a role, got '" + std::string(role) + "'");
  if (!in.dimExprs(stage.domain))
    return fail("expected the domain '[...]'");
  if (!in.atEnd()) {
    std::string_view word = in.word();
    for (int i = 1; i <= static_cast<int>(Combiner::ArgMin); ++i)
      if (text(static_cast<Combiner>(i)) == word)
        stage.combiner = static_cast<Combiner>(i);
    if (stage.combiner == Combiner::None)
      return fail("expected a combiner, got '" + std::string(word) + "'");
    if (!in.eatWord("over") || !in.dimExprs(stage.reduction))
      return fail("expected 'over [...]'");
  }
  result.stages.push_back(std::move(stage));
  nodes.clear();
  depths.clear();
  return true;
}

/// NAME=NUMBER up to the end of the line.
bool SpecParser::numbers(Line &in, std::map<std::string, int64_t> &values) {
  while (!in.atEnd()) {
    std::string key(in.word());
    int64_t value;
    if (key.empty() || !in.eat("=") || !in.number(value))
      return fail("expected 'NAME=NUMBER'");
    values[key] = value;
  }
  return true;
}

bool SpecParser::procedure(Line &in) {
  Procedure procedure;
  procedure.name = in.word();
  if (result.procedure || procedure.name.empty() || !in.dimExprs(procedure.sizes))
    return fail("expected one 'procedure NAME [SIZES]'");
  if (!numbers(in, procedure.constants))
    return false;
  result.procedure = std::move(procedure);
  return true;
}

bool SpecParser::schedule(Line &in) {
  result.schedule.templateName = in.word();
  if (result.schedule.templateName.empty())
    return fail("expected 'schedule TEMPLATE'");
  return numbers(in, result.schedule.parameters);
}

bool SpecParser::reference(Line &in, ExprPtr &result) {
  size_t number;
  if (!in.eat("%") || !in.number(number) || number >= nodes.size())
    return fail("expected the number of a node above");
  result = nodes[number];
  deepest = std::max(deepest, depths[number]);
  return true;
}

bool SpecParser::index(Line &in, Index &result) {
  do {
    if (in.eat("{")) {
      if (!in.dimExpr(result.offset, "}") || !in.eat("}"))
        return fail("expected '{EXPRESSION}'");
    } else if (in.eat("@")) {
      if (!reference(in, result.indirect))
        return false;
    } else {
      int64_t coefficient = 1;
      int dim;
      if (in.number(coefficient) && !in.eat("*"))
        return fail("expected '*' after a coefficient");
      if (!in.eat("d") || !in.number(dim) || dim < 0)
        return fail("expected a coordinate 'dN', '{EXPRESSION}' or '@%N'");
      if (coefficient == 0 || (!result.terms.empty() && result.terms.back().first >= dim))
        return fail("expected coordinates in ascending order with coefficients other than 0");
      result.terms.push_back({dim, coefficient});
    }
  } while (in.eat("+"));
  return true;
}

bool SpecParser::indices(Line &in, std::vector<Index> &result) {
  if (!in.eat("["))
    return fail("expected '['");
  if (in.eat("]"))
    return true;
  do {
    result.emplace_back();
    if (!index(in, result.back()))
      return false;
  } while (in.eat(","));
  return in.eat("]") || fail("expected ']'");
}

bool SpecParser::leaf(Line &in, Expr &expr) {
  if (expr.op == Op::Const) {
    // Which of the two it is depends on the type, which stands behind it.
    Line integer = in, real = in;
    int64_t i;
    double d;
    if (integer.number(i) && integer.eat(":")) {
      expr.constant = i;
      std::optional<DType> type = parseDType(integer.word());
      if (!type || !isFloat(*type)) {
        in.number(i);
        return true;
      }
    }
    if (!real.number(d))
      return fail("expected a number");
    expr.constant = d;
    in = real;
    return true;
  }
  if (expr.op == Op::Dim)
    return in.number(expr.dim) || fail("expected the number of a dimension");
  if (expr.op == Op::Extent)
    return (in.eat("{") && in.dimExpr(expr.extent, "}") && in.eat("}")) ||
           fail("expected '{EXPRESSION}'");
  expr.read.source = in.word();
  if (expr.read.source.empty())
    return fail("expected the name of a source");
  if (!indices(in, expr.read.indices))
    return false;
  if (in.eatWord("outside")) {
    double value;
    if (!in.number(value))
      return fail("expected a number after 'outside'");
    expr.read.outside = value;
  }
  return true;
}

bool SpecParser::node(Line &in) {
  size_t number;
  if (result.stages.empty() || !in.number(number) || number != nodes.size() || !in.eat("="))
    return fail("expected '%" + std::to_string(nodes.size()) + " = ...' in a stage");
  if (nodes.size() == maxNodes)
    return fail("a stage has too many nodes");
  std::string_view word = in.word();
  int op = 0, numOps = static_cast<int>(Op::Atan2) + 1;
  while (op < numOps && text(static_cast<Op>(op)) != word)
    ++op;
  if (op == numOps)
    return fail("unknown operation '" + std::string(word) + "'");
  deepest = 0;
  auto expr = std::make_shared<Expr>();
  expr->op = static_cast<Op>(op);
  expr->args.resize(arity(expr->op));
  for (ExprPtr &arg : expr->args)
    if (!reference(in, arg))
      return false;
  if (expr->args.empty() && !leaf(in, *expr))
    return false;
  if (!in.eat(":") || !in.type(expr->type))
    return fail("expected ': TYPE'");
  expr->strict = !in.eatWord("relaxed");
  if (deepest > maxDepth)
    return fail("an expression is too deep");
  nodes.push_back(std::move(expr));
  depths.push_back(deepest + 1);
  return true;
}

bool SpecParser::line(Line in) {
  bool ok;
  if (in.eat("%"))
    ok = node(in);
  else if (in.eatWord("symbol"))
    ok = symbol(in);
  else if (in.eatWord("input"))
    ok = operand(in, Operand::Use::Input);
  else if (in.eatWord("output"))
    ok = operand(in, Operand::Use::Output);
  else if (in.eatWord("scratch"))
    ok = operand(in, Operand::Use::Scratch);
  else if (in.eatWord("stage"))
    ok = stage(in);
  else if (in.eatWord("procedure"))
    ok = procedure(in);
  else if (in.eatWord("schedule"))
    ok = schedule(in);
  else if (!result.stages.empty() && in.eatWord("init"))
    ok = reference(in, result.stages.back().init);
  else if (!result.stages.empty() && in.eatWord("body"))
    ok = reference(in, result.stages.back().body);
  else if (!result.stages.empty() && in.eatWord("store"))
    ok = indices(in, result.stages.back().store);
  else
    return fail("unknown line");
  if (ok && !in.atEnd())
    return fail("unexpected text at the end of the line");
  return ok;
}

std::optional<KernelSpec> SpecParser::run(std::string_view text, std::string &error) {
  if (text.size() > maxTextBytes) {
    error = "the text of a kernel is larger than 16 MiB";
    return std::nullopt;
  }
  int number = 0;
  while (!text.empty()) {
    ++number;
    std::string_view current = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), current.size() + 1));
    Line in{current};
    bool ok = number == 1 ? in.eatWord("kernel") && in.atEnd() : in.atEnd() || line(in);
    if (!ok) {
      fail("expected 'kernel'");
      error = "line " + std::to_string(number) + ": " + message;
      return std::nullopt;
    }
  }
  if (number == 0) {
    error = "line 1: expected 'kernel'";
    return std::nullopt;
  }
  return std::move(result);
}

std::optional<KernelSpec> spec::parse(std::string_view text, std::string &error) {
  return SpecParser().run(text, error);
}
