//===- Print.cpp - kernel specs as text -----------------------------------===//
//
// One line for each symbol, operand, stage, node of a body, and the schedule. Nodes are numbered in
// post-order within a stage; equal nodes print once, so that text does not depend on sharing.
//
//===----------------------------------------------------------------------===//

#include "codegen/spec/KernelSpec.h"

#include <charconv>
#include <cmath>

using namespace kiln;
using namespace kiln::spec;

static std::string number(double value) {
  if (std::isnan(value))
    return "nan";
  char buffer[64];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return std::string(buffer, end);
}

static std::string list(const std::vector<DimExpr> &values) {
  std::string out = "[";
  for (size_t i = 0; i < values.size(); ++i)
    out += (i ? ", " : "") + values[i].str();
  return out + "]";
}

namespace {
/// Writes the nodes of one stage and remembers their numbers.
class BodyPrinter {
public:
  explicit BodyPrinter(std::string &out) : out(out) {}

  /// Writes what is not yet written of `root`; gives its name ("%3").
  std::string print(const ExprPtr &root) {
    visitPostOrder(root, seen, [&](const ExprPtr &node) {
      std::string line = describe(*node);
      auto [it, isNew] = byText.try_emplace(line, byText.size());
      numbers[node.get()] = it->second;
      if (isNew)
        out += "    %" + std::to_string(it->second) + " = " + line + "\n";
    });
    return "%" + std::to_string(numbers[root.get()]);
  }

  std::string indices(const std::vector<Index> &values) {
    std::string text = "[";
    for (size_t i = 0; i < values.size(); ++i)
      text += (i ? ", " : "") + index(values[i]);
    return text + "]";
  }

private:
  std::string index(const Index &value) {
    std::string text;
    for (auto [dim, coefficient] : value.terms) {
      text += text.empty() ? "" : " + ";
      if (coefficient != 1)
        text += std::to_string(coefficient) + "*";
      text += "d" + std::to_string(dim);
    }
    if (value.offset != DimExpr(0) || (text.empty() && !value.indirect))
      text += (text.empty() ? "{" : " + {") + value.offset.str() + "}";
    if (value.indirect)
      text += (text.empty() ? "@%" : " + @%") + std::to_string(numbers[value.indirect.get()]);
    return text;
  }

  std::string describe(const Expr &node) {
    std::string line(text(node.op));
    for (const ExprPtr &arg : node.args)
      line += " %" + std::to_string(numbers[arg.get()]);
    if (node.op == Op::Const) {
      if (const double *value = std::get_if<double>(&node.constant))
        line += " " + number(*value);
      else if (const int64_t *value = std::get_if<int64_t>(&node.constant))
        line += " " + std::to_string(*value);
    } else if (node.op == Op::Read) {
      line += " " + node.read.source + " " + indices(node.read.indices);
      if (node.read.outside)
        line += " outside " + number(*node.read.outside);
    } else if (node.op == Op::Dim) {
      line += " " + std::to_string(node.dim);
    } else if (node.op == Op::Extent) {
      line += " {" + node.extent.str() + "}";
    }
    line += " : " + std::string(name(node.type));
    return line + (node.strict ? "" : " relaxed");
  }

  std::string &out;
  std::set<const Expr *> seen;
  std::map<const Expr *, size_t> numbers;
  std::map<std::string, size_t> byText;
};
} // namespace

static void printOperand(const Operand &operand, std::string &out) {
  constexpr std::string_view uses[] = {"input", "output", "scratch"};
  out += "  " + std::string(uses[static_cast<int>(operand.use)]) + " " + operand.name + " : " +
         std::string(name(operand.type)) + " " + list(operand.shape);
  if (!operand.panel)
    out += " strides " + list(operand.strides);
  else
    out += " panel" + std::to_string(operand.panel->width) +
           (operand.panel->group > 1 ? "x" + std::to_string(operand.panel->group) : "");
  out += " align " + std::to_string(operand.alignment);
  if (!operand.mayAlias.empty())
    out += " alias " + operand.mayAlias;
  out += "\n";
}

static void printStage(const Stage &stage, std::string &out) {
  out += "  stage " + stage.name + " : " + std::string(name(stage.type)) + " " +
         std::string(text(stage.role)) + " " + list(stage.domain);
  if (stage.combiner != Combiner::None)
    out += " " + std::string(text(stage.combiner)) + " over " + list(stage.reduction);
  out += "\n";
  BodyPrinter body(out);
  if (stage.init) {
    std::string init = body.print(stage.init);
    out += "    init " + init + "\n";
  }
  if (stage.body) {
    std::string value = body.print(stage.body);
    out += "    body " + value + "\n";
  }
  if (!stage.store.empty()) {
    for (const Index &index : stage.store)
      if (index.indirect)
        body.print(index.indirect);
    out += "    store " + body.indices(stage.store) + "\n";
  }
}

std::string spec::print(const KernelSpec &spec) {
  std::string out = "kernel\n";
  for (const Symbol &symbol : spec.symbols) {
    out += "  symbol " + symbol.name + " = " + std::to_string(symbol.lower) + "..";
    out += (symbol.upper ? std::to_string(*symbol.upper) : "") + "\n";
  }
  for (const Operand &operand : spec.operands)
    printOperand(operand, out);
  for (const Stage &stage : spec.stages)
    printStage(stage, out);
  if (spec.procedure) {
    out += "  procedure " + spec.procedure->name + " " + list(spec.procedure->sizes);
    for (const auto &[key, value] : spec.procedure->constants)
      out += " " + key + "=" + std::to_string(value);
    out += "\n";
  }
  if (!spec.schedule.templateName.empty()) {
    out += "  schedule " + spec.schedule.templateName;
    for (const auto &[key, value] : spec.schedule.parameters)
      out += " " + key + "=" + std::to_string(value);
    out += "\n";
  }
  return out;
}
