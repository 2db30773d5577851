//===- HtmlReport.cpp - a compilation as one page -------------------------===//
#include "tools/kilnc/HtmlReport.h"

#include "ir/KilnDialect.h"
#include "ir/KilnOps.h"
#include "passes/compress/Layers.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace kiln;
using namespace llvm;

namespace {
/// Memory of the arena that a kernel fills.
struct Box {
  unsigned first = 0, last = 0; ///< numbers of kernels
  int64_t offset = 0, bytes = 0;
};

/// A kernel's call.
struct Row {
  const host::Launch *launch;
  ir::LaunchOp op; ///< null where the program has calls that the module has not
  int64_t flops = 0, bytes = 0;
  double seconds = 0;
};

/// Writes one page.
class Page {
public:
  Page(raw_ostream &os, const HtmlReport &report) : os(os), report(report) {}
  void write();

private:
  void head();
  void summary();
  void entry(const host::EntryPoint &entry);
  void kernels(ArrayRef<Row> rows);
  void arena(ArrayRef<Box> boxes, int64_t size, size_t kernels);
  void remarks();
  void ledger();
  void ledgerRow(const LedgerRow &row);
  void data();

  std::string operands(const Row &row);
  std::string source(mlir::Value value);
  std::vector<Row> rowsOf(const host::EntryPoint &entry);
  std::vector<Box> boxesOf(ArrayRef<Row> rows);
  unsigned lastUse(mlir::Value value, unsigned first);
  std::string reasonOf(StringRef kernel) const;
  int64_t numberOf(const DimExpr &expr) const;
  const Ledger &table() {
    return report.module.getContext()->getLoadedDialect<ir::KilnDialect>()->getLedger();
  }

  raw_ostream &os;
  HtmlReport report;
  const host::EntryPoint *current = nullptr;
  DenseMap<mlir::Operation *, unsigned> numbers; ///< of the entry's kernels, from 0
};
} // namespace

static std::string escaped(StringRef text) {
  std::string out;
  raw_string_ostream stream(out);
  printHTMLEscaped(text, stream);
  return out;
}

/// "1.5 MB".
static std::string amount(double value, StringRef unit) {
  static constexpr StringRef prefixes[] = {"", "k", "M", "G", "T"};
  unsigned step = 0;
  for (; value >= 1000 && step < 4; ++step)
    value /= 1000;
  return formatv(step ? "{0:f1} {1}{2}" : "{0:f0} {1}{2}", value, prefixes[step], unit).str();
}

/// At the sizes that the page is about.
int64_t Page::numberOf(const DimExpr &expr) const {
  return expr
      .evaluate([&](std::string_view name) -> std::optional<int64_t> {
        int64_t size = 1;
        if (current)
          for (const host::Dimension &dimension : current->dimensions)
            if (dimension.name == name)
              size = std::min(std::max<int64_t>(dimension.lower, 1), dimension.upper.value_or(1));
        return size;
      })
      .value_or(0);
}

std::vector<Row> Page::rowsOf(const host::EntryPoint &entry) {
  SmallVector<ir::LaunchOp> ops;
  if (auto function = report.module.lookupSymbol<mlir::func::FuncOp>(entry.name))
    function->walk<mlir::WalkOrder::PreOrder>([&](ir::LaunchOp op) { ops.push_back(op); });
  std::vector<Row> rows;
  host::forEachLaunch(entry.launches, [&](const host::Launch &launch) {
    if (launch.kind == host::Launch::Kind::Kernel)
      rows.push_back({&launch, nullptr});
  });
  const target::Target &target = *report.targets.back();
  numbers.clear();
  for (auto [i, row] : enumerate(rows)) {
    if (ops.size() == rows.size())
      numbers[row.op = ops[i]] = i;
    row.flops = numberOf(row.launch->flops);
    row.bytes = numberOf(row.launch->bytes);
    row.seconds = std::max(static_cast<double>(row.flops) / target.peakF32,
                           static_cast<double>(row.bytes) / target.peakMemory) *
                  1e-9;
  }
  return rows;
}

/// The last kernel that reads the value, through views and out of loops.
unsigned Page::lastUse(mlir::Value value, unsigned first) {
  unsigned last = first;
  for (mlir::Operation *user : value.getUsers()) {
    if (auto found = numbers.find(user); found != numbers.end()) {
      last = std::max(last, found->second);
      continue;
    }
    user->walk([&](ir::LaunchOp op) { last = std::max(last, numbers.lookup(op)); });
    for (mlir::Value result : user->getResults())
      last = std::max(last, lastUse(result, first));
  }
  return last;
}

std::vector<Box> Page::boxesOf(ArrayRef<Row> rows) {
  std::vector<Box> boxes;
  for (const Row &row : rows) {
    ir::LaunchOp op = row.op;
    if (!op || !op.getOffsetsAttr())
      continue;
    unsigned first = numbers.lookup(op);
    for (auto [result, offset] : zip(op.getResults(), op.getOffsetsAttr().getDims())) {
      int64_t at = numberOf(offset);
      if (at < 0) // written where the caller wants it
        continue;
      DimExpr size = ir::numElements(ir::dimsOf(result.getType())) *
                     DimExpr(byteSize(*ir::dtypeOf(result.getType())));
      boxes.push_back({first, lastUse(result, first), at, numberOf(size)});
    }
  }
  return boxes;
}

/// Where a value comes from, with a link if it is a kernel.
std::string Page::source(mlir::Value value) {
  while (mlir::Operation *op = value.getDefiningOp()) {
    if (auto found = numbers.find(op); found != numbers.end())
      return formatv("<a href=\"#{0}-k{1}\">k{1}</a>", current->name, found->second).str();
    if (auto get = mlir::dyn_cast<ir::GetOp>(op))
      return escaped(get.getWeight());
    if (op->getNumOperands() == 0)
      break;
    value = op->getOperand(0);
  }
  auto argument = mlir::dyn_cast<mlir::BlockArgument>(value);
  bool isEntrys = argument && mlir::isa<mlir::func::FuncOp>(argument.getOwner()->getParentOp());
  if (isEntrys && argument.getArgNumber() < current->arguments.size())
    return "argument " + escaped(current->arguments[argument.getArgNumber()].name);
  return argument ? "carried" : escaped(value.getDefiningOp()->getName().stripDialect());
}

std::string Page::operands(const Row &row) {
  std::string text;
  if (ir::LaunchOp op = row.op)
    for (mlir::Value operand : op->getOperands())
      text += (text.empty() ? "" : ", ") + source(operand);
  return text;
}

/// What `choose` said of the kernel.
std::string Page::reasonOf(StringRef kernel) const {
  for (StringRef line : report.remarks)
    if (size_t at = line.find(("(choose): '" + kernel + "': ").str()); at != StringRef::npos)
      return line.drop_front(line.find(": ", at + kernel.size()) + 2).str();
  return "";
}

void Page::head() {
  os << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>"
     << escaped(report.program.modelName) << "</title>\n<style>\n"
     << "body{font:14px/1.4 sans-serif;margin:1.5em;max-width:90em;color:#222}\n"
     << "table{border-collapse:collapse;margin:.5em 0}\n"
     << "th,td{border:1px solid #ccc;padding:.2em .5em;text-align:left;vertical-align:top}\n"
     << "th{background:#eee}td.n{text-align:right;white-space:nowrap}\n"
     << "tr:target{background:#ffd}.bar{background:#69c;height:.7em}\n"
     << "svg{border:1px solid #ccc;background:#fafafa}\n</style>\n</head>\n<body>\n";
}

void Page::summary() {
  const host::Program &program = report.program;
  std::string names;
  for (const target::Target *target : report.targets)
    names += (names.empty() ? "" : ", ") + std::string(target->name);
  int64_t weights = 0;
  for (const host::WeightInfo &weight : program.weights)
    weights += weight.bytes;
  auto line = [&](StringRef name, StringRef value) {
    os << "<tr><th>" << name << "</th><td>" << escaped(value) << "</td></tr>\n";
  };
  os << "<h1>" << escaped(program.modelName) << "</h1>\n<table id=\"summary\">\n";
  line("compiler", program.version);
  line("targets", names);
  line("weights",
       std::to_string(program.weights.size()) + ", " + amount(static_cast<double>(weights), "B"));
  if (report.model.error)
    line(
        "error of the outputs",
        formatv("{0} on {1} calls", passes::digits(*report.model.error), report.model.calls).str());
  if (report.model.required)
    line("required", formatv("less than {0}; {1} layers are held back, {2} in part",
                             passes::digits(*report.model.required), report.model.heldBack(),
                             report.model.retreats())
                         .str());
  os << "</table>\n";
}

void Page::kernels(ArrayRef<Row> rows) {
  double all = 0;
  for (const Row &row : rows)
    all += row.seconds;
  os << "<table class=\"kernels\">\n<tr><th>kernel</th><th>fusion group</th><th>place</th><th>"
        "reads</th><th>FLOPs</th><th>bytes</th><th>predicted share</th><th>generator</th>"
        "<th>reason</th></tr>\n";
  for (auto [i, row] : enumerate(rows)) {
    std::string generator, reason;
    if (ir::LaunchOp op = row.op) {
      StringRef symbol = op.getKernel();
      if (auto kernel = report.module.lookupSymbol<ir::KernelOp>(symbol))
        if (auto name = kernel->getAttrOfType<mlir::StringAttr>("kiln.generator"))
          generator = name.getValue();
      reason = reasonOf(symbol);
    }
    double share = all > 0 ? 100 * row.seconds / all : 0;
    os << formatv("<tr id=\"{0}-k{1}\"><td>k{1}</td><td>{2}</td><td>{3}</td><td>{4}</td>",
                  current->name, i, escaped(row.launch->label), escaped(row.launch->location),
                  operands(row))
       << formatv("<td class=\"n\" title=\"{0}\">{1}</td><td class=\"n\" title=\"{2}\">{3}</td>",
                  escaped(row.launch->flops.str()), amount(static_cast<double>(row.flops), ""),
                  escaped(row.launch->bytes.str()), amount(static_cast<double>(row.bytes), "B"))
       << formatv("<td>{0:f1} %<div class=\"bar\" style=\"width:{0:f1}%\"></div></td>", share)
       << "<td>" << escaped(generator) << "</td><td>" << escaped(reason) << "</td></tr>\n";
  }
  os << "</table>\n";
}

/// Kernels go to the right, addresses down.
void Page::arena(ArrayRef<Box> boxes, int64_t size, size_t kernels) {
  constexpr double width = 960, height = 320;
  double column = width / static_cast<double>(std::max<size_t>(kernels, 1));
  double scale = height / static_cast<double>(std::max<int64_t>(size, 1));
  os << "<h3>Arena: " << amount(static_cast<double>(size), "B") << "</h3>\n"
     << formatv("<svg class=\"arena\" width=\"{0:f0}\" height=\"{1:f0}\" role=\"img\" "
                "aria-label=\"buffers over kernels and bytes\">\n",
                width, height);
  for (const Box &box : boxes)
    os << formatv("<rect x=\"{0:f1}\" y=\"{1:f1}\" width=\"{2:f1}\" height=\"{3:f1}\" "
                  "fill=\"hsl({4},55%,70%)\" stroke=\"#555\"><title>k{5}: bytes {6} to {7}, "
                  "until k{8}</title></rect>\n",
                  box.first * column, static_cast<double>(box.offset) * scale,
                  (box.last - box.first + 1) * column, static_cast<double>(box.bytes) * scale,
                  box.first * 47 % 360, box.first, box.offset, box.offset + box.bytes, box.last);
  os << "</svg>\n";
}

void Page::entry(const host::EntryPoint &entry) {
  current = &entry;
  auto signature = [](ArrayRef<host::TensorInfo> tensors) {
    std::string text;
    for (const host::TensorInfo &tensor : tensors) {
      text +=
          (text.empty() ? "" : ", ") + tensor.name + ": " + std::string(name(tensor.type)) + "[";
      for (auto [i, extent] : enumerate(tensor.shape))
        text += (i ? ", " : "") + extent.str();
      text += "]";
    }
    return text;
  };
  std::vector<Row> rows = rowsOf(entry);
  os << "<h2 id=\"" << entry.name << "\">" << entry.name << "</h2>\n<p>("
     << escaped(signature(entry.arguments)) << ") -&gt; (" << escaped(signature(entry.results))
     << ")";
  for (const host::Dimension &dimension : entry.dimensions)
    os << "; with " << dimension.name << " = " << numberOf(DimExpr::symbol(dimension.name));
  os << ". Formulas stand behind the numbers. A share is that of the longer of FLOPs and bytes at "
        "the peaks of "
     << report.targets.back()->name << ", on one core; steps in loops count once.</p>\n";
  kernels(rows);
  arena(boxesOf(rows), numberOf(entry.arenaBytes), rows.size());
}

void Page::remarks() {
  os << "<h2>Remarks</h2>\n<ul id=\"remarks\">\n";
  for (const std::string &line : report.remarks)
    os << "<li>" << escaped(line) << "</li>\n";
  os << "</ul>\n";
}

void Page::ledgerRow(const LedgerRow &row) {
  std::string alone, reasons;
  for (const LedgerModel::Alone &one : report.model.alone)
    if (one.layer == row.layer)
      alone = passes::digits(one.error);
  for (const std::string &reason : row.reasons)
    reasons += (reasons.empty() ? "" : "; ") + reason;
  os << "<tr><td>" << escaped(row.layer) << "</td><td>" << escaped(row.scheme) << "</td><td>"
     << escaped(row.pruning) << "</td>"
     << formatv("<td class=\"n\">{0}</td><td class=\"n\">{1:f2}</td><td class=\"n\">{2}</td>"
                "<td class=\"n\">{3}</td><td class=\"n\">{4}</td><td class=\"n\">{5}</td>",
                row.bits, row.density(), row.bytesBefore, row.bytesAfter,
                passes::digits(row.relativeError()), alone)
     << "<td>" << escaped(reasons) << "</td></tr>\n";
}

void Page::ledger() {
  os << "<h2>Ledger</h2>\n";
  if (table().rows().empty()) {
    os << "<p>Nothing asked for compressed layers.</p>\n";
    return;
  }
  os << "<table id=\"ledger\">\n<tr><th>layer</th><th>scheme</th><th>pruning</th>"
        "<th>bits</th><th>density</th><th>bytes before</th><th>bytes after</th><th>error of the "
        "weight</th><th>error of the outputs when alone</th><th>reasons</th></tr>\n";
  for (const LedgerRow &row : table().rows())
    ledgerRow(row);
  os << "</table>\n";
}

/// The ledger once more, for programs.
void Page::data() {
  std::string text;
  raw_string_ostream stream(text);
  print(stream, table(), report.model);
  os << "<script type=\"application/json\" id=\"data\">\n";
  for (char c : text) // no text ends the element
    c == '<' ? os << "\\u003c" : os << c;
  os << "</script>\n";
}

void Page::write() {
  head();
  summary();
  for (const host::EntryPoint &each : report.program.entries)
    entry(each);
  ledger();
  remarks();
  data();
  os << "</body>\n</html>\n";
}

void kiln::writeHtmlReport(raw_ostream &os, const HtmlReport &report) { Page(os, report).write(); }
