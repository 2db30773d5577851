//===- ProgramFuzz.cpp - random models through the whole compiler ---------===//
//
// ProgramFuzz SEED COUNT: makes COUNT typed models of random ops, compiles each at one cell of the
// matrix and compares it, stage by stage and as a library, with the interpreter. Every tenth model
// is spoilt, and may be refused. A failing model is made as small as it goes, and printed.
//
// ProgramFuzz --corpus DIR: runs the models of the folder's .kiln files at every cell.
//
//===----------------------------------------------------------------------===//

#include "test/conformance/Setup.h"
#include "test/conformance/Workers.h"
#include "test/fuzz/Maker.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <set>

using namespace kiln;
using namespace kiln::conformance;
using namespace kiln::fuzz;
namespace cl = llvm::cl;

static cl::opt<uint64_t> seed(cl::Positional, cl::desc("SEED"));
static cl::opt<unsigned> count(cl::Positional, cl::desc("COUNT"));
static cl::opt<std::string> corpus("corpus", cl::desc("run the models of this folder's files"),
                                   cl::value_desc("DIR"));
static cl::opt<int> onlyProgram("program", cl::desc("only the program of this number"),
                                cl::init(-1));
static cl::opt<bool> full("full", cl::desc("each program at every cell of the matrix"));
static cl::opt<bool> emulatesCUDA("cuda-emulated",
                                  cl::desc("run kernels for a GPU by the emulator"));
static cl::opt<bool> noHalide("llvm-only", cl::desc("leave the Halide generator out"));
static cl::opt<bool> listOnly("list", cl::desc("print the programs and end"));
static cl::opt<unsigned> workers("j", cl::desc("processes at once"), cl::init(2));
static cl::opt<unsigned> atMost("failures", cl::desc("end after as many failures"), cl::init(10));

static constexpr size_t programsOfBatch = 12;

namespace {
struct Failure {
  Program program;
  Config config;
  std::string text;
};

/// Makes the programs, runs them and keeps count.
class Fuzzer {
public:
  Fuzzer(const Setup &setup) : setup(setup), pointwise(findPointwise(setup.common.stdDir)) {}
  int run();
  void list();

private:
  Program make(unsigned number);
  static bool isSpoilt(unsigned number) { return number % 10 == 9; }
  void runSome(unsigned from, unsigned end);
  std::string failureOf(const Program &program, const Config &config);
  void shrink(Failure &failure);

  const Setup &setup;
  std::vector<Pointwise> pointwise;
  std::vector<Failure> failures;
  unsigned agreed = 0, refused = 0, steps = 0;
};
} // namespace

Program Fuzzer::make(unsigned number) {
  Maker maker(seed * 1000000007 + number, pointwise);
  Program program = maker.make(number);
  if (isSpoilt(number)) { // another value for an operand
    Entry &entry = program.entries[0];
    Step &step = entry.steps[maker.below(entry.steps.size())];
    if (!step.operands.empty() && !step.results.empty() && step.results[0])
      step.operands[maker.below(step.operands.size())] = maker.below(step.results[0]);
  }
  return program;
}

/// What is wrong with a program by itself; empty if nothing is, or if it is refused.
std::string Fuzzer::failureOf(const Program &program, const Config &config) {
  std::string text;
  runJobs({Job{{program.makeCase()}, config}}, 1, setup.common,
          [&](const Case &, const Config &, const Outcome &outcome) {
            if (outcome.kind == Outcome::Failed)
              text = outcome.text;
          });
  return text;
}

void Fuzzer::shrink(Failure &failure) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (Program &candidate : smallerPrograms(failure.program))
      if (std::string text = failureOf(candidate, failure.config); !text.empty()) {
        failure.program = std::move(candidate);
        failure.text = text;
        smaller = true;
        break;
      }
  }
}

void Fuzzer::runSome(unsigned from, unsigned end) {
  std::vector<Program> programs;
  std::vector<Job> jobs(setup.cells.size());
  for (unsigned number = from; number < end; ++number) {
    if (onlyProgram >= 0 && number != unsigned(onlyProgram))
      continue;
    programs.push_back(make(number));
    Case one = programs.back().makeCase();
    for (size_t cell = 0; cell < jobs.size(); ++cell) {
      jobs[cell].config = setup.cells[cell];
      if (full || (number * 2246822519u >> 7) % jobs.size() == cell)
        jobs[cell].cases.push_back(one);
    }
  }
  std::erase_if(jobs, [](const Job &job) { return job.cases.empty(); });
  auto give = [&](const Case &one, const Config &config, const Outcome &outcome) {
    auto program = llvm::find_if(programs, [&](const Program &p) { return p.id == one.id; });
    if (outcome.kind == Outcome::Passed) {
      ++agreed;
      steps += program->numSteps();
    } else if (outcome.kind == Outcome::Refused && isSpoilt(one.id)) {
      ++refused;
    } else {
      failures.push_back({*program, config, outcome.text});
      if (outcome.kind == Outcome::Failed)
        shrink(failures.back());
      const Failure &failure = failures.back();
      llvm::outs() << "FAIL: program " << one.id << " of seed " << seed << ", " << config.str()
                   << ": " << failure.text << "\n"
                   << failure.program.makeCase().model();
      llvm::outs().flush();
    }
  };
  runJobs({jobs.begin(), jobs.end()}, workers, setup.common, give);
}

void Fuzzer::list() {
  for (unsigned number = 0; number < count; ++number)
    if (onlyProgram < 0 || number == unsigned(onlyProgram))
      llvm::outs() << make(number).makeCase().model();
}

int Fuzzer::run() {
  // Batches as large as pay, with every cell in each round.
  unsigned round = full ? programsOfBatch : programsOfBatch * setup.cells.size();
  for (unsigned from = 0; from < count && failures.size() < atMost; from += round) {
    runSome(from, std::min<unsigned>(count, from + round));
    llvm::errs() << agreed << " agreed, " << refused << " refused, " << failures.size()
                 << " failed\n";
  }
  llvm::outs() << "seed " << seed << ": " << agreed << " programs of " << steps
               << " steps agree with the interpreter, " << refused << " spoilt ones were refused, "
               << failures.size() << " failed\n";
  return failures.empty() && agreed ? 0 : 1;
}

/// The model of a file. Its entry points need names that no other file has.
static Case readCase(const std::string &path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    llvm::report_fatal_error(llvm::Twine("cannot read ") + path, false);
  llvm::StringRef text = (*file)->getBuffer();
  Case one;
  one.members = text.slice(text.find("{\n") + 2, text.rfind('}')).str();
  for (llvm::StringRef rest = text; !rest.empty();) {
    rest = rest.split("\n  fn ").second;
    if (llvm::StringRef name = rest.take_while(llvm::isAlnum); !name.empty())
      one.entries.push_back(name.str());
  }
  return one;
}

static int runCorpus(const Setup &setup) {
  std::set<std::string> paths; // sorted
  std::error_code error;
  for (llvm::sys::fs::directory_iterator it(corpus, error), end; it != end && !error;
       it.increment(error))
    if (llvm::StringRef(it->path()).ends_with(".kiln"))
      paths.insert(it->path());
  std::vector<Case> cases;
  for (const std::string &path : paths) {
    cases.push_back(readCase(path));
    cases.back().id = cases.size() - 1;
    cases.back().isThorough = true;
  }
  unsigned agreed = 0;
  std::vector<Job> jobs;
  for (const Config &cell : setup.cells)
    jobs.push_back({cases, cell});
  size_t runs = jobs.size() * cases.size();
  runJobs({jobs.begin(), jobs.end()}, workers, setup.common,
          [&](const Case &one, const Config &config, const Outcome &outcome) {
            if (outcome.kind == Outcome::Passed)
              ++agreed;
            else
              llvm::outs() << "FAIL: " << *std::next(paths.begin(), one.id) << ", " << config.str()
                           << ": " << outcome.text << "\n";
          });
  llvm::outs() << agreed << " of " << runs << " runs of " << cases.size()
               << " models agree with the interpreter\n";
  return agreed == runs && runs ? 0 : 1;
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv,
                              "ProgramFuzz: compares random models with the interpreter\n");
  Setup setup(argv[0], !noHalide, emulatesCUDA);
  if (!corpus.empty())
    return runCorpus(setup);
  if (!seed.getNumOccurrences() || !count.getNumOccurrences()) {
    llvm::errs() << "ProgramFuzz: give SEED and COUNT, or --corpus DIR\n";
    return 1;
  }
  Fuzzer fuzzer(setup);
  if (listOnly)
    return fuzzer.list(), 0;
  return fuzzer.run();
}
