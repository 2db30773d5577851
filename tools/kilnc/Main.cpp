//===- Main.cpp - kilnc: flags to options ---------------------------------===//

#include "codegen/KernelCache.h"
#include "tools/kilnc/Compile.h"
#include "tools/kilnc/Info.h"
#include "tools/kilnc/Interrupt.h"
#include "tools/kilnc/Report.h"

#include "frontend/syntax/Explain.h"
#include "passes/Pipeline.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/TargetSelect.h"

using namespace llvm;
using namespace kiln;

static cl::OptionCategory category("Kiln's options");
static cl::opt<std::string> input(cl::Positional,
                                  cl::desc("MODEL.kiln, IR.mlir (with its .kwts), or - for a model "
                                           "from standard input"),
                                  cl::cat(category));
static cl::opt<std::string>
    output("o", cl::desc("the library (.so, .a, .o); its header stands beside it"),
           cl::value_desc("file"), cl::cat(category));
static cl::opt<std::string> header("header",
                                   cl::desc("the C header (default: beside the library, named by "
                                            "it: libone.so has one.h)"),
                                   cl::value_desc("file"), cl::cat(category));
static cl::list<std::string> weights("weights",
                                     cl::desc("file with trained tensors (.safetensors, .npz, .pt, "
                                              ".pth), also several; or zeros, or random:SEED"),
                                     cl::value_desc("file"), cl::cat(category));
static cl::opt<std::string> prefix("weights-prefix",
                                   cl::desc("what stands before each name in the weight files"),
                                   cl::value_desc("text"), cl::cat(category));
static cl::list<std::string>
    renames("rename",
            cl::desc("changes names of the weight files before they are looked up, e.g. --rename "
                     "'*.gamma=*.weight'; several are tried in order"),
            cl::value_desc("pattern=replacement"), cl::cat(category));
static cl::opt<bool> allowUnused("allow-unused-weights",
                                 cl::desc("accept tensors that the model does not read"),
                                 cl::cat(category));
static cl::opt<std::string> model("model", cl::desc("which model of the file"),
                                  cl::value_desc("name"), cl::cat(category));
static cl::list<std::string> sets("set",
                                  cl::desc("an argument of the model, e.g. --set classes=10"),
                                  cl::value_desc("name=value"), cl::cat(category));
static cl::list<std::string> maxima("max",
                                    cl::desc("an upper bound of a dimension, e.g. --max N=64"),
                                    cl::value_desc("name=number"), cl::cat(category));
static cl::list<std::string>
    fixed("fix", cl::desc("one size of a dimension, e.g. --fix N=1: the fastest code for it"),
          cl::value_desc("name=number"), cl::cat(category));
static cl::list<std::string> targets(
    "target",
    cl::desc(
        "native, x86-64-v3, x86-64-v4, zen4, cuda:sm_80 (--list-targets prints all); several by "
        "commas: the best one is taken at run time, a GPU before a processor"),
    cl::CommaSeparated, cl::value_desc("name"), cl::cat(category));
static cl::opt<std::string> emit("emit", cl::desc("stop behind a stage and print it"),
                                 cl::value_desc("stage"), cl::init("library"), cl::cat(category));
static cl::opt<std::string> level("O", cl::Prefix,
                                  cl::desc("0: as written, 1: simplified, 2: fused (default)"),
                                  cl::value_desc("level"), cl::init("2"), cl::cat(category));
static cl::opt<std::string>
    backend("backend",
            cl::desc("halide or llvm: who generates kernels (default: for each kernel who "
                     "measured faster)"),
            cl::value_desc("name"), cl::cat(category));
static cl::opt<std::string> fastConv(
    "fast-conv",
    cl::desc("auto (default from -O2): 3 x 3 convolutions by Winograd's transforms where these are "
             "estimated to be faster, with about twice the error of the sums in f32 and 1.8 or 4 "
             "times the filters' bytes; off, f2 or f4 (tiles of 2 or 4 wherever possible)"),
    cl::value_desc("tiles"), cl::init("auto"), cl::cat(category));
static cl::opt<std::string> quantize(
    "quantize",
    cl::desc("how weights of matrices and filters are stored: bf16, f16, int8, or int8:32 "
             "(a scale for each 32 along the depth; also 64, 128); int4, int4:64, int4:128, "
             "int3: of matrices, in groups of 32 or those; int4-awq, int8:32-awq: the same, with "
             "inputs scaled by what --calibrate says of them, int3-gptq: rounded so that errors "
             "make up for each other on it; int8-dynamic: int8 and "
             "matrix products computed in integers, with a scale for each row, "
             "int8-static: all layers, with the ranges of --calibrate"),
    cl::value_desc("scheme"), cl::cat(category));
static cl::opt<std::string> calibrate(
    "calibrate",
    cl::desc(
        "inputs by name, from which int8-static learns the ranges of activations, and "
        "rounding = gptq, scaling = awq and pruning by wanda or with compensation what errors do; "
        "--require-error and --ledger "
        "measure on them; or "
        "ranges that --save-calibration wrote"),
    cl::value_desc("inputs.npz|file"), cl::cat(category));
static cl::opt<std::string> saveCalibration(
    "save-calibration",
    cl::desc("write the ranges of activations that --calibrate gave as text, for --calibrate of "
             "compilations to come"),
    cl::value_desc("file"), cl::cat(category));
static cl::opt<std::string> prune(
    "prune",
    cl::desc("which of them become zero: 0.8 (the smaller ones, that "
             "part of each layer), 2:4 (all but 2 of 4), block16x1:0.75 (that part of "
             "the blocks of 16 outputs by an input); or which go: channels:0.3 (that part of "
             "each layer's outputs); 0.5-wanda, 2:4-wanda: those that matter least for the "
             "inputs of --calibrate; 2:4-compensated, 2:4-wanda-compensated: what stays makes "
             "up for the others on those inputs"),
    cl::value_desc("part"), cl::cat(category));
static cl::opt<std::string> recipe("recipe",
                                   cl::desc("which recipe of the model's file compresses it, or a "
                                            "file (.kiln) with one"),
                                   cl::value_desc("name|file"), cl::cat(category));
static cl::opt<std::string>
    ledger("ledger", cl::desc("write what was done to each layer, its sizes and errors, as JSON"),
           cl::value_desc("file"), cl::cat(category));
static cl::opt<std::string> requireError(
    "require-error",
    cl::desc("the relative error of the outputs on the data of --calibrate stays below it: layers "
             "that cost the most are held back"),
    cl::value_desc("0.01"), cl::cat(category));
static cl::opt<std::string> htmlReport(
    "report",
    cl::desc("write a page about the library: kernels with their costs and reasons, the arena, "
             "remarks and ledger"),
    cl::value_desc("out.html"), cl::cat(category));
static cl::opt<unsigned> jobs("j", cl::Prefix,
                              cl::desc("kernels generated at once (default: all cores)"),
                              cl::init(0), cl::cat(category));
static cl::opt<bool> noCache("no-cache", cl::desc("generate every kernel anew"), cl::cat(category));
enum class Cubin { Auto, Off };
static cl::opt<Cubin>
    cubin("cubin",
          cl::desc("machine code for GPUs beside the PTX, which then need not be compiled "
                   "at each creation"),
          cl::values(clEnumValN(Cubin::Auto, "auto",
                                "where ptxas is at hand: that of $KILN_PTXAS (empty: none), of the "
                                "PATH or of /usr/local/cuda/bin (default)"),
                     clEnumValN(Cubin::Off, "off", "PTX alone")),
          cl::init(Cubin::Auto), cl::cat(category));
static cl::opt<bool> remarks("remarks",
                             cl::desc("print every decision of the compiler, with its reason"),
                             cl::cat(category));
static cl::opt<bool> checkEach("check-each",
                               cl::desc("run the interpreter after each stage and compare with the "
                                        "import: a fault names its stage"),
                               cl::cat(category));
static cl::opt<std::string>
    verify("verify", cl::ValueOptional,
           cl::desc("run the library against the interpreter, on one and two threads, before it is "
                    "handed over; with random arguments, or those of a file by name"),
           cl::value_desc("inputs.npz"), cl::cat(category));
static cl::opt<bool> listTargets("list-targets",
                                 cl::desc("print the processors and GPUs, and stop"),
                                 cl::cat(category));
static cl::opt<bool> helpFunctions("help-functions",
                                   cl::desc("print all primitive functions of the language"),
                                   cl::cat(category));
static cl::opt<std::string>
    explained("explain",
              cl::desc("print what an error's number or name means, with an example, e.g. "
                       "--explain K0301; all: the page of all errors"),
              cl::value_desc("number"), cl::cat(category));
enum class Form { Text, Json };
static cl::opt<Form> diagnosticsForm(
    "diagnostics", cl::desc("how errors are written"),
    cl::values(clEnumValN(Form::Text, "text", "for people, with the source lines (default)"),
               clEnumValN(Form::Json, "json", "for programs, an object on each line")),
    cl::init(Form::Text), cl::cat(category));
static cl::opt<std::string> map("map",
                                cl::desc("write a table of the library's sections and symbols"),
                                cl::value_desc("file"), cl::cat(category));
static cl::extrahelp example(
    "\nEXAMPLE:\n  kilnc resnet50.kiln --weights resnet50.safetensors -o libresnet50.so\n"
    "writes libresnet50.so and resnet50.h, which need nothing but libc.\n\n"
    "EXIT STATUS: 0 done, 1 something to mend in the model, the weights or the command, 2 a "
    "fault of kilnc, which then writes a reproducer.\n");

/// "N=64" to a map.
static bool readNumbers(const cl::list<std::string> &texts, std::map<std::string, int64_t> &into,
                        std::string &wrong) {
  for (const std::string &text : texts) {
    auto [name, value] = StringRef(text).split('=');
    int64_t number;
    if (name.empty() || value.getAsInteger(10, number) || number < 0) {
      wrong = "expected --" + texts.ArgStr.str() + " NAME=NUMBER, got '" + text + "'";
      return false;
    }
    into[name.str()] = number;
  }
  return true;
}

/// What is asked for compression.
static int fillCompression(CompileOptions &options) {
  options.options.quantize = quantize;
  options.options.prune = prune;
  options.options.requireError = requireError;
  options.calibrationPath = calibrate;
  options.saveCalibrationPath = saveCalibration;
  if (!saveCalibration.empty() && calibrate.empty())
    return report("--save-calibration needs data; give it by --calibrate=inputs.npz");
  if (quantize.getNumOccurrences() && quantize.empty())
    return report(
        "expected --quantize=int8, int8:32, int4, int3, int8-dynamic, int8-static, bf16 or f16");
  if (prune.getNumOccurrences() && prune.empty())
    return report(
        "expected --prune=0.8, 2:4, block16x1:0.75, channels:0.3, 2:4-wanda or 2:4-compensated");
  if (requireError.getNumOccurrences() && requireError.empty())
    return report("expected --require-error=0.01 or another relative error");
  options.ledgerPath = ledger;
  options.recipe = recipe;
  return 0;
}

static int fill(CompileOptions &options, int argc, char **argv) {
  if (input.empty())
    return report("no model given; try kilnc --help");
  options.input = input;
  options.output = output;
  options.header = header;
  for (const std::string &text : renames) {
    auto [pattern, replacement] = StringRef(text).split('=');
    if (pattern.empty() || replacement.empty() || replacement.count('*') > pattern.count('*'))
      return report("expected --rename PATTERN=REPLACEMENT with no more '*' on the right, got '" +
                    text + "'");
    options.renames.push_back({pattern.str(), replacement.str()});
  }
  options.model = model;
  options.emit = emit;
  for (const std::string &text : sets) {
    auto [name, value] = StringRef(text).split('=');
    if (name.empty() || !StringRef(text).contains('='))
      return report("expected --set NAME=VALUE, got '" + text + "'");
    options.sets.push_back({name.str(), value.str()});
  }
  std::string wrong;
  if (!readNumbers(maxima, options.options.max, wrong) ||
      !readNumbers(fixed, options.options.fix, wrong))
    return report(wrong);
  if (StringRef(level).getAsInteger(10, options.options.optLevel) || options.options.optLevel < 0 ||
      options.options.optLevel > 2)
    return report("expected -O0, -O1 or -O2, got '-O" + level + "'");
  if (backend == "halide")
    options.options.backend = Backend::Halide;
  else if (backend == "llvm")
    options.options.backend = Backend::LLVM;
  else if (!backend.empty())
    return report("expected --backend=halide or llvm, got '" + backend + "'");
  if (!is_contained({"auto", "off", "f2", "f4"}, StringRef(fastConv)))
    return report("expected --fast-conv=auto, off, f2 or f4, got '" + fastConv + "'");
  options.options.fastConv = fastConv;
  if (none_of(stages(), [](const Stage &stage) { return stage.name == emit; })) {
    std::string names;
    for (const Stage &stage : stages())
      names += (names.empty() ? "" : ", ") + stage.name.str();
    return report("expected --emit to be one of " + names + "; got '" + emit + "'");
  }
  options.weights.assign(weights.begin(), weights.end());
  options.weightsPrefix = prefix;
  options.allowUnusedWeights = allowUnused;
  if (!targets.empty())
    options.targets.assign(targets.begin(), targets.end());
  options.jobs = jobs;
  options.cacheFolder = noCache ? "" : codegen::KernelCache::defaultFolder();
  options.mapPath = map;
  if (int code = fillCompression(options))
    return code;
  options.reportPath = htmlReport;
  options.checkEach = checkEach;
  options.cubins = cubin == Cubin::Auto;
  options.verify = verify.getNumOccurrences() > 0;
  options.verifyInputs = verify;
  for (int i = 0; i < argc; ++i)
    options.commandLine += (i ? " " : "") + std::string(argv[i]);
  options.remarks = remarks;
  options.progress = sys::Process::StandardErrIsDisplayed() && !areReportsJson();
  return 0;
}

static int printExplanation(StringRef wanted) {
  if (wanted == "all")
    return explainAll(outs()), 0;
  std::optional<DiagCode> code = findCode(wanted);
  if (!code)
    return report("there is no error " + inQuotes(wanted) + nearestCode(wanted) +
                  "; --explain all prints those that there are");
  return explain(outs(), *code), 0;
}

int main(int argc, char **argv) {
  cleanUpOnInterrupt();
  InitLLVM init(argc, argv);
  InitializeAllTargets();
  InitializeAllTargetMCs();
  InitializeAllAsmPrinters();
  InitializeAllAsmParsers();
  cl::HideUnrelatedOptions(category);
  // Known before the options are read: errors there are errors, too.
  writeJsonReports(is_contained(ArrayRef(argv, argc), StringRef("--diagnostics=json")));
  cl::SetVersionPrinter([](raw_ostream &os) { os << versionText() << "\n"; });
  std::string faults;
  raw_string_ostream faultStream(faults);
  if (!cl::ParseCommandLineOptions(
          argc, argv, "kilnc: compiles a neural network to a native library and a C header\n",
          &faultStream)) {
    if (areReportsJson())
      return report(StringRef(faults).rtrim());
    errs() << faults;
    return 1;
  }
  writeJsonReports(diagnosticsForm == Form::Json);
  if (!explained.empty())
    return printExplanation(explained);
  if (listTargets || helpFunctions) {
    listTargets ? printTargets(outs()) : printFunctions(outs());
    return 0;
  }
  CompileOptions options;
  if (int code = fill(options, argc, argv))
    return code;
  return compile(options, Installation::find(argv[0]));
}
