//===- CalibrationFile.cpp - ranges of activations as text ------------------===//
//
// A first line, then one for each reader of a layer: the observer, the least and the largest value
// (- - where no data reached it), and the layer's path, up to the line's end.
//
//===----------------------------------------------------------------------===//

#include "passes/compress/Calibrate.h"
#include "passes/compress/Layers.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/Format.h"

#include <cmath>

using namespace kiln;
using namespace kiln::passes;
using namespace mlir;

static constexpr StringLiteral title = "kiln calibration ", version = "1";

namespace {
struct Line {
  StringRef observer, layer;
  std::optional<std::pair<double, double>> range;
  Location place, layerPlace;
};
} // namespace

bool Calibrator::isFile(StringRef text) { return text.starts_with(title); }

void Calibrator::print(raw_ostream &os) const {
  os << title << version << "\n";
  for (const auto &[op, watch] : watched) {
    os << textOf(watch.observer);
    // 17 digits are as good as the number itself.
    if (auto range = watch.range())
      os << llvm::format(" %.17g %.17g ", range->first, range->second);
    else
      os << " - - ";
    os << watch.layer << "\n";
  }
}

static FailureOr<Line> readLine(StringRef text, int64_t number, StringRef file,
                                MLIRContext *context) {
  auto at = [&](StringRef part) {
    return FileLineColLoc::get(context, file, number, part.data() - text.data() + 1);
  };
  auto [observer, behind] = text.split(' ');
  auto [low, afterLow] = behind.split(' ');
  auto [high, layer] = afterLow.split(' ');
  Line line{observer, layer, std::nullopt, at(text), at(layer)};
  bool isFine = observerOf(observer).has_value() && !layer.empty();
  if (low != "-" || high != "-") {
    double from = 0, to = 0;
    isFine &= !low.getAsDouble(from) && !high.getAsDouble(to) && std::isfinite(to - from) &&
              from <= 0 && to >= 0;
    line.range = {from, to};
  }
  if (!isFine)
    return emitError(line.place, "expected an observer, the least and the largest value with 0 "
                                 "between them, or - -, and a layer");
  return line;
}

static FailureOr<SmallVector<Line>> readLines(StringRef text, StringRef file,
                                              MLIRContext *context) {
  auto [first, rest] = text.split('\n');
  if (first != (title + version).str())
    return emitError(FileLineColLoc::get(context, file, 1, 1), "expected '")
           << title << version << "', got '" << first << "'";
  SmallVector<Line> lines;
  for (int64_t number = 2; !rest.empty(); ++number) {
    auto [line, behind] = rest.split('\n');
    FailureOr<Line> read = readLine(line, number, file, context);
    if (failed(read))
      return failure();
    lines.push_back(*read);
    rest = behind;
  }
  return lines;
}

LogicalResult Calibrator::read(StringRef text, StringRef file) {
  MLIRContext *context = module.getContext();
  FailureOr<SmallVector<Line>> lines = readLines(text, file, context);
  if (failed(lines))
    return failure();
  llvm::StringMap<SmallVector<const Line *>> byLayer;
  for (const Layer &layer : layersOf(module))
    byLayer[layer.path];
  for (const Line &line : *lines) {
    auto found = byLayer.find(line.layer);
    if (found == byLayer.end())
      return emitError(line.layerPlace, "the model has no layer '") << line.layer << "'";
    found->second.push_back(&line);
  }
  llvm::StringMap<size_t> readers, used;
  for (const auto &[op, watch] : watched)
    ++readers[watch.layer];
  for (auto &[op, watch] : watched) {
    ArrayRef<const Line *> given = byLayer[watch.layer];
    size_t count = readers[watch.layer];
    if (given.size() != count)
      return emitError(given.empty() ? FileLineColLoc::get(context, file, lines->size() + 1, 1)
                                     : given.back()->place,
                       "expected ")
             << count << " ranges of '" << watch.layer << "', got " << given.size()
             << "; calibrate again";
    const Line &line = *given[used[watch.layer]++];
    if (line.observer != textOf(watch.observer))
      return emitError(line.place, "expected the range of '")
             << watch.layer << "' by " << textOf(watch.observer)
             << ", as the rule for it says, got '" << line.observer << "'; calibrate again";
    watch.given = line.range;
  }
  return success();
}
