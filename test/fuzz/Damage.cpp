//===- Damage.cpp - texts that are nearly models --------------------------===//

#include "test/fuzz/Damage.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace kiln;

void fuzz::damage(std::string &text, std::mt19937_64 &random) {
  for (unsigned changes = 1 + random() % 5; changes-- && !text.empty();) {
    size_t at = random() % text.size(), from = random() % text.size();
    switch (random() % 5) {
    case 0:
      text[at] = static_cast<char>(random());
      break;
    case 1:
      text.erase(at, random() % 8);
      break;
    case 2:
      text.insert(at, text.substr(from, random() % 40));
      break;
    case 3:
      text.insert(at, 1, "()[]{}.,:=-#\";"[random() % 14]);
      break;
    case 4: {
      std::string piece = text.substr(from, 1 + random() % 6), repeated;
      for (unsigned times = random() % 400; times--;)
        repeated += piece;
      text.insert(at, repeated);
      break;
    }
    }
  }
}

std::vector<std::string> fuzz::tokensOf(llvm::StringRef text) {
  auto isWord = [](char c) { return llvm::isAlnum(c) || c == '_'; };
  std::vector<std::string> tokens;
  while (!text.empty()) {
    size_t begin = std::min(text.find_if_not(llvm::isSpace), text.size());
    size_t end = text.find_if_not(isWord, begin);
    end = std::min(end == begin ? begin + 1 : end, text.size());
    tokens.push_back(text.take_front(end).str());
    text = text.drop_front(end);
  }
  return tokens;
}

std::string fuzz::damageTokens(llvm::StringRef text, llvm::ArrayRef<std::string> others,
                               std::mt19937_64 &random) {
  static const std::vector<std::string> numbers = {
      " 0", " 1", " -1", " 65", " 100000", " 2147483648", " 9223372036854775807", " 0.5", " 1e308"};
  std::vector<std::string> tokens = tokensOf(text);
  for (unsigned changes = random() % 2 ? 1 : 1 + random() % 3; changes-- && !tokens.empty();) {
    size_t at = random() % tokens.size(), from = random() % tokens.size();
    auto place = tokens.begin() + static_cast<std::ptrdiff_t>(at);
    switch (random() % 5) {
    case 0:
      tokens.erase(place);
      break;
    case 1:
      tokens.insert(place, tokens[at]);
      break;
    case 2:
      std::swap(tokens[at], tokens[from]);
      break;
    case 3:
      tokens[at] = others[random() % others.size()];
      break;
    case 4: // a number where one stands
      place = std::find_if(place, tokens.end(),
                           [](auto &token) { return llvm::isDigit(token.back()); });
      if (place != tokens.end())
        *place = numbers[random() % numbers.size()];
      break;
    }
  }
  return llvm::join(tokens, "");
}
