//===- Damage.h - texts that are nearly models ------------------*- C++ -*-===//
#ifndef KILN_TEST_FUZZ_DAMAGE_H
#define KILN_TEST_FUZZ_DAMAGE_H

#include "llvm/ADT/ArrayRef.h"

#include <random>
#include <string>
#include <vector>

namespace kiln::fuzz {

/// Changes of bytes, cuts, moves and repetitions of pieces.
void damage(std::string &text, std::mt19937_64 &random);

/// The words, numbers and signs of a text, with the spaces in front of each.
std::vector<std::string> tokensOf(llvm::StringRef text);

/// One to three tokens are left out, doubled, exchanged, or replaced by one of `others` or a
/// number.
std::string damageTokens(llvm::StringRef text, llvm::ArrayRef<std::string> others,
                         std::mt19937_64 &random);

} // namespace kiln::fuzz

#endif // KILN_TEST_FUZZ_DAMAGE_H
