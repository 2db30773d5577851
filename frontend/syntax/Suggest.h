//===- Suggest.h - what was meant by a word --------------------*- C++ -*-===//
#ifndef KILN_FRONTEND_SYNTAX_SUGGEST_H
#define KILN_FRONTEND_SYNTAX_SUGGEST_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace kiln {

/// ", did you mean 'axis'" for an argument that a function has not: what PyTorch, NumPy or
/// TensorFlow call one that it has, or a similar name.
std::string didYouMeanArgument(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> known);

/// The same for an element type: 'f32' for what others call 'float' or 'float32'.
std::string didYouMeanType(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> known);

/// A known name that is meant by another, if it is one, and what an error says of it, if anything.
struct Meant {
  llvm::StringRef name;
  std::string hint;
};
/// What PyTorch or NumPy call a function that is known, or a similar name; or how what they have is
/// written here.
Meant meantName(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> known);

/// What is written here for a member of other libraries' tensors: an expression or a function.
std::string insteadOfMember(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> known);

/// The reserved word that is meant by a name like it, or by another language's word; may be empty.
llvm::StringRef meantKeyword(llvm::StringRef name);

} // namespace kiln

#endif // KILN_FRONTEND_SYNTAX_SUGGEST_H
