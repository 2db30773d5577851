//===- Report.cpp - kilnc's errors, as text or JSON -----------------------===//
#include "tools/kilnc/Report.h"

#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/DiagnosticsJson.h"
#include "ir/Place.h"
#include "tools/kilnc/Remarks.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace kiln;
using namespace llvm;

/// One for the program, like the stream that it is for.
static bool isJson = false;

void kiln::writeJsonReports(bool isWanted) { isJson = isWanted; }
bool kiln::areReportsJson() { return isJson; }

int kiln::report(const Twine &message) {
  if (isJson) {
    JsonDiagnostic object;
    object.message = message.str();
    object.print(errs());
  } else {
    WithColor::error(errs(), "kilnc") << message << "\n";
  }
  return 1;
}

void kiln::report(const Diagnostics &diagnostics) {
  isJson ? diagnostics.printJson(errs()) : diagnostics.print(errs());
}

static JsonPlace jsonPlace(mlir::Location location) {
  mlir::FileLineColLoc place = ir::placeOf(location);
  return place ? JsonPlace{place.getFilename().str(), place.getLine(), place.getColumn()}
               : JsonPlace();
}

void kiln::report(mlir::Diagnostic &diagnostic) {
  bool isWarning = diagnostic.getSeverity() == mlir::DiagnosticSeverity::Warning;
  if (isJson) {
    JsonDiagnostic object;
    object.place = jsonPlace(diagnostic.getLocation());
    object.severity = isWarning ? "warning" : "error";
    object.message = diagnostic.str();
    for (mlir::Diagnostic &note : diagnostic.getNotes())
      object.notes.push_back({jsonPlace(note.getLocation()), note.str()});
    object.print(errs());
    return;
  }
  errs() << placeText(diagnostic.getLocation()) << (isWarning ? "warning: " : "error: ")
         << diagnostic << "\n";
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    errs() << placeText(note.getLocation()) << "note: " << note << "\n";
}
