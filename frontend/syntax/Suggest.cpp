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

/// Other libraries' names of functions.
static constexpr Synonym functions[] = {
    {"cat", "concat"},
    {"concatenate", "concat"},
    {"hstack", "concat"},
    {"vstack", "concat"},
    {"view", "reshape"},
    {"chunk", "split"},
    {"unbind", "split"},
    {"masked_fill", "where"},
    {"clip", "clamp"},
    {"clamp_min", "maximum"},
    {"clamp_max", "minimum"},
    {"relu_", "relu"},
    {"amax", "max"},
    {"amin", "min"},
    {"mm", "matmul"},
    {"bmm", "matmul"},
    {"dot", "matmul"},
    {"repeat", "tile"},
    {"index_select", "take"},
    {"zeros_like", "zeros"},
    {"ones_like", "ones"},
    {"full_like", "full"},
    {"swapaxes", "permute"},
    {"moveaxis", "permute"},
    {"expand_dims", "unsqueeze"},
    {"resize", "interpolate"},
    {"upsample", "interpolate"},
    {"swish", "silu"},
    {"power", "pow"},
    {"multiply", "mul"},
    {"subtract", "sub"},
    {"divide", "div"},
    {"index_put", "scatter_nd"},
    {"argtopk", "topk"},
    {"scaled_dot_product_attention", "attention"},
};

/// Other libraries' functions and words that are an expression here.
static constexpr Synonym expressions[] = {
    {"std", "sqrt(var(x))"},
    {"norm", "sqrt(sum(x * x))"},
    {"tril", "where(unsqueeze(arange(N), 1) >= arange(N), x, 0)"},
    {"triu", "where(unsqueeze(arange(N), 1) <= arange(N), x, 0)"},
    {"None", "unsqueeze(x, 0)"},
    {"none", "unsqueeze(x, 0)"},
    {"newaxis", "unsqueeze(x, 0)"},
    {"linspace", "start + arange(N) as f32 * step"},
    {"cosine_similarity", "sum(x * y) / (sqrt(sum(x * x)) * sqrt(sum(y * y)))"},
    {"baddbmm", "x + a @ b"},
    {"addmm", "x + a @ b"},
    {"outer", "unsqueeze(x, 1) * y"},
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

static StringRef lookUp(ArrayRef<Synonym> table, StringRef name) {
  auto *found = find_if(table, [&](const Synonym &row) { return row.first == name; });
  return found == table.end() ? StringRef() : StringRef(found->second);
}

Meant meantName(StringRef name, ArrayRef<StringRef> known) {
  if (StringRef ours = lookUp(functions, name); is_contained(known, ours))
    return {ours, ", did you mean " + inQuotes(ours)};
  if (StringRef expression = lookUp(expressions, name); !expression.empty())
    return {{}, ", which is written " + inQuotes(expression)};
  return {nearest(name, known), didYouMean(name, known)};
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
