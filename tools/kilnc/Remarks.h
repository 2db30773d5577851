//===- Remarks.h - the compiler's decisions as lines -----------*- C++ -*-===//
#ifndef KILN_TOOLS_KILNC_REMARKS_H
#define KILN_TOOLS_KILNC_REMARKS_H

#include "mlir/IR/Location.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <tuple>
#include <vector>

namespace kiln {

/// "resnet50.kiln:12:5: " of the user's place (ir/Place.h); empty without one.
std::string placeText(mlir::Location location);

/// Collects remarks and prints them in the order of the model's text.
class RemarkLines {
public:
  /// From now on keeps what passes report to MLIR's remark engine.
  void listenTo(mlir::MLIRContext &context);
  /// "missed (choose)" or "" and a sentence, at a place.
  void add(mlir::Location location, const std::string &kind, const std::string &text);
  void print(llvm::raw_ostream &os);
  /// The same, as they stand until then.
  std::vector<std::string> texts();
  /// While passes only try something out.
  bool isPaused = false;

private:
  using Line = std::tuple<std::string, unsigned, unsigned, std::string>;
  std::vector<Line> lines;
};

} // namespace kiln

#endif // KILN_TOOLS_KILNC_REMARKS_H
