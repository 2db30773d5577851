//===- Main.cpp - conformance: every op against its definition ------------===//

#include "ir/KilnDialect.h"
#include "test/conformance/Cases.h"
#include "test/conformance/Setup.h"
#include "test/conformance/Workers.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/CommandLine.h"

#include <set>

using namespace kiln;
using namespace kiln::conformance;
namespace cl = llvm::cl;

static cl::opt<unsigned> seed("seed", cl::desc("of the values and the cells"), cl::init(0));
static cl::opt<int> tenth("tenth", cl::desc("only every tenth case, from this one"), cl::init(-1));
static cl::opt<std::string> onlyOp("op", cl::desc("only the cases of this op"));
static cl::opt<int> onlyCase("case", cl::desc("only this case"), cl::init(-1));
static cl::opt<bool> full("full", cl::desc("each case at every cell of the matrix"));
static cl::opt<bool> emulatesCUDA("cuda-emulated",
                                  cl::desc("run kernels for a GPU by the emulator"));
static cl::opt<bool> noHalide("llvm-only", cl::desc("leave the Halide generator out"));
static cl::opt<std::string> coverage("coverage",
                                     cl::desc("file of what ran, for tools/dev/check_coverage.py"));
static cl::opt<std::string> exportDir("export",
                                      cl::desc("write calls and the interpreter's results "
                                               "into this folder, and compile nothing"));
static cl::opt<unsigned> workers("j", cl::desc("processes at once"), cl::init(2));
static cl::opt<bool> listOnly("list", cl::desc("print the cases and end"));
static cl::opt<bool> showRefused("show-refused", cl::desc("print what the front end refuses"));

static constexpr size_t casesOfBatch = 32;

namespace {
/// What came of all.
class Report {
public:
  explicit Report(const std::vector<Case> &cases, bool halide) {
    lines.insert("generator llvm");
    if (halide)
      lines.insert("generator halide");
    for (const Case &one : cases) {
      lines.insert("op " + one.op);
      if (onlyCase < 0 && tenth < 0)
        asked.insert(one.op);
    }
  }
  void add(const Case &one, const Config &config, const Outcome &outcome);
  int finish();

private:
  struct Refusal {
    Case what;
    std::string text;
  };
  unsigned passed = 0, failed = 0;
  std::set<std::string> asked, ran, lines;
  std::set<std::pair<std::string, DType>> accepted;
  std::vector<Refusal> refusals;
};
} // namespace

static void print(const Case &one, const std::string &config, llvm::StringRef text) {
  llvm::outs() << "FAIL: case " << one.id << ", " << one.op << " " << name(one.type) << ", "
               << config << ": " << text << "\n    " << one.members << "\n";
  llvm::outs().flush();
}

void Report::add(const Case &one, const Config &config, const Outcome &outcome) {
  if (outcome.kind == Outcome::Refused) {
    refusals.push_back({one, outcome.text});
    return;
  }
  ran.insert(one.op);
  accepted.insert({one.op, one.type});
  lines.insert("legal " + one.op + " " + std::string(name(one.type)));
  if (outcome.kind == Outcome::Failed) {
    ++failed;
    print(one, config.str(), outcome.text);
    return;
  }
  ++passed;
  llvm::StringRef generator = config.isDevice() ? " cuda " : config.halide ? " halide " : " llvm ";
  lines.insert("passed " + one.op + " " + std::string(name(one.type)) + generator.str() +
               std::to_string(config.optLevel));
  if (passed % 500 == 0)
    llvm::errs() << passed << " passed, " << failed << " failed\n";
}

static bool isExpected(const Case &one, llvm::StringRef text) {
#define KILN_REFUSAL(name, words)                                                                  \
  if (one.op == name && text.starts_with(words))                                                   \
    return true;
#include "test/conformance/Refusals.def"
  return false;
}

/// Whether what was expected is a class of element types.
static bool wantsOtherType(llvm::StringRef text) {
  llvm::StringRef expected = text.split(", got").first;
  return llvm::any_of(llvm::ArrayRef<llvm::StringRef>{"float", "number", "integers", "bool"},
                      [&](llvm::StringRef word) { return expected.contains(word); });
}

/// A refusal of a whole element type is the op's domain, if the op's verifier says so; any other is
/// a failure unless Refusals.def has it.
int Report::finish() {
  for (const Refusal &refusal : refusals) {
    if (showRefused)
      llvm::outs() << "refused: " << refusal.what.members << "\n    " << refusal.text << "\n";
    if (isExpected(refusal.what, refusal.text)) {
      ++passed;
      continue;
    }
    if (wantsOtherType(refusal.text) &&
        (!accepted.count({refusal.what.op, refusal.what.type}) || tenth >= 0))
      continue; // by a tenth of the cases one cannot tell
    ++failed;
    print(refusal.what, "import", refusal.text); // part of the type's cases is accepted
  }
  for (const std::string &op : asked)
    if (!ran.count(op)) {
      ++failed;
      llvm::outs() << "FAIL: no case could be made for " << op << "\n";
    }
  if (!coverage.empty()) {
    std::error_code error;
    llvm::raw_fd_ostream os(coverage, error);
    for (const std::string &line : lines)
      os << line << "\n";
  }
  llvm::outs() << passed << " passed, " << failed << " failed, 0 skipped\n";
  return failed || !passed ? 1 : 0;
}

static std::vector<Case> chosenCases() {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<ir::KilnDialect>();
  std::vector<Case> cases = makeCases(PrimitiveTable(context));
  llvm::erase_if(cases, [](const Case &one) {
    // A multiple of ten would always meet the same shapes, so tenths go by a hash.
    bool other = tenth >= 0 && (one.id * 2654435761u >> 8) % 10 != unsigned(tenth) % 10;
    return other || (onlyCase >= 0 && one.id != unsigned(onlyCase)) ||
           (!onlyOp.empty() && one.op != onlyOp);
  });
  return cases;
}

/// The cell that differs in the generator alone; the same one where there is no other generator.
static size_t otherGenerator(const std::vector<Config> &cells, size_t cell) {
  for (size_t i = 0; i < cells.size(); ++i)
    if (cells[i].halide != cells[cell].halide && cells[i].optLevel == cells[cell].optLevel &&
        cells[i].target == cells[cell].target)
      return i;
  return cell;
}

/// The cells that each case runs at. An op's cases of one type take turns with the generators;
/// where they are few, each of them takes both.
static std::vector<std::set<size_t>> chooseCells(const std::vector<Case> &cases,
                                                 const std::vector<Config> &cells) {
  constexpr unsigned few = 10;
  std::map<std::pair<std::string, DType>, unsigned> counts;
  for (const Case &one : cases)
    ++counts[{one.op, one.type}];
  std::map<std::pair<std::string, DType>, unsigned> met;
  std::vector<std::set<size_t>> chosen;
  for (const Case &one : cases) {
    // A rotation that no list of shapes or types falls into step with.
    size_t cell = ((one.id + seed * 7919) * 2246822519u >> 7) % cells.size(),
           other = otherGenerator(cells, cell);
    if (cells[cell].halide != ((seed + met[{one.op, one.type}]++) % 2 != 0))
      std::swap(cell, other);
    chosen.push_back({cell});
    if (tenth < 0 && counts[{one.op, one.type}] < few)
      chosen.back().insert(other);
  }
  return chosen;
}

static std::deque<Job> makeJobs(const std::vector<Case> &cases, const std::vector<Config> &cells) {
  std::vector<std::set<size_t>> chosen = chooseCells(cases, cells);
  std::deque<Job> jobs;
  for (size_t cell = 0; cell < cells.size(); ++cell) {
    Job job{{}, cells[cell]};
    for (size_t i = 0; i < cases.size(); ++i) {
      if (!full && !chosen[i].count(cell))
        continue;
      job.cases.push_back(cases[i]);
      if (job.cases.size() == casesOfBatch)
        jobs.push_back(std::exchange(job, Job{{}, cells[cell]}));
    }
    if (!job.cases.empty())
      jobs.push_back(std::move(job));
  }
  return jobs;
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(
      argc, argv, "conformance: runs every op of the language against the interpreter\n");
  std::vector<Case> cases = chosenCases();
  if (listOnly) {
    for (const Case &one : cases)
      llvm::outs() << one.id << " " << one.members << "\n";
    return 0;
  }
  Setup setup(argv[0], !noHalide, emulatesCUDA);
  setup.common.seed = seed;
  setup.common.exportDir = exportDir;
  Report report(cases, setup.common.halide != nullptr);
  runJobs(makeJobs(cases, setup.cells), workers, setup.common,
          [&](const Case &one, const Config &config, const Outcome &outcome) {
            report.add(one, config, outcome);
          });
  return report.finish();
}
