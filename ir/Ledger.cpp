//===- Ledger.cpp - what compression did to each layer --------------------===//

#include "ir/Ledger.h"
#include "ir/LedgerModel.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/JSON.h"

#include <cmath>

using namespace kiln;

double LedgerRow::density() const {
  return elements ? static_cast<double>(elements - zeros) / static_cast<double>(elements) : 1;
}

double LedgerRow::relativeError() const { return signal > 0 ? std::sqrt(error / signal) : 0; }

std::optional<double> LedgerRow::sqnr() const {
  if (!(error > 0) || !(signal > 0))
    return std::nullopt;
  return 10 * std::log10(signal / error);
}

LedgerRow &Ledger::row(llvm::StringRef layer) {
  auto [it, isNew] = byLayer.try_emplace(layer, table.size());
  if (isNew) {
    table.emplace_back();
    table.back().layer = layer.str();
  }
  return table[it->second];
}

void Ledger::clear() {
  table.clear();
  byLayer.clear();
}

/// JSON has no infinity and no NaN: an error that is no number is null.
static void printError(llvm::json::OStream &json, llvm::StringRef name, double error) {
  json.attribute(name, std::isfinite(error) ? llvm::json::Value(error) : nullptr);
}

static void printModel(llvm::json::OStream &json, const LedgerModel &model) {
  json.attribute("bytes_before", model.bytesBefore);
  json.attribute("bytes_after", model.bytesAfter);
  if (!model.error)
    return;
  json.attribute("calls", model.calls);
  printError(json, "error", *model.error);
  if (model.required)
    json.attribute("required_error", *model.required);
  if (model.evaluations)
    json.attribute("evaluations", static_cast<int64_t>(model.evaluations));
}

static void printRow(llvm::json::OStream &json, const LedgerRow &row, const LedgerModel *model) {
  json.attribute("layer", row.layer);
  json.attribute("scheme", row.scheme);
  if (!row.pruning.empty())
    json.attribute("pruning", row.pruning);
  json.attribute("bits", row.bits);
  json.attribute("elements", row.elements);
  json.attribute("density", row.density());
  json.attribute("bytes_before", row.bytesBefore);
  json.attribute("bytes_after", row.bytesAfter);
  printError(json, "relative_error", row.relativeError());
  if (std::optional<double> ratio = row.sqnr())
    printError(json, "sqnr_db", *ratio);
  if (row.nearestError)
    printError(json, "calibration_error_nearest", *row.nearestError);
  if (row.compensatedError)
    printError(json, "calibration_error_compensated", *row.compensatedError);
  if (model)
    for (const LedgerModel::Update &update : model->updates)
      if (update.layer == row.layer) {
        printError(json, "calibration_error_pruned", update.pruned);
        printError(json, "calibration_error_updated", update.updated);
      }
  if (model)
    for (const LedgerModel::Scaling &scaling : model->scalings)
      if (scaling.layer == row.layer) {
        if (!row.nearestError)
          printError(json, "calibration_error_nearest", scaling.plain);
        printError(json, "calibration_error_scaled", scaling.scaled);
      }
  if (model)
    for (const LedgerModel::Alone &alone : model->alone)
      if (alone.layer == row.layer) {
        printError(json, "model_error", alone.error);
        if (alone.isHeldBack)
          json.attribute("held_back", true);
        if (!alone.retreat.empty())
          json.attribute("retreat", alone.retreat);
      }
  if (!row.reasons.empty())
    json.attributeArray("reasons", [&] {
      for (const std::string &reason : row.reasons)
        json.value(reason);
    });
}

static void printAll(llvm::raw_ostream &os, const std::vector<LedgerRow> &table,
                     const LedgerModel *model) {
  llvm::json::OStream json(os, /*IndentSize=*/2);
  LedgerRow all;
  for (const LedgerRow &row : table) {
    all.bytesBefore += row.bytesBefore;
    all.bytesAfter += row.bytesAfter;
    all.signal += row.signal;
    all.error += row.error;
  }
  json.object([&] {
    json.attributeArray("layers", [&] {
      for (const LedgerRow &row : table)
        json.object([&] { printRow(json, row, model); });
    });
    json.attributeObject("total", [&] {
      json.attribute("bytes_before", all.bytesBefore);
      json.attribute("bytes_after", all.bytesAfter);
      printError(json, "relative_error", all.relativeError());
    });
    if (model)
      json.attributeObject("model", [&] { printModel(json, *model); });
  });
  os << "\n";
}

void Ledger::print(llvm::raw_ostream &os) const { printAll(os, table, nullptr); }

void kiln::print(llvm::raw_ostream &os, const Ledger &ledger, const LedgerModel &model) {
  printAll(os, ledger.rows(), &model);
}
