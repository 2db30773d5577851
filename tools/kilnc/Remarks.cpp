//===- Remarks.cpp - the compiler's decisions as lines --------------------===//
#include "tools/kilnc/Remarks.h"

#include "ir/Place.h"

#include "mlir/IR/Remarks.h"

using namespace kiln;
using namespace mlir;

std::string kiln::placeText(Location location) {
  FileLineColLoc place = ir::placeOf(location);
  if (!place)
    return "";
  return (place.getFilename().getValue() + ":" + llvm::Twine(place.getLine()) + ":" +
          llvm::Twine(place.getColumn()) + ": ")
      .str();
}

namespace {
class Streamer : public remark::detail::MLIRRemarkStreamerBase {
public:
  explicit Streamer(RemarkLines &lines) : lines(lines) {}
  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    std::string text;
    for (const remark::detail::Remark::Arg &part : remark.getArgs())
      text += part.val;
    lines.add(
        remark.getLocation(),
        remark.getRemarkTypeString().lower() + " (" + remark.getCategoryName().str() + "): ", text);
  }

private:
  RemarkLines &lines;
};
} // namespace

void RemarkLines::listenTo(MLIRContext &context) {
  remark::RemarkCategories all;
  all.passed = all.missed = all.analysis = all.failed = ".*"; // `all` alone lets nothing through
  (void)remark::enableOptimizationRemarks(context, std::make_unique<Streamer>(*this),
                                          std::make_unique<remark::RemarkEmittingPolicyAll>(), all);
}

void RemarkLines::add(Location location, const std::string &kind, const std::string &text) {
  if (isPaused)
    return;
  FileLineColLoc place = ir::placeOf(location);
  lines.emplace_back(place ? place.getFilename().str() : "", place ? place.getLine() : 0,
                     place ? place.getColumn() : 0, placeText(location) + "remark: " + kind + text);
}

std::vector<std::string> RemarkLines::texts() {
  llvm::stable_sort(lines);
  std::vector<std::string> texts;
  for (const Line &line : lines)
    texts.push_back(std::get<3>(line));
  return texts;
}

void RemarkLines::print(llvm::raw_ostream &os) {
  llvm::stable_sort(lines);
  for (const Line &line : lines)
    os << std::get<3>(line) << "\n";
  lines.clear();
}
