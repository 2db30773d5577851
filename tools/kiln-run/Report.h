//===- Report.h - what a run came to ---------------------------*- C++ -*-===//
#ifndef KILN_TOOLS_KILN_RUN_REPORT_H
#define KILN_TOOLS_KILN_RUN_REPORT_H

#include "tools/kiln-run/Program.h"

namespace kiln::run {

/// Entry points with arguments, results and dimensions.
void printEntries(llvm::raw_ostream &os, llvm::ArrayRef<Entry> entries);
/// "logits  f32[1, 10]  0.1 0.2 …": name, type, shape and the first elements.
void printValue(llvm::raw_ostream &os, llvm::StringRef name, const Value &value);
/// Reads one label a line.
llvm::Expected<std::vector<std::string>> readLabels(llvm::StringRef path);
/// The five most probable labels of each row of a [N, classes] value. Rows that are no
/// probabilities go through softmax.
llvm::Error printLabels(llvm::raw_ostream &os, const Value &value,
                        llvm::ArrayRef<std::string> labels);
/// max|a-b| / max|b|, or max|a-b| where b is all zero. Infinite where only one of two elements is
/// NaN or they are different infinities. An error if the shapes differ.
llvm::Expected<double> relativeError(const Value &a, const Value &b);
/// First, best and median of the times of calls in milliseconds; best and median leave the first
/// out.
void printTimes(llvm::raw_ostream &os, llvm::ArrayRef<double> milliseconds);
/// A table, slowest kernel first. `call` is the time of a whole call in milliseconds.
void printProfile(llvm::raw_ostream &os, std::vector<ProfileRow> rows, double call);
/// Writes NumPy's format 1.0 to a temporary file and renames it; "-" is the standard output. bf16
/// and f8 types, which NumPy lacks, are widened to f32.
llvm::Error writeNpy(llvm::StringRef path, const Value &value);

} // namespace kiln::run

#endif // KILN_TOOLS_KILN_RUN_REPORT_H
