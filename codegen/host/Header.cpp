//===- Header.cpp - the C header of a library -----------------------------===//
#include "codegen/host/Host.h"
#include "codegen/host/Reserved.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

// The text of runtime/kiln.h.
asm(".pushsection .rodata\n"
    ".globl kilnHeaderBegin\n"
    "kilnHeaderBegin: .incbin \"" KILN_HEADER_PATH "\"\n"
    ".globl kilnHeaderEnd\n"
    "kilnHeaderEnd: .byte 0\n"
    ".popsection\n");
extern "C" const char kilnHeaderBegin[], kilnHeaderEnd[];

namespace kiln::host {

static StringRef cType(DType type) {
  constexpr StringRef names[numDTypes] = {"double",  "float",   "uint16_t", "uint16_t",
                                          "uint8_t", "uint8_t", "int64_t",  "int32_t",
                                          "int16_t", "int8_t",  "uint8_t",  "uint8_t"};
  return names[static_cast<int>(type)];
}

/// Gives parameters names that C and C++ accept and that differ from one another.
namespace {
class ParameterNames {
public:
  std::string unique(StringRef name) {
    std::string result;
    for (char c : name)
      result += isAlnum(c) ? c : '_';
    if (result.empty() || isDigit(result.front()))
      result.insert(0, "_");
    while (isReservedParameter(result) || !taken.insert(result).second)
      result += '_';
    return result;
  }

private:
  StringSet<> taken;
};
} // namespace

/// "[N,3,2*H + 1]", and the type where C's does not tell it.
static std::string describe(const TensorInfo &tensor) {
  std::string text = cType(tensor.type) == StringRef("uint16_t") || byteSize(tensor.type) == 1
                         ? std::string(name(tensor.type))
                         : "";
  text += "[";
  for (size_t i = 0; i < tensor.shape.size(); ++i)
    text += (i ? "," : "") + tensor.shape[i].str();
  return text + "]";
}

static void writeEntry(raw_ostream &os, const Program &program, const EntryPoint &entry,
                       StringRef suffix) {
  StringRef model = program.modelName;
  ParameterNames names;
  os << "kiln_status " << model << "_" << entry.name << suffix << "(" << model << " *model";
  for (const Dimension &dimension : entry.dimensions) {
    os << ", int64_t " << names.unique(dimension.name + (dimension.isData ? "_capacity" : ""));
    if (dimension.isData)
      os << ", int64_t *" << names.unique(dimension.name) << " /* out, at most "
         << dimension.most.str() << " */";
    if (dimension.upper)
      os << " /* " << dimension.lower << ".." << *dimension.upper << " */";
    else if (dimension.lower > 0)
      os << " /* at least " << dimension.lower << " */";
  }
  for (const TensorInfo &tensor : entry.arguments)
    os << ",\n    const " << cType(tensor.type) << " *" << names.unique(tensor.name) << " /* "
       << describe(tensor) << " */";
  for (const TensorInfo &tensor : entry.results)
    os << ",\n    " << cType(tensor.type) << " *" << names.unique(tensor.name) << " /* "
       << describe(tensor) << " */";
  os << ");\n\n";
}

static void writeOptions(raw_ostream &os, const Program &program, bool isForDevice) {
  os << "/* Options of creation: those of kiln_options in the same order, then bounds"
     << (isForDevice ? ", then those\n * of kiln_device_options" : "") << ". Null, or\n"
     << " * {.struct_size = sizeof(" << program.modelName << "_options)}, gives the defaults. */\n"
     << "typedef struct " << program.modelName << "_options {\n"
     << "  uint32_t struct_size;\n  int32_t threads;\n  char *error;\n  size_t error_size;\n"
     << "  int32_t grow, prefault, pin, profile;\n"
     << "  kiln_executor executor;\n  void *executor_context;\n"
     << "  void *(*allocate)(void *context, size_t bytes, size_t alignment);\n"
     << "  void (*deallocate)(void *context, void *data, size_t bytes);\n"
     << "  void *allocator_context;\n";
  for (const std::string &name : maxima(program))
    os << "  int64_t max_" << name << ";\n";
  if (isForDevice)
    os << "  int32_t device, no_graphs;\n  void *cuda_context, *cuda_stream;\n";
  os << "} " << program.modelName << "_options;\n\n";
}

static void writeCommon(raw_ostream &os, StringRef model) {
  os << "typedef struct " << model << " " << model << ";\n\n"
     << "/* Makes an instance. The reason of a failure is written to options->error, and is what\n"
     << " * last_error(NULL) gives. */\n"
     << "kiln_status " << model << "_create(const " << model << "_options *options, " << model
     << " **model);\n"
     << "void " << model << "_destroy(" << model << " *model);\n"
     << "/* What was wrong with the last call; empty if nothing. */\n"
     << "const char *" << model << "_last_error(const " << model << " *model);\n"
     << "/* Gives the state its initial values. */\n"
     << "kiln_status " << model << "_reset(" << model << " *model);\n"
     << "/* From any thread: the running call, or else the next one, returns KILN_CANCELLED. */\n"
     << "void " << model << "_cancel(" << model << " *model);\n"
     << "/* Saves and restores the state. data null: only *size is written. */\n"
     << "kiln_status " << model << "_state_get(" << model << " *model, void *data, size_t *size);\n"
     << "kiln_status " << model << "_state_set(" << model
     << " *model, const void *data, size_t size);\n\n";
}

static void writeDevice(raw_ostream &os, const Program &program) {
  StringRef model = program.modelName;
  os << "/* Where a GPU computes, each tensor may lie in its memory or in the host's (the numbers "
        "that\n"
     << " * values decide are written to the host's); where a processor does, in the host's only.\n"
     << " * ENTRY_enqueue is ENTRY but for its end: the copies and kernels stand on the stream, "
        "and\n"
     << " * tensors may be touched again when what stands there now is done. It waits where a "
        "number\n"
     << " * is needed on the way: loops and branches by values, checked positions, results whose "
        "size\n"
     << " * values decide. What fails later, a following call or wait returns. On a processor it "
        "is\n"
     << " * ENTRY. wait returns when all queued calls are done, with what came of them. */\n"
     << "kiln_status " << model << "_wait(" << model << " *model);\n";
  for (const EntryPoint &entry : program.entries)
    writeEntry(os, program, entry, "_enqueue");
}

std::string writeHeader(const Program &program, bool isForDevice) {
  std::string text;
  raw_string_ostream os(text);
  StringRef model = program.modelName;
  std::string guard = model.upper() + "_MODEL_H";
  os << "/* " << model << ": compiled by " << program.version
     << ". Tensors are dense, row-major. */\n"
     << "#ifndef " << guard << "\n#define " << guard << "\n\n"
     << StringRef(kilnHeaderBegin, size_t(kilnHeaderEnd - kilnHeaderBegin)) << "\n"
     << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  writeOptions(os, program, isForDevice);
  writeCommon(os, model);
  for (const EntryPoint &entry : program.entries)
    writeEntry(os, program, entry, "");
  if (isForDevice)
    writeDevice(os, program);
  os << "#ifdef __cplusplus\n}\n#endif\n\n#endif /* " << guard << " */\n";
  return text;
}

} // namespace kiln::host
