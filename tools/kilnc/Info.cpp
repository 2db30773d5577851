//===- Info.cpp - what kilnc says of itself -------------------------------===//
#include "tools/kilnc/Info.h"

#include "frontend/emit/Primitives.h"
#include "ir/KilnDialect.h"
#include "ir/target/Target.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/Format.h"

using namespace kiln;
using namespace llvm;

std::string kiln::versionText() { return "kiln " KILN_VERSION ", LLVM " LLVM_VERSION_STRING; }

void kiln::printTargets(raw_ostream &os) {
  os << "native           this machine: " << target::host().name << "\n";
  for (const target::Target &target : target::all())
    if (target.kind == target::Kind::CUDA)
      os << left_justify(StringRef(target.name), 16) << " NVIDIA GPUs of compute capability "
         << target.capability / 10 << "." << target.capability % 10
         << (target.isExact ? "\n" : " and later\n");
    else
      os << left_justify(StringRef(target.name), 16) << " " << target.lanesF32
         << " floats a vector, " << target.registers << " vector registers\n";
}

void kiln::printFunctions(raw_ostream &os) {
  mlir::MLIRContext context;
  context.loadDialect<ir::KilnDialect>();
  PrimitiveTable table(context);
  SmallVector<StringRef> names = table.names();
  llvm::sort(names);
  os << "Primitive functions. Arguments before '*' may stand by position, the others by name "
        "only;\n"
     << "'x?' may be left out, 'xs...' is a list of tensors.\n\n";
  for (StringRef name : names) {
    const Primitive &primitive = *table.find(name);
    os << primitive.signature << "\n    " << primitive.summary << "\n";
  }
}
