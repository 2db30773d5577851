//===- Text.h - sentences as inputs ----------------------------*- C++ -*-===//
#ifndef KILN_TOOLS_KILN_RUN_TEXT_H
#define KILN_TOOLS_KILN_RUN_TEXT_H

#include "tools/kiln-run/Program.h"

namespace kiln::run {

/// What a tokenizer makes of one text; all lists have one length.
struct Encoding {
  std::vector<int64_t> ids;
  std::vector<int64_t> mask;  ///< 1 for a token, 0 for what fills the text up
  std::vector<int64_t> types; ///< which of a pair of texts; 0
};

/// Encodes texts as the file of Hugging Face's library `tokenizers` says, special tokens included,
/// by that library in a process of `python3`. All encodings have the length of the longest: others
/// are filled up with the file's token for that, or 0. Nothing is cut: a model refuses what is too
/// long for it.
llvm::Expected<std::vector<Encoding>> encodeTexts(llvm::StringRef tokenizer,
                                                  llvm::ArrayRef<llvm::StringRef> texts);

/// Which list of encodings an argument takes.
enum class TextPart : uint8_t { Ids, Mask, Types };

/// The list as the argument's tensor: [T] of one text, or [N, T]. Ids and types want integers, and
/// the argument's type must hold them.
llvm::Expected<Value> textValue(const TensorSpec &spec, TextPart part,
                                llvm::ArrayRef<Encoding> encodings);

} // namespace kiln::run

#endif // KILN_TOOLS_KILN_RUN_TEXT_H
