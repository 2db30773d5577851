//===- Report.h - kilnc's errors, as text or JSON --------------*- C++ -*-===//
#ifndef KILN_TOOLS_KILNC_REPORT_H
#define KILN_TOOLS_KILNC_REPORT_H

#include "llvm/ADT/Twine.h"

namespace mlir {
class Diagnostic;
} // namespace mlir

namespace kiln {
class Diagnostics;

/// How errors are written from now on: text, or an object of JSON on each line (DiagnosticsJson.h).
void writeJsonReports(bool isJson);
bool areReportsJson();

/// An error without a place in the model. Returns the exit status.
int report(const llvm::Twine &message);
/// Errors of a model's text.
void report(const Diagnostics &diagnostics);
/// An error or warning of a stage, with its notes.
void report(mlir::Diagnostic &diagnostic);

} // namespace kiln

#endif // KILN_TOOLS_KILNC_REPORT_H
