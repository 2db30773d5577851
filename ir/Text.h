//===- Text.h - pieces of messages ------------------------------*- C++ -*-===//
#ifndef KILN_IR_TEXT_H
#define KILN_IR_TEXT_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace kiln {

/// The text in single quotes, shortened and escaped so that it is fit to print.
std::string inQuotes(llvm::StringRef text);
/// Appends `text` with control characters and malformed UTF-8 replaced; tabs become one blank.
void appendPrintable(std::string &out, llvm::StringRef text);

} // namespace kiln

#endif // KILN_IR_TEXT_H
