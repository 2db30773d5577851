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
    {"unbind", "split"},
    {"clip", "clamp"},
    {"clamp_min", "maximum"},
    {"clamp_max", "minimum"},
    {"relu_", "relu"},
    {"amax", "max"},
    {"amin", "min"},
    {"mm", "matmul"},
    {"repeat", "tile"},
    {"index_select", "take"},
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
    {"segment_sum", "index_add"},
    {"segment_max", "index_max"},
    {"segment_min", "index_min"},
    {"scatter_amax", "scatter_max"},
    {"scatter_amin", "scatter_min"},
    {"argwhere", "nonzero"},
    {"unflatten", "reshape"},
    {"movedim", "permute"},
    {"remainder", "mod"},
};

/// Other libraries' names of element types.
static constexpr Synonym types[] = {
    {"float", "f32"},
    {"float32", "f32"},
    {"double", "f64"},
    {"float64", "f64"},
    {"half", "f16"},
    {"float16", "f16"},
    {"fp16", "f16"},
    {"fp32", "f32"},
    {"int", "i32"},
    {"int32", "i32"},
    {"long", "i64"},
    {"int64", "i64"},
    {"short", "i16"},
    {"int16", "i16"},
    {"int8", "i8"},
    {"uint8", "u8"},
    {"byte", "u8"},
    {"bfloat16", "bf16"},
    {"boolean", "bool"},
    {"float8_e4m3fn", "f8e4m3"},
    {"float8_e5m2", "f8e5m2"},
};

/// Other libraries' functions and words that are an expression here.
static constexpr Synonym expressions[] = {
    {"none", "None"},
    {"newaxis", "unsqueeze(x, 0)"},
    {"array", "[1, 2] as f32"},
    {"tensor", "[1, 2] as f32"},
    {"Sequential", "[first, second]"},
    {"ModuleList", "[first, second]"},
    {"functional", "import functional"},
    {"relu6", "clamp(x, min = 0, max = 6)"},
    {"hardtanh", "clamp(x, min = -1, max = 1)"},
    {"torch", "relu(x)"},
    {"diag", "functional.diag_embed(x)"},
    {"randn", "random.normal([n], seed)"},
    {"rand", "random.uniform([n], seed)"},
    {"float", "x as f32"},
    {"double", "x as f64"},
    {"half", "x as f16"},
    {"int", "x as i32"},
    {"long", "x as i64"},
    {"size", "f[N](x: f32[N])"},
};

/// What tensors of other libraries have as members, and is an expression here.
static constexpr Synonym members[] = {
    {"T", "transpose(x)"},        {"mT", "transpose(x)"},      {"t", "transpose(x)"},
    {"to", "x as f16"},           {"type", "x as f16"},        {"astype", "x as f16"},
    {"shape", "f[N](x: f32[N])"}, {"size", "f[N](x: f32[N])"},
};

/// What the standard module `functional` has.
static constexpr StringLiteral functional =
    " addcdiv addcmul addmm affine_grid alibi_slopes allclose baddbmm bartlett_window"
    " batched_nms binary_cross_entropy binary_cross_entropy_with_logits bincount"
    " blackman_window bmm box_area box_convert box_iou bucketize cdist channel_shuffle chunk"
    " clip_boxes_to_image corrcoef cosine_embedding_loss cosine_similarity count_nonzero"
    " cov cross cross_entropy cummax cummin diag_embed diagonal diff dot fold frac full_like"
    " gaussian_nll_loss geglu generalized_box_iou glu grid_sample hamming_window"
    " hann_window hinge_embedding_loss huber_loss hypot index_reduce isclose kl_div kron kthvalue"
    " l1_loss lerp"
    " linspace local_response_norm logaddexp logaddexp2 logcumsumexp logit logspace"
    " lp_pool1d lp_pool2d lp_pool3d margin_ranking_loss masked_fill median meshgrid mse_loss mv"
    " nan_to_num nanmean nanmedian nansum nll_loss norm normalize ones_like outer pairwise_distance"
    " poisson_nll_loss quantile remove_small_boxes repeat_interleave rfft scatter_reduce"
    " searchsorted sinc sinusoidal_positions smooth_l1_loss soft_cross_entropy soft_margin_loss "
    "std std_mean"
    " stft swiglu trace tril triplet_margin_loss triu unfold var_mean vector_norm xlogy"
    " zeros_like ";

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

std::string didYouMeanType(StringRef name, ArrayRef<StringRef> known) {
  StringRef ours = lookUp(types, name);
  return is_contained(known, ours) ? ", did you mean " + inQuotes(ours) : didYouMean(name, known);
}

Meant meantName(StringRef name, ArrayRef<StringRef> known) {
  if (StringRef ours = lookUp(functions, name); is_contained(known, ours))
    return {ours, ", did you mean " + inQuotes(ours)};
  if (StringRef expression = lookUp(expressions, name); !expression.empty())
    return {{}, ", which is written " + inQuotes(expression)};
  if (functional.contains((" " + name + " ").str()))
    return {{}, ", 'import functional' has it: " + inQuotes(("functional." + name).str())};
  return {nearest(name, known), didYouMean(name, known)};
}

std::string insteadOfMember(StringRef name, ArrayRef<StringRef> known) {
  for (ArrayRef<Synonym> table : {ArrayRef(members), ArrayRef(expressions)})
    if (StringRef expression = lookUp(table, name); !expression.empty())
      return "; " + inQuotes(name) + " is written " + inQuotes(expression);
  StringRef ours = is_contained(known, name) ? name : lookUp(functions, name);
  if (is_contained(known, ours))
    return "; functions are called as '" + ours.str() + "(x, ...)'";
  return meantName(name, known).hint;
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
