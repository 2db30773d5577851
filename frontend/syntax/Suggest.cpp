//===- Suggest.cpp - what was meant by a word -----------------------------===//
#include "frontend/syntax/Suggest.h"

#include "frontend/syntax/Diagnostics.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace kiln {

/// One word for the same thing as another.
using Synonym = std::pair<StringLiteral, StringLiteral>;

/// Other libraries' names of arguments; one name may mean several, by the function.
static constexpr Synonym arguments[] = {
    {"dim", "axis"},
    {"dims", "axis"},
    {"dim", "axes"},
    {"dims", "axes"},
    {"keepdim", "keepdims"},
    {"keep_dims", "keepdims"},
    {"kernel", "kernel_size"},
    {"pool_size", "kernel_size"},
    {"ksize", "kernel_size"},
    {"strides", "stride"},
    {"pad", "padding"},
    {"pads", "padding"},
    {"dilations", "dilation"},
    {"dilation_rate", "dilation"},
    {"group", "groups"},
    {"epsilon", "eps"},
    {"min_value", "min"},
    {"max_value", "max"},
    {"a_min", "min"},
    {"a_max", "max"},
    {"attn_mask", "mask"},
    {"is_causal", "causal"},
    {"num_classes", "depth"},
    {"input", "x"},
    {"size", "shape"},
    {"output_size", "size"},
    {"use_bias", "bias"},
    {"in_dim", "in_features"},
    {"out_dim", "out_features"},
    {"units", "out_features"},
    {"filters", "out_channels"},
    {"gamma", "weight"},
    {"beta", "bias"},
    {"running_mean", "mean"},
    {"running_var", "variance"},
};

/// Words of other languages.
static constexpr Synonym words[] = {
    {"def", "fn"},       {"func", "fn"},         {"function", "fn"}, {"class", "layer"},
    {"module", "layer"}, {"True", "true"},       {"False", "false"}, {"elif", "else"},
    {"elseif", "else"},  {"parameter", "param"}, {"this", "self"},   {"let", "const"},
};

std::string didYouMeanArgument(StringRef name, ArrayRef<StringRef> known) {
  for (auto [other, ours] : arguments)
    if (name == other && is_contained(known, ours))
      return ", did you mean " + inQuotes(ours);
  return didYouMean(name, known);
}

StringRef meantKeyword(StringRef name) {
  static constexpr StringLiteral keywords[] = {
#define KEYWORD(spelling) #spelling,
#include "frontend/syntax/Tokens.def"
      "axis", "reverse", "limit", "with"};
  for (auto [other, ours] : words)
    if (name == other)
      return ours;
  constexpr size_t shortest = 3; // of two letters each is like another
  if (name.size() < shortest || is_contained(keywords, name))
    return {};
  // Swapped letters of a short word are two changes, too many for a similar name.
  auto letters = [](StringRef word) {
    std::string text = word.str();
    sort(text);
    return text;
  };
  for (StringRef keyword : keywords)
    if (letters(keyword) == letters(name))
      return keyword;
  return nearest(name, SmallVector<StringRef>(std::begin(keywords), std::end(keywords)));
}

} // namespace kiln
