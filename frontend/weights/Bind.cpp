//===- Bind.cpp - weights of files to weights of a model ------------------===//

#include "frontend/weights/Bind.h"

#include "frontend/weights/Reader.h"
#include "ir/KilnOps.h"
#include "ir/Tensor.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/xxhash.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

bool kiln::matchesPattern(StringRef pattern, StringRef text) {
  size_t star = pattern.find('*');
  if (star == StringRef::npos)
    return pattern == text;
  if (!text.consume_front(pattern.take_front(star)))
    return false;
  pattern = pattern.drop_front(star + 1);
  if (pattern.empty())
    return true;
  // The next literal part may stand anywhere; the last one at the end.
  size_t next = pattern.find('*');
  StringRef literal = pattern.take_front(next);
  if (next == StringRef::npos)
    return text.ends_with(literal);
  for (size_t at = text.find(literal); at != StringRef::npos; at = text.find(literal, at + 1))
    if (matchesPattern(pattern.drop_front(next), text.drop_front(at + literal.size())))
      return true;
  return false;
}

std::optional<std::string> kiln::renamed(StringRef pattern, StringRef replacement, StringRef text) {
  // What each star of the pattern stands for: the shortest that lets the rest fit.
  SmallVector<StringRef> stars;
  while (true) {
    auto [literal, rest] = pattern.split('*');
    if (literal.size() == pattern.size()) {
      if (text != literal)
        return std::nullopt;
      break;
    }
    if (!text.consume_front(literal))
      return std::nullopt;
    size_t length = 0;
    while (length <= text.size() && !matchesPattern(rest, text.drop_front(length)))
      ++length;
    if (length > text.size())
      return std::nullopt;
    stars.push_back(text.take_front(length));
    text = text.drop_front(length);
    pattern = rest;
  }
  std::string result;
  size_t next = 0;
  for (char c : replacement)
    if (c != '*')
      result += c;
    else if (next < stars.size())
      result += stars[next++];
  return result;
}

static std::string shapeText(DType type, ArrayRef<int64_t> shape) {
  SmallVector<DimExpr> dims(shape.begin(), shape.end());
  std::string text(name(type));
  for (auto [i, n] : llvm::enumerate(shape))
    text += (i ? ", " : "[") + std::to_string(n);
  return shape.empty() ? text : text + "]";
}

/// Whether every value of `from` is one of `to`.
static bool widens(DType from, DType to) {
  if (from == to)
    return true;
  if (isFloat(from) && isFloat(to))
    return byteSize(from) < byteSize(to);
  if (!isInteger(from) || !isInteger(to))
    return false;
  return byteSize(from) < byteSize(to);
}

namespace {
/// What is wrong with the files, collected.
struct Findings {
  std::vector<std::string> missing, misshapen, unused;
  std::string hint; ///< what may help

  static void list(std::string &text, StringRef title, const std::vector<std::string> &lines) {
    if (lines.empty())
      return;
    text += ("\n  " + title + " (" + Twine(lines.size()) + "):").str();
    for (size_t i = 0; i < lines.size() && i < 20; ++i)
      text += "\n    " + lines[i];
    if (lines.size() > 20)
      text += "\n    … and " + std::to_string(lines.size() - 20) + " more";
  }

  llvm::Error error(StringRef source) const {
    if (missing.empty() && misshapen.empty() && unused.empty())
      return llvm::Error::success();
    std::string text = ("the weights of '" + source + "' do not fit the model").str();
    list(text, "missing, the model reads them", missing);
    list(text, "misshapen", misshapen);
    list(text,
         "unused, the model does not read them (`ignore` or --allow-unused-weights accepts them)",
         unused);
    if (!hint.empty())
      text += "\n  " + hint;
    return llvm::createStringError(text);
  }
};

/// splitmix64: the whole state is the seed.
struct Random {
  uint64_t state;
  double uniform() { // [0, 1)
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }
};
} // namespace

/// Random weights that keep activations in range: matrices and kernels have variance 1 / fan-in,
/// variances are near 1, scales in 0.5 … 1, all else is small.
static std::string makeWeight(WeightStore &store, WeightOp weight, std::optional<uint64_t> seed) {
  auto type = cast<RankedTensorType>(weight.getType());
  Tensor tensor(*dtypeOf(type), type.getShape());
  if (seed) {
    Random random{*seed ^ llvm::xxh3_64bits(weight.getSymName())};
    int64_t fanIn =
        type.getRank() > 1
            ? std::max<int64_t>(1, tensor.numElements() / std::max<int64_t>(1, type.getDimSize(0)))
            : 1;
    double bound = std::sqrt(3.0 / static_cast<double>(fanIn));
    StringRef name = weight.getSymName();
    for (double &v : tensor.floats) {
      double u = random.uniform();
      if (type.getRank() > 1)
        v = (2 * u - 1) * bound;
      else
        v = name.ends_with("running_var") ? 0.8 + 0.4 * u
            : name.ends_with("weight")    ? 0.5 + 0.5 * u
                                          : 0.2 * u - 0.1;
    }
  }
  std::vector<uint8_t> bytes(tensor.numElements() * byteSize(tensor.type));
  tensor.toBytes(bytes.data());
  return store.addOwned(tensor.type, tensor.shape, std::move(bytes));
}

/// Puts a file's tensor into the store in the model's type.
static std::string storeTensor(WeightStore &store, const NamedTensor &tensor, DType type) {
  if (tensor.view.type == type)
    return store.addBorrowed(tensor.view, tensor.owner);
  Tensor wide = Tensor::fromBytes(tensor.view.type, tensor.view.shape, tensor.view.bytes.data());
  wide.type = type;
  std::vector<uint8_t> bytes(wide.numElements() * byteSize(type));
  wide.toBytes(bytes.data());
  return store.addOwned(type, tensor.view.shape, std::move(bytes));
}

static SmallVector<StringRef> strings(ArrayAttr array) {
  SmallVector<StringRef> out;
  if (array)
    for (Attribute a : array)
      out.push_back(cast<StringAttr>(a).getValue());
  return out;
}

/// Reads all files; a name in two files is an error.
static llvm::Error readAll(const BindOptions &options, llvm::StringMap<NamedTensor> &tensors,
                           std::vector<std::string> &order) {
  for (const std::string &path : options.sources) {
    llvm::Expected<std::vector<NamedTensor>> file = readWeights(path);
    if (!file)
      return file.takeError();
    for (NamedTensor &tensor : *file) {
      std::string name = tensor.name;
      for (const auto &[pattern, replacement] : options.renames)
        if (std::optional<std::string> other = renamed(pattern, replacement, name))
          name = *other;
      if (!tensors.try_emplace(name, std::move(tensor)).second)
        return llvm::createStringError("the tensor '" + name +
                                       "' stands in more than one weight file");
      order.push_back(std::move(name));
    }
  }
  return llvm::Error::success();
}

/// Tensors of the files that are neither read nor ignored nor an equal copy of a tied one.
static void findUnused(ModuleOp module, const BindOptions &options,
                       const llvm::StringMap<NamedTensor> &tensors, ArrayRef<std::string> order,
                       const llvm::StringSet<> &used, Findings &findings) {
  SmallVector<StringRef> ignored = strings(module->getAttrOfType<ArrayAttr>("kiln.ignore"));
  llvm::StringMap<StringRef> ties;
  if (auto pairs = module->getAttrOfType<ArrayAttr>("kiln.tie"))
    for (auto pair : pairs.getAsRange<ArrayAttr>())
      ties[cast<StringAttr>(pair[0]).getValue()] = cast<StringAttr>(pair[1]).getValue();
  for (const std::string &full : order) {
    StringRef name = full;
    // What lies outside of the prefix is another model's.
    if (used.contains(full) || !name.consume_front(options.prefix) ||
        llvm::any_of(ignored, [&](StringRef p) { return matchesPattern(p, name); }))
      continue;
    auto tie = ties.find(name);
    if (tie != ties.end()) {
      auto twin = tensors.find((options.prefix + tie->second).str());
      if (twin != tensors.end() && twin->second.view.bytes == tensors.find(full)->second.view.bytes)
        continue;
      findings.misshapen.push_back("'" + full + "' differs from '" + tie->second.str() +
                                   "', which it is tied to");
      continue;
    }
    if (!options.allowUnused)
      findings.unused.push_back("'" + full + "'");
  }
}

/// What the files' names have in front of the model's, if most of those that are missing are there
/// so; else "".
static std::string prefixOf(ArrayRef<std::string> missing,
                            const llvm::StringMap<NamedTensor> &tensors) {
  auto countWith = [&](const std::string &prefix) {
    return llvm::count_if(missing,
                          [&](const std::string &name) { return tensors.contains(prefix + name); });
  };
  for (const auto &tensor : tensors)
    for (const std::string &name : missing.take_front(3)) {
      StringRef prefix = tensor.first();
      if (prefix.consume_back(name) && prefix.ends_with(".") &&
          countWith(prefix.str()) * 2 > static_cast<int64_t>(missing.size()))
        return prefix.str();
    }
  return "";
}

static llvm::Error bindFiles(ModuleOp module, const BindOptions &options, WeightStore &store) {
  llvm::StringMap<NamedTensor> tensors;
  std::vector<std::string> order;
  if (llvm::Error error = readAll(options, tensors, order))
    return error;
  Findings findings;
  llvm::StringSet<> used;
  std::vector<std::string> missing;
  for (auto weight : module.getOps<WeightOp>()) {
    if (weight.getHash())
      continue;
    auto type = cast<RankedTensorType>(weight.getType());
    DType dtype = *dtypeOf(type);
    std::string name = options.prefix + weight.getSymName().str();
    auto found = tensors.find(name);
    if (found == tensors.end()) {
      findings.missing.push_back("'" + name + "' " + shapeText(dtype, type.getShape()));
      missing.push_back(weight.getSymName().str());
      continue;
    }
    used.insert(name);
    const WeightView &view = found->second.view;
    bool fits = ArrayRef<int64_t>(view.shape) == type.getShape();
    if (!fits || !widens(view.type, dtype))
      findings.misshapen.push_back("'" + name + "': expected " + shapeText(dtype, type.getShape()) +
                                   ", got " + shapeText(view.type, view.shape) +
                                   (fits ? "; only narrower numbers are converted" : ""));
    else
      weight.setHash(storeTensor(store, found->second, dtype));
  }
  findUnused(module, options, tensors, order, used, findings);
  if (std::string prefix = prefixOf(missing, tensors); !prefix.empty())
    findings.hint = "the files' names begin with '" + prefix + "': --weights-prefix=" + prefix +
                    " stands in front of the model's";
  return findings.error(llvm::join(options.sources, "', '"));
}

llvm::Error kiln::bindWeights(ModuleOp module, const BindOptions &options) {
  WeightStore &store = module.getContext()->getLoadedDialect<KilnDialect>()->getWeights();
  StringRef source = options.sources.empty() ? StringRef() : StringRef(options.sources.front());
  std::optional<uint64_t> seed;
  uint64_t number;
  bool random = source.consume_front("random:");
  if (random) {
    if (source.getAsInteger(10, number))
      return llvm::createStringError("expected --weights=random:SEED with a number, got '" +
                                     source + "'");
    seed = number;
  }
  if (random || source == "zeros") {
    if (options.sources.size() > 1)
      return llvm::createStringError("made-up weights and weight files exclude each other");
    for (auto weight : module.getOps<WeightOp>())
      if (!weight.getHash())
        weight.setHash(makeWeight(store, weight, seed));
    return llvm::Error::success();
  }
  if (options.sources.empty() && module.getOps<WeightOp>().empty())
    return llvm::Error::success();
  if (options.sources.empty())
    return llvm::createStringError(
        "the model has weights; give --weights FILE, or random:SEED or zeros to try it without");
  return bindFiles(module, options, store);
}
