//===- DimExpr.cpp - polynomials over dimension names ---------------------===//

#include "ir/DimExpr.h"

#include <algorithm>
#include <cctype>

using namespace kiln;

static std::optional<int64_t> addChecked(int64_t a, int64_t b) {
  int64_t r;
  return __builtin_add_overflow(a, b, &r) ? std::nullopt : std::optional(r);
}

static std::optional<int64_t> mulChecked(int64_t a, int64_t b) {
  int64_t r;
  return __builtin_mul_overflow(a, b, &r) ? std::nullopt : std::optional(r);
}

/// Floor division; nothing for a zero divisor or INT64_MIN / -1.
static std::optional<int64_t> floorDivide(int64_t a, int64_t b) {
  if (b == 0 || (a == INT64_MIN && b == -1))
    return std::nullopt;
  int64_t q = a / b;
  return (a % b != 0 && (a % b < 0) != (b < 0)) ? q - 1 : q;
}

DimExpr::DimExpr(int64_t constant) {
  if (constant != 0)
    terms[{}] = constant;
}

DimExpr DimExpr::symbol(std::string_view name) {
  DimExpr e;
  e.terms[{
      DimAtom{DimAtom::Kind::Symbol, std::string(name), nullptr, nullptr, std::string(name)}}] = 1;
  return e;
}

void DimExpr::add(const Monomial &monomial, int64_t coefficient) {
  int64_t &slot = terms[monomial];
  std::optional<int64_t> sum = addChecked(slot, coefficient);
  if (!sum)
    valid = false;
  slot = sum.value_or(0);
  if (slot == 0)
    terms.erase(monomial);
}

DimExpr DimExpr::operator+(const DimExpr &other) const {
  DimExpr result = *this;
  result.valid = valid && other.valid;
  for (const auto &[monomial, coefficient] : other.terms)
    result.add(monomial, coefficient);
  return result;
}

DimExpr DimExpr::operator-(const DimExpr &other) const { return *this + other * DimExpr(-1); }

DimExpr DimExpr::operator*(const DimExpr &other) const {
  DimExpr result;
  result.valid = valid && other.valid;
  for (const auto &[ma, ca] : terms)
    for (const auto &[mb, cb] : other.terms) {
      Monomial product = ma;
      product.insert(product.end(), mb.begin(), mb.end());
      std::sort(product.begin(), product.end());
      std::optional<int64_t> c = mulChecked(ca, cb);
      if (!c)
        result.valid = false;
      result.add(product, c.value_or(0));
    }
  return result;
}

bool DimExpr::operator==(const DimExpr &other) const {
  return valid && other.valid && terms == other.terms;
}

/// Removes the atoms of `divisor` from `monomial`; nothing if it does not contain them all.
static std::optional<DimExpr::Monomial> cancel(DimExpr::Monomial monomial,
                                               const DimExpr::Monomial &divisor) {
  for (const DimAtom &atom : divisor) {
    auto it = std::find(monomial.begin(), monomial.end(), atom);
    if (it == monomial.end())
      return std::nullopt;
    monomial.erase(it);
  }
  return monomial;
}

DimExpr DimExpr::floorDiv(const DimExpr &a, const DimExpr &b) {
  DimExpr whole, rest;
  whole.valid = rest.valid = a.valid && b.valid;
  if (b.terms.size() == 1) {
    // Terms that the single monomial divides exactly leave the quotient: (4N + 3)//2 = 2N + 3//2.
    const auto &[divisor, scale] = *b.terms.begin();
    for (const auto &[monomial, coefficient] : a.terms) {
      std::optional<Monomial> left = cancel(monomial, divisor);
      if (left && scale != -1 && coefficient % scale == 0)
        whole.add(*left, coefficient / scale);
      else
        rest.add(monomial, coefficient);
    }
  } else {
    rest = a;
  }
  if (rest.terms.empty())
    return whole;
  std::optional<int64_t> x = rest.constantValue(), y = b.constantValue();
  if (x && y) {
    std::optional<int64_t> q = floorDivide(*x, *y);
    DimExpr result = whole + DimExpr(q.value_or(0));
    result.valid = result.valid && q;
    return result;
  }
  if (rest == b)
    return whole + DimExpr(1);
  return whole + single(DimAtom::Kind::Quotient, rest, b);
}

/// One atom of two operands, with its canonical text.
DimExpr DimExpr::single(DimAtom::Kind kind, const DimExpr &left, const DimExpr &right) {
  DimAtom atom;
  atom.kind = kind;
  atom.left = std::make_shared<const DimExpr>(left);
  atom.right = std::make_shared<const DimExpr>(right);
  auto wrap = [](const DimExpr &e) {
    return e.asSymbol() || e.isConstant() ? e.str() : "(" + e.str() + ")";
  };
  if (kind == DimAtom::Kind::Quotient)
    atom.key = wrap(left) + "//" + wrap(right);
  else
    atom.key =
        (kind == DimAtom::Kind::Min ? "min(" : "max(") + left.str() + ", " + right.str() + ")";
  DimExpr result;
  result.valid = left.valid && right.valid;
  result.terms[{atom}] = 1;
  return result;
}

DimExpr DimExpr::extreme(DimAtom::Kind kind, const DimExpr &a, const DimExpr &b) {
  if (std::optional<int64_t> above = (a - b).constantValue())
    return (*above > 0) == (kind == DimAtom::Kind::Max) ? a : b;
  return a.str() < b.str() ? single(kind, a, b) : single(kind, b, a);
}

DimExpr DimExpr::min(const DimExpr &a, const DimExpr &b) {
  return extreme(DimAtom::Kind::Min, a, b);
}

DimExpr DimExpr::max(const DimExpr &a, const DimExpr &b) {
  return extreme(DimAtom::Kind::Max, a, b);
}

static DimExpr ofOperands(DimAtom::Kind kind, const DimExpr &left, const DimExpr &right) {
  switch (kind) {
  case DimAtom::Kind::Min:
    return DimExpr::min(left, right);
  case DimAtom::Kind::Max:
    return DimExpr::max(left, right);
  default:
    return DimExpr::floorDiv(left, right);
  }
}

DimExpr DimExpr::ofAtom(const DimAtom &atom) {
  return atom.kind == DimAtom::Kind::Symbol ? symbol(atom.symbol)
                                            : ofOperands(atom.kind, *atom.left, *atom.right);
}

DimExpr DimExpr::mod(const DimExpr &a, const DimExpr &b) { return a - b * floorDiv(a, b); }

bool DimExpr::isConstant() const {
  return valid && (terms.empty() || (terms.size() == 1 && terms.begin()->first.empty()));
}

std::optional<int64_t> DimExpr::constantValue() const {
  if (!isConstant())
    return std::nullopt;
  return terms.empty() ? 0 : terms.begin()->second;
}

std::optional<std::string> DimExpr::asSymbol() const {
  if (!valid || terms.size() != 1 || terms.begin()->second != 1)
    return std::nullopt;
  const Monomial &m = terms.begin()->first;
  if (m.size() != 1 || m[0].symbol.empty())
    return std::nullopt;
  return m[0].symbol;
}

std::string DimExpr::str() const {
  if (!valid)
    return "<overflow>";
  if (terms.empty())
    return "0";
  // The constant is written last, the rest in the order of their text.
  std::vector<std::pair<const Monomial *, int64_t>> order;
  for (const auto &[monomial, coefficient] : terms)
    if (!monomial.empty())
      order.push_back({&monomial, coefficient});
  if (auto it = terms.find({}); it != terms.end())
    order.push_back({&it->first, it->second});
  std::string out;
  for (auto [monomial, coefficient] : order) {
    bool negative = coefficient < 0;
    std::string magnitude = std::to_string(coefficient);
    if (negative)
      magnitude.erase(0, 1);
    bool leadingMinus = negative && out.empty(); // binds tighter than //
    if (out.empty())
      out += negative ? "-" : "";
    else
      out += negative ? " - " : " + ";
    if (monomial->empty() || magnitude != "1")
      out += magnitude + (monomial->empty() ? "" : "*");
    for (size_t i = 0; i < monomial->size(); ++i) {
      const DimAtom &atom = (*monomial)[i];
      bool bare = atom.kind != DimAtom::Kind::Quotient ||
                  (monomial->size() == 1 && magnitude == "1" && !leadingMinus);
      out += (i ? "*" : "") + (bare ? atom.key : "(" + atom.key + ")");
    }
  }
  return out;
}

std::optional<int64_t> DimExpr::evaluate(const Environment &env) const {
  if (!valid)
    return std::nullopt;
  int64_t sum = 0;
  for (const auto &[monomial, coefficient] : terms) {
    std::optional<int64_t> product = coefficient;
    for (const DimAtom &atom : monomial) {
      std::optional<int64_t> factor;
      if (atom.kind == DimAtom::Kind::Symbol) {
        factor = env(atom.symbol);
      } else {
        std::optional<int64_t> a = atom.left->evaluate(env), b = atom.right->evaluate(env);
        if (a && b)
          factor = atom.kind == DimAtom::Kind::Quotient ? floorDivide(*a, *b)
                   : atom.kind == DimAtom::Kind::Min    ? std::min(*a, *b)
                                                        : std::max(*a, *b);
      }
      product = product && factor ? mulChecked(*product, *factor) : std::nullopt;
    }
    std::optional<int64_t> next = product ? addChecked(sum, *product) : std::nullopt;
    if (!next)
      return std::nullopt;
    sum = *next;
  }
  return sum;
}

/// Replaces the atoms that `change` gives something for, from the outside in.
DimExpr
DimExpr::rewrite(const std::function<std::optional<DimExpr>(const DimAtom &)> &change) const {
  DimExpr sum;
  sum.valid = valid;
  for (const auto &[monomial, coefficient] : terms) {
    DimExpr product(coefficient);
    for (const DimAtom &atom : monomial) {
      if (std::optional<DimExpr> changed = change(atom))
        product = product * *changed;
      else if (atom.kind == DimAtom::Kind::Symbol)
        product = product * symbol(atom.symbol);
      else
        product = product *
                  ofOperands(atom.kind, atom.left->rewrite(change), atom.right->rewrite(change));
    }
    sum = sum + product;
  }
  return sum;
}

DimExpr DimExpr::substitute(const std::map<std::string, DimExpr, std::less<>> &map) const {
  return rewrite([&](const DimAtom &atom) {
    auto it = atom.kind == DimAtom::Kind::Symbol ? map.find(atom.symbol) : map.end();
    return it == map.end() ? std::nullopt : std::optional(it->second);
  });
}

DimExpr DimExpr::replace(const DimAtom &atom, const DimExpr &by) const {
  return rewrite(
      [&](const DimAtom &other) { return other == atom ? std::optional(by) : std::nullopt; });
}

DimExpr DimExpr::most(const std::map<std::string, DimExpr, std::less<>> &names) const {
  auto mentions = [&](const DimExpr &expr) {
    std::set<std::string> symbols;
    expr.collectSymbols(symbols);
    return std::any_of(symbols.begin(), symbols.end(),
                       [&](const std::string &symbol) { return names.count(symbol) > 0; });
  };
  auto mostOf = [&](const DimAtom &atom) -> DimExpr {
    if (atom.kind == DimAtom::Kind::Symbol) {
      auto it = names.find(atom.symbol);
      return it == names.end() ? DimExpr::ofAtom(atom) : it->second;
    }
    DimExpr left = atom.left->most(names);
    if (atom.kind == DimAtom::Kind::Quotient)
      return mentions(*atom.right) ? left : floorDiv(left, *atom.right);
    DimExpr right = atom.right->most(names);
    return atom.kind == DimAtom::Kind::Min ? min(left, right) : max(left, right);
  };
  DimExpr sum;
  sum.valid = valid;
  for (const auto &[monomial, coefficient] : terms) {
    DimExpr product(coefficient);
    bool isNamed = false;
    for (const DimAtom &atom : monomial) {
      isNamed |= mentions(ofAtom(atom));
      product = product * mostOf(atom);
    }
    if (!isNamed || coefficient > 0) // what is subtracted is 0 at least
      sum = sum + product;
  }
  return sum;
}

/// Interval product; an absent end is infinite.
static DimBounds multiply(const DimBounds &a, const DimBounds &b) {
  auto nonNegative = [](const DimBounds &x) { return x.lower && *x.lower >= 0; };
  if (nonNegative(a) && nonNegative(b)) {
    DimBounds r;
    r.lower = mulChecked(*a.lower, *b.lower);
    if ((a.upper && *a.upper == 0) || (b.upper && *b.upper == 0))
      r.upper = 0;
    else if (a.upper && b.upper)
      r.upper = mulChecked(*a.upper, *b.upper);
    return r;
  }
  if (!a.lower || !a.upper || !b.lower || !b.upper)
    return {};
  DimBounds r;
  for (int64_t x : {*a.lower, *a.upper})
    for (int64_t y : {*b.lower, *b.upper}) {
      std::optional<int64_t> p = mulChecked(x, y);
      if (!p)
        return {};
      r.lower = r.lower ? std::min(*r.lower, *p) : *p;
      r.upper = r.upper ? std::max(*r.upper, *p) : *p;
    }
  return r;
}

/// Interval of a coefficient times an interval.
static DimBounds scale(const DimBounds &a, int64_t c) {
  DimBounds r;
  const auto &low = c >= 0 ? a.lower : a.upper, &high = c >= 0 ? a.upper : a.lower;
  r.lower = low ? mulChecked(*low, c) : std::nullopt;
  r.upper = high ? mulChecked(*high, c) : std::nullopt;
  return r;
}

/// Interval of floor(n / d). With a positive divisor the extremes lie at the ends of both
/// intervals.
static DimBounds quotientBounds(const DimBounds &n, const DimBounds &d) {
  DimBounds r;
  if (!d.lower || *d.lower <= 0)
    return r;
  if (n.lower)
    r.lower = *n.lower >= 0
                  ? (d.upper ? floorDivide(*n.lower, *d.upper) : std::optional<int64_t>(0))
                  : floorDivide(*n.lower, *d.lower);
  if (n.upper)
    r.upper = *n.upper >= 0
                  ? floorDivide(*n.upper, *d.lower)
                  : (d.upper ? floorDivide(*n.upper, *d.upper) : std::optional<int64_t>(-1));
  return r;
}

static DimBounds atomBounds(const DimAtom &atom, const DimExpr::BoundsMap &names) {
  if (atom.kind == DimAtom::Kind::Symbol) {
    auto it = names.find(atom.symbol);
    return it == names.end() ? DimBounds{0, std::nullopt} : it->second;
  }
  DimBounds a = atom.left->bounds(names), b = atom.right->bounds(names);
  if (atom.kind == DimAtom::Kind::Quotient)
    return quotientBounds(a, b);
  // The nearer end of a minimum or maximum is known if one operand's is, the other if both are.
  auto either = [](auto &x, auto &y, auto pick) { return x && y ? pick(*x, *y) : x ? *x : *y; };
  auto smaller = [](int64_t x, int64_t y) { return std::min(x, y); };
  auto larger = [](int64_t x, int64_t y) { return std::max(x, y); };
  DimBounds r;
  if (atom.kind == DimAtom::Kind::Min) {
    if (a.lower && b.lower)
      r.lower = std::min(*a.lower, *b.lower);
    if (a.upper || b.upper)
      r.upper = either(a.upper, b.upper, smaller);
  } else {
    if (a.lower || b.lower)
      r.lower = either(a.lower, b.lower, larger);
    if (a.upper && b.upper)
      r.upper = std::max(*a.upper, *b.upper);
  }
  return r;
}

DimBounds DimExpr::bounds(const BoundsMap &names) const {
  if (!valid)
    return {};
  DimBounds sum{0, 0};
  for (const auto &[monomial, coefficient] : terms) {
    DimBounds product{1, 1};
    for (const DimAtom &atom : monomial)
      product = multiply(product, atomBounds(atom, names));
    product = scale(product, coefficient);
    sum.lower = sum.lower && product.lower ? addChecked(*sum.lower, *product.lower) : std::nullopt;
    sum.upper = sum.upper && product.upper ? addChecked(*sum.upper, *product.upper) : std::nullopt;
  }
  return sum;
}

void DimExpr::collectSymbols(std::set<std::string> &into) const {
  for (const auto &[monomial, coefficient] : terms)
    for (const DimAtom &atom : monomial) {
      if (atom.kind == DimAtom::Kind::Symbol) {
        into.insert(atom.symbol);
        continue;
      }
      atom.left->collectSymbols(into);
      atom.right->collectSymbols(into);
    }
}

std::optional<std::pair<int64_t, DimExpr>> DimExpr::splitLinear(std::string_view name) const {
  int64_t slope = 0;
  DimExpr rest;
  rest.valid = valid;
  for (const auto &[monomial, coefficient] : terms) {
    if (monomial.size() == 1 && monomial[0].symbol == name)
      slope = coefficient;
    else
      rest.add(monomial, coefficient);
  }
  std::set<std::string> left;
  rest.collectSymbols(left);
  if (left.count(std::string(name)))
    return std::nullopt;
  return std::pair(slope, rest);
}

namespace {
/// Recursive descent over + - * // % ( ) min max names and integers. Depth is limited.
struct Parser {
  std::string_view text;
  size_t at = 0;
  int depth = 0;

  void skip() {
    while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at])))
      ++at;
  }
  bool eat(std::string_view token) {
    skip();
    if (text.substr(at, token.size()) != token)
      return false;
    at += token.size();
    return true;
  }

  std::optional<DimExpr> sum() {
    if (++depth > 200)
      return std::nullopt;
    std::optional<DimExpr> left = product();
    while (left) {
      bool plus = eat("+");
      if (!plus && !eat("-"))
        break;
      std::optional<DimExpr> right = product();
      if (!right)
        return std::nullopt;
      left = plus ? *left + *right : *left - *right;
    }
    --depth;
    return left;
  }

  std::optional<DimExpr> product() {
    std::optional<DimExpr> left = factor();
    while (left) {
      int kind = eat("*") ? 1 : eat("//") ? 2 : eat("%") ? 3 : 0;
      if (!kind)
        break;
      std::optional<DimExpr> right = factor();
      if (!right)
        return std::nullopt;
      left = kind == 1   ? *left * *right
             : kind == 2 ? DimExpr::floorDiv(*left, *right)
                         : DimExpr::mod(*left, *right);
    }
    return left;
  }

  std::optional<DimExpr> factor() {
    if (++depth > 200)
      return std::nullopt;
    std::optional<DimExpr> result;
    skip();
    if (eat("-")) {
      if (std::optional<DimExpr> inner = factor())
        result = -*inner;
    } else if (eat("(")) {
      result = sum();
      if (result && !eat(")"))
        return std::nullopt;
    } else if (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]))) {
      result = integer();
    } else {
      size_t start = at;
      while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) ||
                                  text[at] == '_' || text[at] == '.'))
        ++at;
      std::string_view name = text.substr(start, at - start);
      if ((name == "min" || name == "max") && eat("("))
        result = extreme(name == "min");
      else if (at > start)
        result = DimExpr::symbol(name);
    }
    --depth;
    return result;
  }

  /// Behind "min(" or "max(".
  std::optional<DimExpr> extreme(bool isMin) {
    std::optional<DimExpr> left = sum();
    if (!left || !eat(","))
      return std::nullopt;
    std::optional<DimExpr> right = sum();
    if (!right || !eat(")"))
      return std::nullopt;
    return isMin ? DimExpr::min(*left, *right) : DimExpr::max(*left, *right);
  }

  std::optional<DimExpr> integer() {
    int64_t value = 0;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]))) {
      std::optional<int64_t> shifted = mulChecked(value, 10);
      std::optional<int64_t> next = shifted ? addChecked(*shifted, text[at] - '0') : std::nullopt;
      if (!next)
        return std::nullopt;
      value = *next;
      ++at;
    }
    return DimExpr(value);
  }
};
} // namespace

std::optional<DimExpr> DimExpr::parse(std::string_view text) {
  Parser parser{text};
  std::optional<DimExpr> result = parser.sum();
  parser.skip();
  if (!result || parser.at != text.size() || !result->isValid())
    return std::nullopt;
  return result;
}
