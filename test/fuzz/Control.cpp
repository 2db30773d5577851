//===- Control.cpp - random loops, branches and places --------------------===//

#include "test/fuzz/Maker.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace kiln;
using namespace kiln::fuzz;

namespace {
struct Named {
  std::string name;
  Type type;
};

/// The body of a loop or a side of a branch: statements on names in scope.
class Body {
public:
  explicit Body(Maker &maker) : maker(maker) {}
  /// A value from outside: the name that stands for it.
  std::string outer(unsigned value);
  std::string fresh(const char *stem) { return stem + std::to_string(numNames++); }
  std::string expression(const Type &type, unsigned depth);
  std::string condition();
  /// Rebinds a carried name: by an expression, a branch or a loop in the loop.
  void rebind(const Named &carried, unsigned depth);
  void line(const std::string &text) { lines += indent + text + "\n"; }

  Maker &maker;
  std::vector<Named> scope;
  std::vector<unsigned> operands;
  std::string lines, indent = "      ";

private:
  std::string leaf(const Type &type);
  void innerLoop(const Named &carried, unsigned depth);
  unsigned numNames = 0;
  int64_t rounds = 64; ///< of the loops around, at most
};
} // namespace

static constexpr size_t maxOperands = 10; // a digit names one
/// Rounds of a nest of loops that take a moment even where no op is fused.
static constexpr int64_t mostRounds = 1 << 17;

std::string Body::outer(unsigned value) {
  auto known = llvm::find(operands, value);
  if (known == operands.end())
    known = operands.insert(known, value);
  return "$" + std::to_string(known - operands.begin());
}

std::string Body::leaf(const Type &type) {
  std::vector<std::string> names;
  for (const Named &named : scope)
    if (named.type == type)
      names.push_back(named.name);
  if (operands.size() < maxOperands && maker.oneIn(names.empty() ? 1 : 4))
    if (auto found = maker.find([&](const Type &other) { return other == type; }))
      names.push_back(outer(*found));
  // Every type that is asked for is that of a name in scope.
  return maker.among(names);
}

std::string Body::condition() {
  const Named &named = maker.among(scope);
  if (named.type.element == DType::Bool)
    return "any(" + named.name + ")";
  const std::vector<std::string> texts = {") > 0", ") < 3", ") != 0"};
  return (named.type.shape.empty() ? "(" : "sum(") + named.name + maker.among(texts);
}

std::string Body::expression(const Type &type, unsigned depth) {
  if (!depth)
    return leaf(type);
  auto part = [&] { return expression(type, depth - 1); };
  std::vector<std::string> forms = {"max2", "where", "branch", "leaf"};
  if (!type.shape.empty())
    forms.push_back("flip");
  if (type.element == DType::Bool)
    forms = {"and", "or", "not", "branch"};
  else if (isFloat(type.element))
    forms.insert(forms.end(), {"tanh", "half", "+", "-", "tanh2"});
  else
    forms.insert(forms.end(), {"+", "*", "^", "-"});
  std::string form = maker.among(forms);
  if (form == "max2")
    return "maximum(" + part() + ", " + part() + ")";
  if (form == "where")
    return "where(" + part() + " < " + part() + ", " + part() + ", " + part() + ")";
  if (form == "branch")
    return "(" + part() + " if " + condition() + " else " + part() + ")";
  if (form == "flip")
    return "flip(" + part() + ", " + std::to_string(maker.below(type.shape.size())) + ")";
  if (form == "tanh")
    return "tanh(" + part() + ")";
  if (form == "tanh2")
    return "tanh(" + part() + " * " + part() + ")";
  if (form == "half")
    return "0.5 * " + part();
  if (form == "not")
    return "(not " + part() + ")";
  if (form == "leaf")
    return leaf(type);
  return "(" + part() + " " + form + " " + part() + ")";
}

/// Another loop that takes a carried value on, over an element with room for it or by rounds.
void Body::innerLoop(const Named &carried, unsigned depth) {
  std::vector<Named> before = scope;
  std::string again = fresh("d"), head;
  int64_t around = rounds;
  auto turns = [&](const Named &n) { return around * mostElements({n.type.shape[0]}); };
  auto sequence = llvm::find_if(
      before, [&](const Named &n) { return !n.type.shape.empty() && turns(n) <= mostRounds; });
  if (sequence != before.end() && maker.oneIn(2)) {
    rounds = std::max<int64_t>(turns(*sequence), 1);
    std::string element = fresh("f");
    Type type = sequence->type;
    type.shape.erase(type.shape.begin());
    head = carried.name + " = scan " + element + " in " + sequence->name +
           (maker.oneIn(3) ? " reverse" : "") + " with " + again + " = " + carried.name + " {";
    scope.push_back({element, type});
    scope.push_back({again, carried.type});
  } else {
    scope.push_back({again, carried.type});
    const std::vector<std::string> limits = {"0", "1", "3", "-1"};
    head = carried.name + " = while " + condition() + " limit " + maker.among(limits) + " with " +
           again + " = " + carried.name + " {";
  }
  line(head);
  indent += "  ";
  rebind({again, carried.type}, depth - 1);
  indent.resize(indent.size() - 2);
  line("}");
  scope = std::move(before);
  rounds = around;
}

void Body::rebind(const Named &carried, unsigned depth) {
  unsigned die = maker.below(6);
  if (die == 0 && depth)
    return innerLoop(carried, depth);
  if (die == 1) { // a name of the round, read by what follows
    std::string name = fresh("t");
    line(name + " = " + expression(carried.type, 2));
    scope.push_back({name, carried.type});
  }
  line(carried.name + " = " + expression(carried.type, 1 + maker.below(2)));
  if (die == 1)
    llvm::erase_if(scope, [](const Named &named) { return named.name[0] == 't'; });
}

namespace {
/// Values that a loop carries.
struct Carried {
  std::vector<Named> all;
  std::vector<std::string> initial;
  void add(Body &body, unsigned value) {
    all.push_back({body.fresh("c"), body.maker.typeOf(value)});
    initial.push_back(all.back().name + " = " + body.outer(value));
    body.scope.push_back(all.back());
  }
  std::string with() const { return all.empty() ? "" : " with " + llvm::join(initial, ", "); }
  void rebindAll(Body &body) const;
};
} // namespace

void Carried::rebindAll(Body &body) const {
  for (size_t i = 0; i < all.size(); ++i)
    if (i + 1 < all.size() && all[i].type == all[i + 1].type && body.maker.oneIn(2)) {
      std::string name = body.fresh("w");
      body.line(name + " = " + all[i].name);
      body.line(all[i].name + " = " + all[i + 1].name);
      body.line(all[++i].name + " = " + name);
    } else {
      body.rebind(all[i], 2);
    }
}

static bool isSmall(const Type &type) { return mostElements(type.shape) <= elementLimit / 16; }

static Carried carry(Body &body, unsigned count) {
  Carried carried;
  for (; count > 0; --count)
    if (auto value = body.maker.find(isSmall))
      carried.add(body, *value);
  return carried;
}

/// A counter that takes part in a scan: row n of a value of as many rows, read and written.
static void walkRows(Body &body, Carried &carried, const Extent &rounds) {
  auto rows = body.maker.find([&](const Type &type) {
    return isSmall(type) && !type.shape.empty() && type.shape[0] == rounds;
  });
  if (!rows || !body.maker.oneIn(2))
    return;
  carried.add(body, *rows);
  const Named table = carried.all.back();
  std::string at = body.fresh("n"), row = body.fresh("r");
  carried.all.push_back({at, {DType::I64, {}}});
  carried.initial.push_back(at + " = 0");
  Type type = table.type;
  type.shape.erase(type.shape.begin());
  const std::vector<std::string> places = {"[" + at + "]", "[-1 - " + at + "]"};
  body.line(row + " = " + table.name + body.maker.among(places));
  body.scope.push_back({row, type});
  body.line(table.name + body.maker.among(places) + " = " + body.expression(type, 2));
  body.line(at + " = " + at + " + 1");
}

static bool scan(Maker &maker) {
  auto x = maker.find([](const Type &type) { return !type.shape.empty() && isSmall(type); });
  if (!x)
    return false;
  Body body(maker);
  const Type sequence = maker.typeOf(*x);
  unsigned axis = maker.oneIn(2) ? 0 : maker.below(sequence.shape.size());
  const Extent rounds = sequence.shape[axis];
  std::vector<std::string> elements, sequences;
  auto add = [&](unsigned value) {
    Type type = maker.typeOf(value);
    type.shape.erase(type.shape.begin() + axis);
    elements.push_back(body.fresh("e"));
    sequences.push_back(body.outer(value));
    body.scope.push_back({elements.back(), type});
  };
  add(*x);
  if (maker.oneIn(3))
    add(*maker.find([&](const Type &type) {
      return type.shape.size() > axis && type.shape[axis] == rounds && isSmall(type);
    }));
  Carried carried = carry(body, maker.below(4));
  walkRows(body, carried, rounds);
  std::vector<Named> rebound = carried.all; // without the rows, which are written already
  llvm::erase_if(rebound, [&](const Named &named) {
    return llvm::StringRef(body.lines).contains(named.name + "[") || named.name[0] == 'n';
  });
  Carried{rebound, {}}.rebindAll(body);
  std::vector<std::string> yields;
  std::vector<Type> results;
  for (unsigned count = maker.below(3) + carried.all.empty(); count > 0; --count) {
    std::vector<Named> fits;
    for (const Named &named : body.scope)
      if (named.type.shape.size() >= axis)
        fits.push_back(named);
    Type type = maker.among(fits).type; // an element fits always
    yields.push_back(body.expression(type, maker.below(3)));
    type.shape.insert(type.shape.begin() + axis, rounds);
    if (mostElements(type.shape) > elementLimit)
      return false;
    results.push_back(type);
  }
  for (const Named &named : carried.all)
    results.push_back(named.type);
  if (!yields.empty())
    body.line("yield " + llvm::join(yields, ", "));
  std::string text = "scan " + llvm::join(elements, ", ") + " in " + llvm::join(sequences, ", ") +
                     (axis ? " axis " + std::to_string(axis) : "") +
                     (maker.oneIn(3) ? " reverse" : "") + carried.with() + " {\n" + body.lines +
                     "    }";
  maker.addSeveral(text, body.operands, results);
  return true;
}

static bool whileLoop(Maker &maker) {
  Body body(maker);
  Carried carried = carry(body, 1 + maker.below(3));
  if (carried.all.empty())
    return false;
  std::string at = body.fresh("n");
  carried.all.push_back({at, {DType::I64, {}}});
  carried.initial.push_back(at + " = 0");
  const std::vector<std::string> conditions = {at + " < 4", "true", body.condition(),
                                               at + " < 5 and " + body.condition()};
  std::vector<std::string> limits = {"0", "-2", "1", "3", "6", "N", "(M - 2)"};
  if (auto scalar = maker.find([](const Type &type) { return type == Type{DType::I64, {}}; }))
    limits.insert(limits.end(), 3, "(" + body.outer(*scalar) + " % 7 - 1)");
  std::string head =
      "while " + maker.among(conditions) + " limit " + maker.among(limits) + carried.with();
  Carried{{carried.all.begin(), carried.all.end() - 1}, {}}.rebindAll(body);
  body.line(at + " = " + at + " + 1");
  std::vector<Type> results;
  for (const Named &named : carried.all)
    results.push_back(named.type);
  maker.addSeveral(head + " {\n" + body.lines + "    }", body.operands, results);
  return true;
}

static bool branch(Maker &maker) {
  Body body(maker);
  auto first = maker.find([](const Type &) { return true; });
  const Type type = maker.typeOf(*first);
  body.scope.push_back({body.outer(*first), type});
  if (auto other = maker.find([&](const Type &t) { return t == type; }))
    body.scope.push_back({body.outer(*other), type});
  if (auto other = maker.find(isSmall))
    body.scope.push_back({body.outer(*other), maker.typeOf(*other)});
  std::string yes = body.expression(type, maker.below(3)), no = body.expression(type, 2);
  maker.add(yes + " if " + body.condition() + " else " + no, body.operands, type);
  return true;
}

namespace {
/// A place along an axis at a computed position.
struct Place {
  std::string before, position; ///< ":, " and the position
  int64_t count;                ///< of elements; 0: one that is dropped
  bool mayFail;
  std::string str() const {
    return "[" + before + position +
           (count ? " : " + position + " + " + std::to_string(count) : "") + "]";
  }
};
} // namespace

/// Positions are clipped by %, except now and then one that is an argument by itself, which is
/// known exactly: it goes out of range at some calls, which then must fail.
static std::optional<Place> place(Maker &maker, const Shape &shape, unsigned axis, unsigned operand,
                                  unsigned &scalar) {
  const Extent &extent = shape[axis];
  bool isEmpty = *std::max_element(extent.sizes.begin(), extent.sizes.end()) == 0;
  if (!extent.canBeWritten() || isEmpty)
    return std::nullopt;
  auto found = maker.find([](const Type &type) { return type == Type{DType::I64, {}}; });
  bool mayFail = maker.states().empty() && (extent.least() < 1 || maker.oneIn(6));
  scalar = found && !mayFail && !maker.oneIn(3) ? *found : maker.fresh({DType::I64, {}});
  int64_t count = maker.oneIn(2) ? 0 : 1 + maker.below(std::clamp<int64_t>(extent.least(), 1, 3));
  if (!mayFail && extent.least() < std::max<int64_t>(count, 1))
    return std::nullopt;
  std::string name = "$" + std::to_string(operand);
  std::string room =
      "(" + extent.text + " - " + std::to_string(std::max<int64_t>(count, 1) - 1) + ")";
  std::string position = mayFail ? name + " % 9"
                                 : "(" + name + " % " + room + ")" +
                                       (count == 0 && maker.oneIn(3) ? " - " + extent.text : "");
  std::string before;
  for (unsigned i = 0; i < axis; ++i)
    before += ":, ";
  return Place{before, position, count, mayFail};
}

static bool readPlace(Maker &maker) {
  auto x = maker.find([](const Type &type) { return !type.shape.empty(); });
  if (!x)
    return false;
  Type type = maker.typeOf(*x);
  unsigned axis = maker.below(type.shape.size()), scalar = 0;
  auto at = place(maker, type.shape, axis, 1, scalar);
  if (!at)
    return false;
  if (at->count)
    type.shape[axis] = at->count;
  else
    type.shape.erase(type.shape.begin() + axis);
  unsigned made = maker.add("$0" + at->str(), {*x, scalar}, type);
  if (at->mayFail)
    maker.pin(made);
  return true;
}

static bool writePlace(Maker &maker) {
  auto x = maker.find([](const Type &type) { return !type.shape.empty(); });
  if (!x)
    return false;
  const Type type = maker.typeOf(*x);
  unsigned axis = maker.below(type.shape.size()), scalar = 0;
  if (maker.oneIn(3)) { // constant places
    const std::vector<std::string> places = {"[::2] = ", "[1:] = ", "[...] = ", "[:2] = "};
    maker.add("~0 = $0\n    ~0" + maker.among(places) +
                  (type.element == DType::Bool ? "true" : "3"),
              {*x}, type);
    return true;
  }
  auto at = place(maker, type.shape, axis, 1, scalar);
  if (!at)
    return false;
  Type part = type;
  if (at->count)
    part.shape[axis] = at->count;
  else
    part.shape.erase(part.shape.begin() + axis);
  auto value = maker.find([&](const Type &other) { return other == part; });
  std::vector<unsigned> operands = {*x, scalar};
  std::string text = type.element == DType::Bool ? "false" : "2";
  if (value || (canBeWritten(part.shape) && maker.oneIn(2))) {
    operands.push_back(value ? *value : maker.fresh(part));
    text = "$2";
  }
  unsigned made = maker.add("~0 = $0\n    ~0" + at->str() + " = " + text, operands, type);
  if (at->mayFail)
    maker.pin(made);
  return true;
}

llvm::ArrayRef<Family> fuzz::controlFamilies() {
  static const Family families[] = {
      {6, scan}, {4, whileLoop}, {3, branch}, {4, readPlace}, {4, writePlace}};
  return families;
}
