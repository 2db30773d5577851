//===- Cases.cpp - programs made from the registered ops ------------------===//

#include "test/conformance/Cases.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace kiln;
using namespace kiln::conformance;

namespace {
struct Rule {
  llvm::StringRef op, arguments, call;
};
using Extents = std::vector<std::string>;
} // namespace

static const Rule rules[] = {
#define KILN_RULE(op, arguments, call) {op, arguments, call},
#include "test/conformance/Rules.def"
};

/// Shapes of operands: each extent of the list as a number and by name.
static const Extents shapes[] = {
    {"N"},       {"2 * N + 1"},
    {"N // 2"},  {"N", "M"},
    {"3", "N"},  {"2", "N", "3"},
    {"0"},       {"1"},
    {"2"},       {"7"},
    {"16"},      {"17"},
    {"33", "3"}, {"M", "2 * N + 1"},
    {"17", "0"}, {"N // 2", "16"},
    {},
};

/// An identifier N or M in the text, wherever it stands.
static bool mentions(llvm::StringRef text, char name) {
  for (size_t at = 0; (at = text.find(name, at)) != llvm::StringRef::npos; ++at) {
    auto isPart = [](char c) { return llvm::isAlnum(c) || c == '_'; };
    if ((at == 0 || !isPart(text[at - 1])) && (at + 1 == text.size() || !isPart(text[at + 1])))
      return true;
  }
  return false;
}

static std::string replaceType(llvm::StringRef text, DType type) {
  std::string result;
  for (size_t at = 0; at < text.size(); ++at) {
    bool alone = text[at] == 'D' && (at == 0 || !llvm::isAlnum(text[at - 1])) &&
                 (at + 1 == text.size() || !llvm::isAlnum(text[at + 1]));
    alone ? result += name(type) : result += text[at];
  }
  return result;
}

/// An argument of the kind for an operand of this rank; empty if the kind is not known, which the
/// front end then refuses as a missing argument.
static std::string valueOf(const Primitive::Slot &slot, unsigned rank, unsigned variant) {
  llvm::StringRef kind = slot.kind;
  unsigned last = rank ? rank - 1 : 0;
  if (kind == "axis")
    return std::to_string(variant % 3 == 0 ? 0 : variant % 3 == 1 ? int(last) : -1);
  if (kind == "axes")
    return variant % 3 == 0 ? "0" : variant % 3 == 1 && rank > 1 ? "[0, -1]" : "-1";
  if (kind == "new_axis")
    return variant % 2 ? "-1" : "0";
  if (kind == "dtype")
    return std::string(name(static_cast<DType>(variant % numDTypes)));
  if (kind == "bool")
    return variant % 2 ? "true" : "false";
  if (kind == "float" || kind == "number")
    return variant % 2 ? "1" : "0.5";
  if (kind == "int" || kind == "pair" || kind == "padding" || kind == "ints")
    return variant % 2 ? "1" : "2";
  return "";
}

namespace {
/// Collects cases and numbers them.
class Maker {
public:
  std::vector<Case> cases;
  void byRules(llvm::StringRef op);
  void byKinds(llvm::StringRef op, const Primitive &primitive);

private:
  void add(llvm::StringRef op, DType type, const std::string &arguments, const std::string &call);
};
} // namespace

void Maker::add(llvm::StringRef op, DType type, const std::string &arguments,
                const std::string &call) {
  Case made;
  made.id = cases.size();
  // Every third case leaves its bounds to the caller of create.
  auto declared = [&](const char *dim, int64_t bound) {
    return made.id % 3 == 2 ? dim : dim + (" <= " + std::to_string(bound));
  };
  std::vector<std::string> dims;
  if (mentions(arguments, 'N'))
    dims.push_back(declared("N", boundN));
  if (mentions(arguments, 'M'))
    dims.push_back(declared("M", boundM));
  made.op = op.str();
  made.type = type;
  made.entries = {"c" + std::to_string(made.id)};
  made.members = "fn " + made.entries[0] +
                 (dims.empty() ? "" : "[" + llvm::join(dims, ", ") + "]") + "(" + arguments +
                 ") { return " + call + " }";
  cases.push_back(std::move(made));
}

void Maker::byRules(llvm::StringRef op) {
  for (const Rule &rule : rules)
    if (rule.op == op)
      for (int type = 0; type < numDTypes; ++type)
        add(op, DType(type), replaceType(rule.arguments, DType(type)),
            replaceType(rule.call, DType(type)));
}

void Maker::byKinds(llvm::StringRef op, const Primitive &primitive) {
  for (int type = 0; type < numDTypes; ++type)
    for (auto [variant, shape] : llvm::enumerate(shapes)) {
      std::vector<std::string> arguments, call;
      std::string extents = llvm::join(shape, ", ");
      for (const Primitive::Slot &slot : primitive.slots) {
        if (slot.isOperand()) {
          // Every fourth binary case broadcasts its second operand.
          bool broadcast = !arguments.empty() && variant % 4 == 3 && shape.size() > 1;
          arguments.push_back(slot.name + ": " + std::string(name(DType(type))) + "[" +
                              (broadcast ? shape.back() : extents) + "]");
          call.push_back(slot.name);
        } else if (!slot.optional || variant % 2) {
          std::string value =
              slot.kind == "str" ? slot.defaultText : valueOf(slot, shape.size(), variant / 2);
          llvm::StringRef text(value);
          if (text.consume_front("'") && text.consume_back("'"))
            value = ("\"" + text + "\"").str();
          call.push_back((slot.byName ? slot.name + " = " : "") + value);
        }
      }
      // A dimension must be an extent of some argument by itself.
      for (const char *dim : {"N", "M"})
        if (mentions(extents, *dim) && !llvm::is_contained(shape, dim))
          arguments.push_back(std::string("of") + dim + ": u8[" + dim + "]");
      add(op, DType(type), llvm::join(arguments, ", "),
          op.str() + "(" + llvm::join(call, ", ") + ")");
    }
}

std::vector<Case> conformance::makeCases(const PrimitiveTable &table) {
  Maker maker;
  llvm::SmallVector<llvm::StringRef> names = table.names();
  llvm::sort(names);
  for (llvm::StringRef op : names) {
    bool ruled = llvm::any_of(rules, [&](const Rule &rule) { return rule.op == op; });
    ruled ? maker.byRules(op) : maker.byKinds(op, *table.find(op));
  }
  return std::move(maker.cases);
}
