//===- Place.cpp - where in the user's file -------------------------------===//

#include "ir/Place.h"

using namespace mlir;

FileLineColLoc kiln::ir::placeOf(Location location) {
  // Visited from the innermost callee to the outermost caller.
  SmallVector<FileLineColLoc> places;
  location->walk([&](Location inner) {
    if (auto file = dyn_cast<FileLineColLoc>(inner))
      places.push_back(file);
    return WalkResult::advance();
  });
  for (FileLineColLoc place : places)
    if (place.getFilename() == places.back().getFilename())
      return place;
  return {};
}
