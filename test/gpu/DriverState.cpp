//===- DriverState.cpp - what the driver of the tests holds ---------------===//

#include "test/gpu/DriverState.h"

#include "test/gpu/Specs.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace kiln;
using namespace kiln::test;
using namespace llvm;

static StringRef environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

DriverState &test::driver() {
  static DriverState state;
  return state;
}

DriverState::DriverState() {
  environment("KILN_FAKE_DEVICES").getAsInteger(10, devices);
  environment("KILN_FAKE_CHIP").getAsInteger(10, chip);
  auto [what, result] = environment("KILN_FAKE_FAIL").split('=');
  auto [name, number] = what.split('#');
  failName = name.str();
  number.getAsInteger(10, failAt);
  result.getAsInteger(10, failWith);
  logPath = environment("KILN_FAKE_LOG").str();
}

DriverState::~DriverState() {
  log("calls: " + Twine(calls));
  log("left: " + Twine(memory.size()) + " pieces of memory, " + Twine(modules.size()) +
      " modules, " + Twine(streams.size()) + " streams, " + Twine(size_t(contexts) + made.size()) +
      " contexts, " + Twine(current.size()) + " current, " + Twine(graphs.size()) + " graphs, " +
      Twine(events.size()) + " events");
  log("faults: " + Twine(faults));
}

void DriverState::log(const Twine &line) {
  if (logPath.empty())
    return;
  std::error_code code;
  raw_fd_ostream(logPath, code, sys::fs::OF_Append) << line << "\n";
}

void DriverState::fault(const Twine &text) {
  ++faults;
  log("fault: " + text);
  errs() << "the driver of the tests: " << text << "\n";
}

Result DriverState::enter(const char *name) {
  log(name);
  int number = ++counts[name];
  ++calls;
  if (failName == "*" ? size_t(failAt) == calls : failName == name && failAt == number)
    return Result(failWith);
  return Success;
}

bool DriverState::isMemory(uint64_t address, size_t bytes) const {
  auto next = memory.upper_bound(address);
  if (next == memory.begin())
    return false;
  auto &[start, buffer] = *std::prev(next);
  return address + bytes <= start + buffer->size();
}

bool DriverState::isBusy() const {
  return any_of(streams, [](auto &each) { return !each.first->queue.empty(); });
}

bool DriverState::isRecording() const {
  return any_of(streams, [](auto &each) { return each.first->isRecording; });
}

bool DriverState::readKernels() {
  isRead = true;
  SmallVector<StringRef> paths;
  environment("KILN_FAKE_KERNELS").split(paths, ':', -1, /*KeepEmpty=*/false);
  for (StringRef path : paths) {
    auto file = MemoryBuffer::getFile(path);
    if (!file)
      return fault("cannot read '" + path + "'"), false;
    Error error = readSpecs((*file)->getBuffer(), [&](StringRef, const spec::KernelSpec &spec) {
      kernels["kiln_" + spec::hash(spec)] = spec;
    });
    if (error)
      return fault(toString(std::move(error))), false;
  }
  return true;
}

/// Makes sure that what is emulated is what the image holds.
std::shared_ptr<Emulated> DriverState::emulated(const Image &image, const std::string &symbol,
                                                const spec::KernelSpec &spec) {
  Compiled &known = compiled[{image.chip, symbol}];
  if (!known.kernel) {
    auto kernel = cuda::generateCUDA(spec, image.chip, symbol);
    if (!kernel)
      return fault(toString(kernel.takeError())), nullptr;
    auto made = Emulated::compile(spec, image.chip, {}, symbol);
    if (!made)
      return fault(toString(made.takeError())), nullptr;
    known = {cuda::withoutHead(kernel->ptx).str(), std::move(*made)};
  }
  if (image.ptx.empty() || image.ptx.contains(known.ptx))
    return known.kernel;
  return fault("the image has other code for '" + Twine(symbol) + "' than its spec gives"), nullptr;
}

static Image readPTX(StringRef text) {
  Image image{text, text.split(".target ").second.split('\n').first.trim().str(), {}};
  for (StringRef rest = text.split(".entry ").second; !rest.empty();
       rest = rest.split(".entry ").second)
    image.entries.insert(rest.split('(').first.str());
  return image;
}

/// Machine code is an executable of NVIDIA's machine, with a section of text for each entry point.
/// Nobody says how long it is; its program's header lies behind all else.
static Expected<Image> readCubin(const char *data) {
  const auto &head = *reinterpret_cast<const ELF::Elf64_Ehdr *>(data);
  size_t bytes = std::max(head.e_phoff + size_t(head.e_phnum) * head.e_phentsize,
                          head.e_shoff + size_t(head.e_shnum) * head.e_shentsize);
  if (head.e_machine != ELF::EM_CUDA || head.e_ident[ELF::EI_ABIVERSION] != 8)
    return createStringError("machine code of a form that is not known here");
  // The head has the chip's number alone; the assembler notes the options it had.
  StringRef all(data, bytes), options = all.split("-arch ").second;
  Image image{"", options.take_while([](char c) { return isAlnum(c) || c == '_'; }).str(), {}};
  auto file = object::ELF64LEFile::create(all);
  auto sections = file ? file->sections() : file.takeError();
  if (!sections)
    return sections.takeError();
  for (const auto &section : *sections) {
    auto name = file->getSectionName(section);
    if (!name)
      return name.takeError();
    if (name->consume_front(".text."))
      image.entries.insert(name->str());
  }
  return image;
}

/// Whether machine code for one chip runs on another, as the CUDA manual says.
static bool runs(StringRef code, int chip) {
  bool isExact = code.consume_back("a");
  int number = 0;
  code.consume_front("sm_");
  code.getAsInteger(10, number);
  return number == chip || (!isExact && number / 10 == chip / 10 && number < chip);
}

Result DriverState::load(const char *data, FakeModule *&module) {
  if (!isRead && !readKernels())
    return InvalidImage;
  bool isCubin = StringRef(data, 4) == StringRef(ELF::ElfMagic, 4);
  Expected<Image> image = isCubin ? readCubin(data) : readPTX(data);
  if (!image)
    return fault(toString(image.takeError())), InvalidImage;
  log((isCubin ? "code: " : "target: ") + image->chip);
  if (isCubin && !runs(image->chip, chip))
    return NoBinary;
  auto made = std::make_unique<FakeModule>();
  made->context = current.back();
  for (auto &[symbol, spec] : kernels) {
    if (!image->entries.count(symbol + "_0"))
      continue;
    std::shared_ptr<Emulated> shared = emulated(*image, symbol, spec);
    if (!shared)
      return InvalidImage;
    for (const cuda::DeviceLaunch &launch : shared->launches())
      made->functions[launch.name] = {
          shared,         launch.name, launch.threads,        launch.sharedBytes,
          current.back(), 48 << 10,    launch.tensors.size(), &spec};
  }
  bool isSame =
      image->entries.size() == made->functions.size() &&
      all_of(made->functions, [&](auto &each) { return image->entries.count(each.first); });
  if (!isSame)
    return fault("the image has " + Twine(image->entries.size()) + " entry points, specs give " +
                 Twine(made->functions.size())),
           InvalidImage;
  module = made.get();
  modules[module] = std::move(made);
  return Success;
}

Result DriverState::run(FakeStream &stream) {
  while (!stream.queue.empty()) {
    std::function<Result()> step = std::move(stream.queue.front());
    stream.queue.pop_front();
    if (broken == Success)
      broken = step();
  }
  return broken;
}
