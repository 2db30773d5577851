//===- Place.h - where in the user's file ----------------------*- C++ -*-===//
#ifndef KILN_IR_PLACE_H
#define KILN_IR_PLACE_H

#include "mlir/IR/Location.h"

namespace kiln::ir {

/// The place to show for code that calls were inlined into: the innermost one in the file of the
/// outermost call, so a layer of a library is named by the user's line that runs it. Null if the
/// location has no file.
mlir::FileLineColLoc placeOf(mlir::Location location);

} // namespace kiln::ir

#endif // KILN_IR_PLACE_H
