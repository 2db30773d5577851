//===- Main.cpp - runs a compiled model or interprets IR ------------------===//
#include "tools/kiln-run/Compare.h"
#include "tools/kiln-run/Inputs.h"
#include "tools/kiln-run/Report.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

#include <chrono>
#include <numeric>

using namespace kiln;
using namespace kiln::run;
namespace cl = llvm::cl;

static constexpr char overview[] =
    "runs an entry point of a model and prints its results\n\n"
    "EXAMPLE\n"
    "  kiln-run libefficientnet_lite0.so --input image=cat.jpg --crop 0.875 --resize 224 \\\n"
    "    --mean 127 --std 128 --labels imagenet_labels.txt\n"
    "  kiln-run libmlp.so --input random:1 --dim N=8 --repeat 50 --profile\n"
    "  kiln-run libbert.so embed --tokenizer tokenizer.json \\\n"
    "    --input input_ids=text:\"A man is eating food.\" --input "
    "attention_mask=text-mask:input_ids\n"
    "  kiln-run libint8.so --input x=x.npy --compare libf32.so --require-error 0.01\n"
    "  kiln-run mlp.kiln --interpret --weights mlp.npz --input image=digits.npy\n";

namespace {
/// Made in main, when LLVM's own options, some of the same names, have been taken away.
struct CommandLine {
  cl::OptionCategory category{"kiln-run's options"};
  cl::opt<std::string> path{cl::Positional, cl::Required, cl::desc("LIB.so|MODEL.kiln|IR.mlir"),
                            cl::cat(category)};
  cl::opt<std::string> entryName{cl::Positional, cl::desc("[ENTRY]"), cl::cat(category)};
  cl::list<std::string> inputs{
      "input", cl::value_desc("NAME=VALUE"),
      cl::desc(
          "An argument: x.npy, x.png, x.jpg, text:SENTENCE, random:SEED or zeros. NAME= may be "
          "left "
          "out where there is one; x.npz then serves those whose names it holds, random and zeros "
          "all that are not given. Several sentences are rows; text-mask:NAME and text-types:NAME "
          "are the mask and the types of the sentences of another argument"),
      cl::cat(category)};
  cl::opt<std::string> tokenizer{
      "tokenizer", cl::value_desc("FILE.json"),
      cl::desc("How sentences become numbers of tokens: a tokenizer.json as published, read by the "
               "package 'tokenizers' of 'python3'"),
      cl::cat(category)};
  cl::list<std::string> dimensions{"dim", cl::value_desc("N=8"),
                                   cl::desc("A dimension that no input file tells"),
                                   cl::cat(category)};
  cl::opt<double> crop{"crop", cl::value_desc("F"), cl::init(0),
                       cl::desc("Images: cut the centred square of side F x short side"),
                       cl::cat(category)};
  cl::opt<int64_t> resize{"resize", cl::value_desc("PIXELS"), cl::init(0),
                          cl::desc("Images: then resize so that the short side is PIXELS "
                                   "(bicubic, antialiased)"),
                          cl::cat(category)};
  cl::opt<std::string> mean{"mean", cl::value_desc("X[,Y,Z]"), cl::init("0"),
                            cl::desc("Images: then subtract, from bytes 0 to 255"),
                            cl::cat(category)};
  cl::opt<std::string> deviation{"std", cl::value_desc("X[,Y,Z]"), cl::init("1"),
                                 cl::desc("Images: then divide"), cl::cat(category)};
  cl::list<std::string> outputs{"output", cl::value_desc("NAME=FILE.npy"),
                                cl::desc("Write a result"), cl::cat(category)};
  cl::opt<std::string> labels{"labels", cl::value_desc("FILE"),
                              cl::desc("Name the five most probable classes, one label a line"),
                              cl::cat(category)};
  cl::list<std::string> compare{
      "compare", cl::value_desc("NAME=FILE.npy|FILE.npz|LIB.so|MODEL.kiln|IR.mlir"),
      cl::desc("Compare a result, those that a file names, or all with those of another library or "
               "of the interpreter, by max|a-b| / max|b|; exit 1 above --rtol"),
      cl::cat(category)};
  cl::opt<double> tolerance{"rtol", cl::value_desc("R"), cl::init(1e-4),
                            cl::desc("Largest error for --compare (1e-4)"), cl::cat(category)};
  cl::opt<std::string> requiredError{
      "require-error", cl::value_desc("E|LEDGER.json"),
      cl::desc("--compare by the norm of the difference over that of the reference, with SQNR and "
               "cosine; exit 1 if it is not below E, or what the recipe of a ledger requires"),
      cl::cat(category)};
  cl::opt<unsigned> repeat{"repeat", cl::value_desc("N"), cl::init(0),
                           cl::desc("Call N more times and print the best and median time"),
                           cl::cat(category)};
  cl::opt<bool> profile{"profile", cl::desc("Print a table of time per kernel"), cl::cat(category)};
  cl::opt<unsigned> threads{"threads", cl::value_desc("T"), cl::init(1),
                            cl::desc("Threads; 0: all that the process may use"),
                            cl::cat(category)};
  cl::opt<bool> list{"list", cl::desc("Describe the entry points and stop"), cl::cat(category)};
  cl::opt<bool> interpret{"interpret", cl::desc("Run a .kiln or .mlir by the interpreter"),
                          cl::cat(category)};
  cl::list<std::string> weights{"weights", cl::value_desc("FILE"),
                                cl::desc("Interpreter: weights, also random:SEED or zeros"),
                                cl::cat(category)};
  cl::opt<std::string> weightsPrefix{"weights-prefix", cl::value_desc("P"),
                                     cl::desc("Interpreter: stands before names in the files"),
                                     cl::cat(category)};
  cl::list<std::string> renames{"rename", cl::value_desc("PATTERN=REPLACEMENT"),
                                cl::desc("Interpreter: changes names of the files, as kilnc's"),
                                cl::cat(category)};
  cl::opt<std::string> modelName{"model", cl::value_desc("NAME"),
                                 cl::desc("Interpreter: the model of a file with several"),
                                 cl::cat(category)};
  cl::list<std::string> sets{"set", cl::value_desc("NAME=V"),
                             cl::desc("Interpreter: an argument of the model"), cl::cat(category)};
};
} // namespace

static CommandLine *given;

static llvm::Expected<std::unique_ptr<Program>> openForInterpreter(llvm::StringRef file) {
  ModuleOptions options{given->modelName, {}, given->weights, given->weightsPrefix, {}};
  for (llvm::StringRef text : given->sets) {
    auto [name, value] = text.split('=');
    if (name.empty() || value.empty())
      return failure("expected '--set NAME=VALUE', got '--set " + text + "'");
    options.sets.emplace_back(name.str(), value.str());
  }
  for (llvm::StringRef text : given->renames)
    options.renames.emplace_back(text.split('=').first.str(), text.split('=').second.str());
  return openModule(file, options);
}

static bool isModuleFile(llvm::StringRef file) {
  return file.ends_with(".mlir") || file.ends_with(".kiln");
}

static llvm::Expected<std::unique_ptr<Program>> openCompiled(llvm::StringRef file,
                                                             bool isProfiled) {
  return openLibrary(file,
                     {static_cast<int>(std::min(given->threads.getValue(), 1024u)), isProfiled});
}

static llvm::Expected<std::unique_ptr<Program>> openReference(llvm::StringRef file) {
  return isModuleFile(file) ? openForInterpreter(file) : openCompiled(file, false);
}

static llvm::Expected<std::unique_ptr<Program>> open() {
  llvm::StringRef file = given->path;
  bool isModule = isModuleFile(file);
  if (isModule && !given->interpret)
    return failure("'" + file +
                   "' is not compiled: add '--interpret' to run it by the "
                   "interpreter, or make a library of it with kilnc");
  if (isModule)
    return openForInterpreter(file);
  bool isWanted = !given->weights.empty() && llvm::none_of(given->compare, isModuleFile);
  if (given->interpret || isWanted)
    return failure("'--interpret' and '--weights' need a file named .kiln or .mlir, got '" + file +
                   "'");
  return openCompiled(file, given->profile);
}

static llvm::Expected<unsigned> findEntry(llvm::ArrayRef<Entry> entries) {
  std::string names;
  for (auto [i, entry] : llvm::enumerate(entries)) {
    if (entry.name == given->entryName || (given->entryName.empty() && entries.size() == 1))
      return static_cast<unsigned>(i);
    names += (i ? ", '" : "'") + entry.name + "'";
  }
  if (given->entryName.empty())
    return failure("expected the name of an entry point after '" + given->path + "': one of " +
                   names);
  return failure("'" + given->path + "' has no entry point '" + given->entryName +
                 "', expected one of " + names);
}

static llvm::Error readDims(const Entry &entry, Dims &dims) {
  for (llvm::StringRef text : given->dimensions) {
    auto [name, digits] = text.split('=');
    int64_t value;
    if (digits.getAsInteger(10, value) || value < 0)
      return failure("expected '--dim NAME=8', got '--dim " + text + "'");
    if (!llvm::any_of(entry.dimensions, [&](const Dimension &d) { return d.name == name; }))
      return failure("'--dim " + text + "': '" + entry.name + "' has no dimension '" + name + "'");
    dims[name.str()] = value;
  }
  return llvm::Error::success();
}

/// One number for all channels, or three.
static llvm::Error readChannels(const cl::opt<std::string> &option, std::array<double, 3> &into) {
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(option).split(parts, ',');
  bool isGood = parts.size() == 1 || parts.size() == 3;
  for (size_t i = 0; i < 3 && isGood; ++i)
    isGood = !parts[parts.size() == 1 ? 0 : i].trim().getAsDouble(into[i]);
  if (isGood)
    return llvm::Error::success();
  return failure("'--" + option.ArgStr +
                 "': expected one number or three like '123.7,116.3,103.5', "
                 "got '" +
                 option + "'");
}

static llvm::Expected<ImageOptions> readImageOptions() {
  ImageOptions options;
  options.crop = given->crop;
  options.resize = given->resize;
  if (given->crop.getNumOccurrences() && !(given->crop > 0 && given->crop <= 1))
    return failure("'--crop': expected a fraction above 0 and at most 1");
  constexpr int64_t longest = 16384;
  if (given->resize.getNumOccurrences() && (given->resize < 1 || given->resize > longest))
    return failure("'--resize': expected 1 to " + llvm::Twine(longest) + " pixels, got " +
                   llvm::Twine(given->resize.getValue()));
  if (llvm::Error error = readChannels(given->mean, options.mean))
    return error;
  if (llvm::Error error = readChannels(given->deviation, options.deviation))
    return error;
  if (llvm::is_contained(options.deviation, 0.0))
    return failure("'--std': expected numbers other than 0");
  return options;
}

static llvm::Error writeOutputs(const Entry &entry, llvm::ArrayRef<Value> results) {
  for (llvm::StringRef text : given->outputs) {
    auto result = findResult(entry, "output", text);
    if (!result)
      return result.takeError();
    if (llvm::Error error = writeNpy(result->second, results[result->first]))
      return error;
  }
  return llvm::Error::success();
}

static llvm::Expected<CompareOptions> readCompareOptions() {
  CompareOptions options{given->compare, given->tolerance, std::nullopt, openReference};
  if (given->requiredError.empty())
    return options;
  if (given->compare.empty())
    return failure("'--require-error' needs something to compare with: '--compare libf32.so'");
  if (given->tolerance.getNumOccurrences())
    return failure("'--rtol' and '--require-error' are two measures: give one of them");
  llvm::Expected<double> limit = readLimit(given->requiredError);
  if (!limit)
    return limit.takeError();
  options.limit = *limit;
  return options;
}

static llvm::Error nameClasses(const Entry &entry, llvm::ArrayRef<Value> results) {
  llvm::Expected<std::vector<std::string>> names = readLabels(given->labels);
  if (!names)
    return names.takeError();
  for (const Value &value : results)
    if (isFloat(value.type) && value.shape.size() == 2)
      return printLabels(llvm::outs(), value, *names);
  return failure("'--labels' needs a float result of two dimensions, '" + entry.name +
                 "' has none");
}

/// Runs the prepared entry point 1 + repeat times and returns the times in milliseconds.
static llvm::Expected<std::vector<double>>
callAll(Program &program, llvm::ArrayRef<Value> arguments, std::vector<Value> &results) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  for (unsigned i = 0; i <= given->repeat; ++i) {
    Clock::time_point start = Clock::now();
    if (llvm::Error error = program.call(arguments, results))
      return error;
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  return times;
}

static llvm::Error runEntry(Program &program) {
  llvm::Expected<unsigned> number = findEntry(program.entries());
  if (!number)
    return number.takeError();
  const Entry &entry = program.entries()[*number];
  Dims dims;
  if (llvm::Error error = readDims(entry, dims))
    return error;
  llvm::Expected<ImageOptions> imageOptions = readImageOptions();
  if (!imageOptions)
    return imageOptions.takeError();
  auto arguments = makeInputs(entry, given->inputs, dims, {*imageOptions, given->tokenizer});
  if (!arguments)
    return arguments.takeError();
  llvm::Expected<CompareOptions> compare = readCompareOptions();
  if (!compare)
    return compare.takeError();
  llvm::Expected<std::vector<Value>> made = makeResults(entry, dims);
  if (!made)
    return made.takeError();
  std::vector<Value> &results = *made;
  if (llvm::Error error = program.prepare(*number, dims))
    return error;
  llvm::Expected<std::vector<double>> times = callAll(program, *arguments, results);
  if (!times)
    return times.takeError();
  for (auto [spec, value] : llvm::zip(entry.results, results))
    printValue(llvm::outs(), spec.name, value);
  if (!given->labels.empty())
    if (llvm::Error error = nameClasses(entry, results))
      return error;
  if (given->repeat > 0)
    printTimes(llvm::outs(), *times);
  if (given->profile) {
    llvm::ArrayRef<double> steady = *times;
    steady = steady.size() > 1 ? steady.drop_front() : steady;
    if (std::string target = program.target(); !target.empty())
      llvm::outs() << "computed by " << target << '\n';
    printProfile(llvm::outs(), program.profile(),
                 std::accumulate(steady.begin(), steady.end(), 0.0) / double(steady.size()));
  }
  if (llvm::Error error = writeOutputs(entry, results))
    return error;
  return compareResults(llvm::outs(), {entry, dims, *arguments, results, given->repeat + 1},
                        *compare);
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ResetCommandLineParser();
  CommandLine commandLine;
  given = &commandLine;
  cl::HideUnrelatedOptions(given->category);
  cl::ParseCommandLineOptions(argc, argv, overview);
  auto run = [&]() -> llvm::Error {
    llvm::Expected<std::unique_ptr<Program>> program = open();
    if (!program)
      return program.takeError();
    if (!given->list)
      return runEntry(**program);
    (*program)->describe(llvm::outs());
    printEntries(llvm::outs(), (*program)->entries());
    return llvm::Error::success();
  };
  if (llvm::Error error = run()) {
    llvm::outs().flush();
    llvm::errs() << "kiln-run: error: " << llvm::toString(std::move(error)) << '\n';
    return 1;
  }
  return 0;
}
