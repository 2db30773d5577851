//===- Generate.cpp - all kernels of a module -----------------------------===//

#include "codegen/Generate.h"

#include "codegen/Cubins.h"
#include "codegen/KernelCache.h"
#include "codegen/cuda/Generate.h"
#include "codegen/llvm/Generate.h"
#include "codegen/loader/Loader.h"
#include "codegen/lower/Lower.h"
#include "codegen/procedures/Generate.h"
#include "ir/KilnOps.h"
#include "ir/target/Target.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

#include <map>
#include <mutex>

using namespace kiln;
using namespace kiln::codegen;
using namespace mlir;

FailureOr<llvm::StringMap<host::KernelEntry>> codegen::lowerKernels(ModuleOp module) {
  llvm::StringMap<host::KernelEntry> kernels;
  for (auto kernel : module.getOps<ir::KernelOp>()) {
    FailureOr<spec::KernelSpec> spec = lower::lowerKernel(kernel);
    if (failed(spec))
      return failure();
    if (std::string wrong = spec::verify(*spec); !wrong.empty())
      return kernel.emitError("internal: the kernel's specification is malformed: ") << wrong,
             failure();
    std::string symbol = "kiln_" + spec::hash(*spec);
    kernels[kernel.getSymName()] = {std::move(*spec), std::move(symbol)};
  }
  return kernels;
}

/// Tells builds of the compiler apart: the hash of the running program, so that a changed generator
/// does not meet an old one's kernels.
static const std::string &buildId() {
  static const std::string id = [] {
    auto self = llvm::MemoryBuffer::getFile("/proc/self/exe", false, false);
    if (!self)
      return std::string();
    llvm::StringRef bytes = (*self)->getBuffer();
    return std::to_string(llvm::xxh3_64bits(bytes)) + "/" + std::to_string(bytes.size());
  }();
  return id;
}

namespace {
/// Stands before a reason in the cache, where bitcode (which begins with 'B') stands otherwise: a
/// build from the cache says the same as the first.
constexpr char declinedMark = '!';

/// One kernel for one target.
struct Job {
  const spec::KernelSpec *spec;
  const target::Target *target;
  bool halide;
  link::KernelCode code; ///< for a device, PTX in place of bitcode
  std::string error;
  std::string declined; ///< why Halide was asked for and did not generate it
};

class Generator {
public:
  Generator(const GenerateOptions &options) : options(options), cache(options.cacheFolder) {}
  void run(Job &job);

private:
  bool tryHalide(Job &job, const std::string &text);
  void useLLVM(Job &job, const std::string &text);
  void useCUDA(Job &job, const std::string &text);

  const GenerateOptions &options;
  KernelCache cache;
};
} // namespace

/// The reason on one line: Halide's texts have several.
static std::string onOneLine(llvm::StringRef text) {
  llvm::SmallVector<llvm::StringRef> lines;
  text.split(lines, '\n', -1, /*KeepEmpty=*/false);
  return text.trim().empty() ? "no reason given" : llvm::join(lines, " ");
}

/// False, with the reason in the job, if Halide did not generate the spec: whatever went wrong
/// there, another generator has all of the language.
bool Generator::tryHalide(Job &job, const std::string &text) {
  // The loader's part of the work is this program's, the rest the plug-in's.
  std::string key = KernelCache::key(text, "halide", options.halide->version() + "/" + buildId(),
                                     std::string(job.target->name), options.optLevel);
  std::optional<std::string> value = cache.find(key);
  if (!value) {
    llvm::LLVMContext context;
    halide::Generated made = options.halide->generate(*job.spec, job.code.symbol,
                                                      std::string(job.target->name), context);
    value.emplace(made.module ? "" : declinedMark + onOneLine(made.message));
    if (made.module) {
      llvm::raw_string_ostream os(*value);
      llvm::WriteBitcodeToFile(*made.module, os);
    }
    if (!made.isPassing())
      cache.insert(key, *value);
  }
  if (value->front() == declinedMark) {
    job.declined = value->substr(1);
    return false;
  }
  job.code.bitcode = std::move(*value);
  return true;
}

void Generator::useLLVM(Job &job, const std::string &text) {
  job.halide = false;
  std::string key = KernelCache::key(
      text, "llvm", LLVM_VERSION_STRING "/" + buildId(),
      llvm::join_items("/", job.target->name, job.target->llvmCpu, job.target->llvmFeatures),
      options.optLevel);
  if (std::optional<std::string> hit = cache.find(key)) {
    job.code.bitcode = std::move(*hit);
    return;
  }
  TargetFacts machine;
  machine.cpu = job.target->llvmCpu;
  machine.features = job.target->llvmFeatures;
  machine.vectorBytes = job.target->lanesF32 * 4;
  machine.vectorRegisters = job.target->registers;
  llvm::Expected<GeneratedKernel> made =
      job.spec->procedure ? generateProcedure(*job.spec, machine, job.code.symbol)
                          : generateLLVM(*job.spec, machine, job.code.symbol, options.optLevel);
  if (!made) {
    job.error = llvm::toString(made.takeError());
    return;
  }
  job.code.bitcode = std::move(made->bitcode);
  cache.insert(key, job.code.bitcode);
}

void Generator::useCUDA(Job &job, const std::string &text) {
  std::string key = KernelCache::key(text, "cuda", LLVM_VERSION_STRING "/" + buildId(),
                                     std::string(job.target->name), options.optLevel);
  if (std::optional<std::string> hit = cache.find(key)) {
    job.code.bitcode = std::move(*hit);
    return;
  }
  llvm::Expected<cuda::DeviceKernel> made =
      cuda::generateCUDA(*job.spec, llvm::StringRef(job.target->llvmCpu), job.code.symbol);
  if (!made) {
    job.error = llvm::toString(made.takeError());
    return;
  }
  job.code.bitcode = std::move(made->ptx);
  cache.insert(key, job.code.bitcode);
}

void Generator::run(Job &job) {
  std::string text = spec::print(*job.spec);
  if (job.target->kind == target::Kind::CUDA)
    return useCUDA(job, text);
  if (!job.halide || !tryHalide(job, text))
    useLLVM(job, text);
}

/// Says of each kernel that Halide was to generate why it did not, in the module's order.
static void reportDeclined(ModuleOp module, const llvm::StringMap<host::KernelEntry> &kernels,
                           llvm::ArrayRef<Job> jobs) {
  llvm::StringMap<llvm::SmallVector<const Job *>> declined;
  for (const Job &job : jobs)
    if (!job.declined.empty())
      declined[job.code.symbol].push_back(&job);
  auto note = remark::RemarkOpts::name("template").category("generate");
  for (auto kernel : module.getOps<ir::KernelOp>())
    for (const Job *job : declined.lookup(kernels.find(kernel.getSymName())->second.symbol))
      remark::missed(kernel.getLoc(), note)
          << "'" + kernel.getSymName().str() + "': generated by llvm for " +
                 std::string(job->target->name) + ", not by halide: " + job->declined;
}

/// Says of each contraction or procedure that has no fast form on GPUs why.
static void reportSimple(ModuleOp module, const llvm::StringMap<host::KernelEntry> &kernels) {
  auto note = remark::RemarkOpts::name("tile").category("generate");
  for (auto kernel : module.getOps<ir::KernelOp>()) {
    const host::KernelEntry &entry = kernels.find(kernel.getSymName())->second;
    if (std::string why = cuda::deviceNeeds(entry.spec, {}, entry.symbol).missed; !why.empty())
      remark::missed(kernel.getLoc(), note)
          << "'" + kernel.getSymName().str() + "': in the simple form on GPUs: " + why;
  }
}

/// A library for a device runs on any processor of its kind.
static host::Target hostTarget(const target::Target &target) {
  bool isProcessor = target.kind == target::Kind::Processor;
  const target::Target &processor = isProcessor ? target : target::all().front();
  return {std::string(target.name), std::string(processor.llvmCpu),
          std::string(processor.llvmFeatures)};
}

/// All kernels of a device as one module of PTX, with what launches them.
static std::shared_ptr<host::DeviceCode> deviceCode(const target::Target &target,
                                                    llvm::ArrayRef<Job> jobs) {
  auto code = std::make_shared<host::DeviceCode>();
  code->capability = target.capability;
  code->isExact = target.isExact;
  for (const Job &job : jobs) {
    cuda::append(code->image, llvm::StringRef(job.code.bitcode));
    cuda::DeviceNeeds needs =
        cuda::deviceNeeds(*job.spec, llvm::StringRef(target.llvmCpu), job.code.symbol);
    host::DeviceKernel &kernel = code->kernels[job.code.symbol];
    for (const spec::Symbol &symbol : job.spec->symbols)
      kernel.symbols.push_back(symbol.name);
    for (cuda::DeviceLaunch &launch : needs.launches)
      kernel.grids.push_back({std::move(launch.name), std::move(launch.blocks), launch.threads,
                              launch.sharedBytes, std::move(launch.tensors)});
    kernel.scratchBytes = std::move(needs.scratchBytes);
  }
  return code;
}

/// Gives each target its kernels, of the jobs in their order.
static std::vector<link::TargetKernels>
collect(const GenerateOptions &options, llvm::MutableArrayRef<Job> jobs,
        std::vector<std::shared_ptr<host::DeviceCode>> &devices) {
  std::vector<link::TargetKernels> result;
  size_t each = jobs.size() / options.targets.size();
  for (auto [i, target] : llvm::enumerate(options.targets)) {
    result.push_back({hostTarget(*target), {}});
    auto part = jobs.slice(i * each, each);
    devices.push_back(target->kind == target::Kind::CUDA ? deviceCode(*target, part) : nullptr);
    result.back().target.device = devices.back();
    if (!devices.back())
      for (Job &job : part)
        result.back().kernels.push_back(std::move(job.code));
  }
  return result;
}

llvm::Expected<std::vector<link::TargetKernels>>
codegen::generateKernels(ModuleOp module, const llvm::StringMap<host::KernelEntry> &kernels,
                         const GenerateOptions &options, std::string &generators) {
  // By symbol: equal kernels once, in the order of their hashes.
  std::map<std::string, std::pair<const spec::KernelSpec *, bool>> distinct;
  for (auto kernel : module.getOps<ir::KernelOp>()) {
    const host::KernelEntry &entry = kernels.find(kernel.getSymName())->second;
    auto generator = kernel->getAttrOfType<StringAttr>("kiln.generator");
    distinct[entry.symbol] = {&entry.spec,
                              generator && generator.getValue() == "halide" && options.halide};
  }
  std::vector<Job> jobs;
  for (const target::Target *target : options.targets)
    for (auto &[symbol, kernel] : distinct)
      jobs.push_back(
          {kernel.first, target, kernel.second && !target->halide.empty(), {symbol, ""}, "", ""});

  Generator generator(options);
  std::mutex mutex;
  unsigned done = 0;
  {
    llvm::StdThreadPool pool(llvm::hardware_concurrency(options.jobs));
    for (Job &job : jobs)
      pool.async([&] {
        generator.run(job);
        std::lock_guard lock(mutex);
        if (options.progress)
          options.progress(++done, jobs.size());
      });
    pool.wait();
  }

  reportDeclined(module, kernels, jobs);
  bool isForDevices = llvm::any_of(
      options.targets, [](const target::Target *t) { return t->kind == target::Kind::CUDA; });
  if (isForDevices)
    reportSimple(module, kernels);
  llvm::SmallVector<llvm::StringRef> used;
  auto use = [&](bool isUsed, llvm::StringRef name) {
    if (isUsed && !llvm::is_contained(used, name))
      used.push_back(name);
  };
  for (Job &job : jobs)
    if (!job.error.empty())
      return llvm::createStringError("cannot generate a kernel: " + job.error);
  std::vector<std::shared_ptr<host::DeviceCode>> devices;
  std::vector<link::TargetKernels> result = collect(options, jobs, devices);
  use(llvm::any_of(jobs, [](const Job &job) { return job.halide; }), "halide");
  for (const Job &job : jobs)
    use(!job.halide, job.target->kind == target::Kind::CUDA ? "cuda" : "llvm");
  std::string assembler =
      isForDevices && options.cubins ? addCubins(module, options, devices) : std::string();
  use(!assembler.empty(), assembler);
  generators = llvm::join(used, ", ");
  return result;
}
