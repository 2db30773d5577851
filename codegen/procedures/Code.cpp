//===- Code.cpp - the code of procedures as it was built ------------------===//

#include "codegen/procedures/Code.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace kiln;
using namespace llvm;

asm(".pushsection .rodata\n"
    ".globl kilnProceduresBegin\n"
    "kilnProceduresBegin: .incbin \"" KILN_PROCEDURES_PATH "\"\n"
    ".globl kilnProceduresEnd\n"
    "kilnProceduresEnd: .byte 0\n"
    ".globl kilnDeviceProceduresBegin\n"
    "kilnDeviceProceduresBegin: .incbin \"" KILN_DEVICE_PROCEDURES_PATH "\"\n"
    ".globl kilnDeviceProceduresEnd\n"
    "kilnDeviceProceduresEnd: .byte 0\n"
    ".popsection\n");
extern "C" const char kilnProceduresBegin[], kilnProceduresEnd[];
extern "C" const char kilnDeviceProceduresBegin[], kilnDeviceProceduresEnd[];

Expected<std::unique_ptr<Module>> codegen::loadProcedures(bool forDevice, LLVMContext &context) {
  const char *begin = forDevice ? kilnDeviceProceduresBegin : kilnProceduresBegin,
             *end = forDevice ? kilnDeviceProceduresEnd : kilnProceduresEnd;
  return parseBitcodeFile(MemoryBufferRef(StringRef(begin, size_t(end - begin)), "procedures"),
                          context);
}

std::string codegen::functionOf(const spec::KernelSpec &spec) {
  return "kiln_" + spec.procedure->name + "_" + std::string(kiln::name(spec.operands.front().type));
}

/// The names of a procedure's constants.
static std::vector<std::string> namesOf(StringRef name) {
#define KILN_PROCEDURE(procedure, inputs, outputs, scratch, sizes, ...)                            \
  if (name == #procedure)                                                                          \
    return {__VA_ARGS__};
#include "codegen/procedures/Procedures.def"
  return {};
}

std::vector<int64_t> codegen::constantsOf(const spec::Procedure &procedure) {
  std::vector<int64_t> values;
  for (const std::string &name : namesOf(procedure.name))
    values.push_back(procedure.constants.at(name));
  return values;
}
