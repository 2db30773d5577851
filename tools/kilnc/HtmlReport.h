//===- HtmlReport.h - a compilation as one page ----------------*- C++ -*-===//
#ifndef KILN_TOOLS_KILNC_HTMLREPORT_H
#define KILN_TOOLS_KILNC_HTMLREPORT_H

#include "codegen/host/Program.h"
#include "ir/LedgerModel.h"
#include "ir/target/Target.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

namespace kiln {

/// What the page is about; all of it outlives the call.
struct HtmlReport {
  mlir::ModuleOp module; ///< after `plan`
  const host::Program &program;
  llvm::ArrayRef<const target::Target *> targets; ///< the last one's peaks give the shares of time
  llvm::ArrayRef<std::string> remarks;
  const LedgerModel &model;
};

/// Writes a page that needs no network and no script. Sizes that a call decides are taken as 1, or
/// as the nearest that their bounds allow; the page says so.
void writeHtmlReport(llvm::raw_ostream &os, const HtmlReport &report);

} // namespace kiln

#endif // KILN_TOOLS_KILNC_HTMLREPORT_H
