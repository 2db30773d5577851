//===- Inputs.cpp - the values of arguments -------------------------------===//
#include "tools/kiln-run/Inputs.h"
#include "tools/kiln-run/Text.h"

#include "frontend/weights/Reader.h"
#include "ir/Solve.h"
#include "ir/Tensor.h"

#include "llvm/ADT/StringExtras.h"

using namespace kiln;
using namespace kiln::run;
using llvm::StringRef;

std::pair<StringRef, StringRef> run::splitName(StringRef text, llvm::ArrayRef<TensorSpec> names) {
  auto [name, rest] = text.split('=');
  for (const TensorSpec &spec : names)
    if (spec.name == name && text.size() > name.size())
      return {name, rest};
  return {"", text};
}

/// The tensors of a file; an error calls it `what`.
static llvm::Expected<std::vector<NamedTensor>> readFile(StringRef path, StringRef what) {
  llvm::Expected<std::vector<NamedTensor>> tensors = readWeights(path);
  if (tensors)
    return tensors;
  std::string text = llvm::toString(tensors.takeError());
  StringRef reason = text;
  reason.consume_front("cannot read weights ");
  return failure("cannot read " + what + " " + reason);
}

static Value copyOf(const WeightView &view) {
  return Value{view.type, view.shape, {view.bytes.begin(), view.bytes.end()}};
}

llvm::Expected<Value> run::readTensor(StringRef path, StringRef what) {
  llvm::Expected<std::vector<NamedTensor>> tensors = readFile(path, what);
  if (!tensors)
    return tensors.takeError();
  if (tensors->size() != 1)
    return failure("'" + path + "' holds " + llvm::Twine(tensors->size()) +
                   " tensors, expected one: give a .npy file");
  return copyOf(tensors->front().view);
}

llvm::Expected<std::vector<std::pair<std::string, Value>>> run::readTensors(StringRef path,
                                                                            StringRef what) {
  llvm::Expected<std::vector<NamedTensor>> tensors = readFile(path, what);
  if (!tensors)
    return tensors.takeError();
  std::vector<std::pair<std::string, Value>> values;
  for (const NamedTensor &tensor : *tensors)
    values.emplace_back(tensor.name, copyOf(tensor.view));
  return values;
}

/// SplitMix64: the same numbers on every machine.
static uint64_t nextRandom(uint64_t &state) {
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// Floats in [0, 1), integers 0 to 9, bools.
static Value randomValue(DType type, llvm::ArrayRef<int64_t> shape, uint64_t seed) {
  ir::Tensor tensor(type, shape);
  for (double &element : tensor.floats)
    element = double(nextRandom(seed) >> 40) * 0x1p-24;
  for (int64_t &element : tensor.ints)
    element = static_cast<int64_t>(nextRandom(seed) % (type == DType::Bool ? 2 : 10));
  Value value = makeValue(type, shape);
  tensor.toBytes(value.bytes.data());
  return value;
}

static StringRef numpyName(DType type) {
  constexpr StringRef names[numDTypes] = {"float64", "float32", "float16", "",     "",      "",
                                          "int64",   "int32",   "int16",   "int8", "uint8", "bool"};
  return names[static_cast<int>(type)];
}

namespace {
class InputMaker {
public:
  InputMaker(const Entry &entry, Dims &dims, const InputOptions &options)
      : entry(entry), dims(dims), options(options), texts(entry.arguments.size()),
        sentences(entry.arguments.size()), archived(entry.arguments.size()),
        values(entry.arguments.size()) {}

  llvm::Error assign(StringRef text);
  llvm::Error readSentences();
  llvm::Error readFiles();
  llvm::Expected<std::vector<Value>> finish();

private:
  const Entry &entry;
  Dims &dims;
  const InputOptions &options;
  std::vector<StringRef> texts;                        ///< what was given for each argument
  std::vector<llvm::SmallVector<StringRef>> sentences; ///< of each argument
  std::vector<std::optional<Value>> archived;          ///< what a file for several arguments holds
  std::vector<Value> values;
  llvm::SmallVector<std::pair<DimExpr, int64_t>> extents; ///< of files, beside their sizes
  StringRef otherwise;                                    ///< for arguments with no text

  static bool isGenerated(StringRef text) {
    return text == "zeros" || text.starts_with("random:") || text == "random";
  }
  static bool isSentence(StringRef text) { return text.starts_with("text:"); }
  static bool isOfSentences(StringRef text) {
    return text.starts_with("text-mask:") || text.starts_with("text-types:");
  }
  std::string argumentNames() const;
  llvm::Error takeEncoding(size_t position, TextPart part, llvm::ArrayRef<Encoding> encodings);
  llvm::Error assignArchive(StringRef path);
  llvm::Error bind(const TensorSpec &spec, const Value &value, StringRef path);
  llvm::Expected<Value> generate(const TensorSpec &spec, StringRef text, uint64_t position) const;
};
} // namespace

std::string InputMaker::argumentNames() const {
  std::string text;
  for (const TensorSpec &spec : entry.arguments)
    text += (text.empty() ? "'" : ", '") + spec.name + "'";
  return text;
}

llvm::Error InputMaker::assign(StringRef text) {
  auto [name, rest] = splitName(text, entry.arguments);
  size_t position = 0;
  if (!name.empty()) {
    while (entry.arguments[position].name != name)
      ++position;
  } else if (isGenerated(rest) && otherwise.empty()) {
    otherwise = rest;
    return llvm::Error::success();
  } else if (rest.ends_with(".npz") && entry.arguments.size() > 1 && !isSentence(rest)) {
    return assignArchive(rest);
  } else if (entry.arguments.size() != 1) {
    return failure("'--input " + text + "' names none of the inputs of '" + entry.name +
                   "', expected NAME=VALUE with one of " + argumentNames());
  }
  bool isFurther = isSentence(rest) && !sentences[position].empty();
  if (!texts[position].empty() && !isFurther)
    return failure("input '" + entry.arguments[position].name + "' is given twice");
  if (rest.empty())
    return failure("'--input " + text +
                   "' has no value, expected a file, 'random:SEED' or 'zeros'");
  if (isSentence(rest))
    sentences[position].push_back(rest.drop_front(StringRef("text:").size()));
  texts[position] = rest;
  return llvm::Error::success();
}

/// Gives each argument the array of its name; the file may hold others.
llvm::Error InputMaker::assignArchive(StringRef path) {
  llvm::Expected<std::vector<NamedTensor>> tensors = readFile(path, "the inputs");
  if (!tensors)
    return tensors.takeError();
  bool isUsed = false;
  for (auto [i, spec] : llvm::enumerate(entry.arguments))
    for (const NamedTensor &tensor : *tensors) {
      if (tensor.name != spec.name)
        continue;
      if (!texts[i].empty())
        return failure("input '" + spec.name + "' is given twice");
      texts[i] = path;
      archived[i] = copyOf(tensor.view);
      isUsed = true;
    }
  if (!isUsed)
    return failure("'" + path + "' holds none of the inputs of '" + entry.name +
                   "', expected arrays with some of the names " + argumentNames());
  return llvm::Error::success();
}

/// Checks a value from a file against its argument; its extents tell the dimensions.
llvm::Error InputMaker::bind(const TensorSpec &spec, const Value &value, StringRef path) {
  std::string expected = "input '" + spec.name + "': expected " + typeText(spec) + ", got " +
                         name(value.type).data() + shapeText(value.shape) + " from '" + path.str() +
                         "'";
  if (value.type != spec.type) {
    StringRef numpy = numpyName(spec.type);
    return failure(expected + (numpy.empty() ? "; NumPy's files have no such type, safetensors do"
                                             : "; in Python, array.astype(numpy." + numpy.str() +
                                                   ") converts it"));
  }
  if (value.shape.size() != spec.shape.size())
    return failure(expected);
  for (auto [extent, expr] : llvm::zip(value.shape, spec.shape)) {
    extents.emplace_back(expr, extent);
    std::optional<std::string> symbol = expr.asSymbol();
    bool fits = symbol ? dims.try_emplace(*symbol, extent).first->second == extent
                       : !expr.isConstant() || expr.constantValue() == extent;
    if (!fits)
      return failure(
          expected +
          (symbol ? "; '" + *symbol + "' is " + std::to_string(dims[*symbol]) + " elsewhere" : ""));
  }
  return llvm::Error::success();
}

llvm::Error InputMaker::takeEncoding(size_t position, TextPart part,
                                     llvm::ArrayRef<Encoding> encodings) {
  const TensorSpec &spec = entry.arguments[position];
  llvm::Expected<Value> value = textValue(spec, part, encodings);
  if (!value)
    return value.takeError();
  if (llvm::Error error = bind(spec, *value, texts[position]))
    return error;
  values[position] = std::move(*value);
  return llvm::Error::success();
}

/// Numbers of tokens, and the masks and types that other arguments take from them.
llvm::Error InputMaker::readSentences() {
  std::vector<std::vector<Encoding>> encodings(texts.size());
  bool isAny = false;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (sentences[i].empty())
      continue;
    isAny = true;
    if (options.tokenizer.empty())
      return failure("input '" + entry.arguments[i].name +
                     "' is a text: give its model's '--tokenizer tokenizer.json'");
    auto encoded = encodeTexts(options.tokenizer, sentences[i]);
    if (!encoded)
      return encoded.takeError();
    encodings[i] = std::move(*encoded);
    if (llvm::Error error = takeEncoding(i, TextPart::Ids, encodings[i]))
      return error;
  }
  if (!isAny && !options.tokenizer.empty())
    return failure("'--tokenizer' is for inputs like 'NAME=text:Hello', and none is given");
  for (size_t i = 0; i < texts.size(); ++i) {
    if (!isOfSentences(texts[i]))
      continue;
    auto [part, source] = texts[i].split(':');
    auto named = llvm::find_if(entry.arguments, [&](auto &spec) { return spec.name == source; });
    size_t from = named - entry.arguments.begin();
    if (from == texts.size() || sentences[from].empty())
      return failure("input '" + entry.arguments[i].name + "': '" + texts[i] +
                     "' names no input that is given as 'text:…'");
    TextPart which = part == "text-mask" ? TextPart::Mask : TextPart::Types;
    if (llvm::Error error = takeEncoding(i, which, encodings[from]))
      return error;
  }
  return llvm::Error::success();
}

llvm::Error InputMaker::readFiles() {
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].empty() || isGenerated(texts[i]) || isSentence(texts[i]) ||
        isOfSentences(texts[i]))
      continue;
    const TensorSpec &spec = entry.arguments[i];
    std::string lower = texts[i].lower();
    bool isImage = StringRef(lower).ends_with(".png") || StringRef(lower).ends_with(".jpg") ||
                   StringRef(lower).ends_with(".jpeg");
    llvm::Expected<Value> value = archived[i] ? std::move(*archived[i])
                                  : isImage   ? loadImage(texts[i], spec, options.image)
                                              : readTensor(texts[i], "the input");
    if (!value)
      return value.takeError();
    if (llvm::Error error = bind(spec, *value, texts[i]))
      return isImage ? failure(llvm::toString(std::move(error)) +
                               "; '--resize N' and '--crop F' change an image's size")
                     : std::move(error);
    values[i] = std::move(*value);
  }
  return llvm::Error::success();
}

llvm::Expected<Value> InputMaker::generate(const TensorSpec &spec, StringRef text,
                                           uint64_t position) const {
  llvm::Expected<Shape> shape = shapeOf(spec, dims);
  if (!shape)
    return shape.takeError();
  if (text == "zeros")
    return makeValue(spec.type, *shape);
  uint64_t seed = 0;
  StringRef digits = text;
  digits.consume_front("random");
  if (digits.consume_front(":") && digits.getAsInteger(10, seed))
    return failure("input '" + spec.name + "': expected 'random:SEED' with an integer, got '" +
                   text + "'");
  // Two arguments of one text get different numbers.
  return randomValue(spec.type, *shape, seed + (position << 32));
}

llvm::Expected<std::vector<Value>> InputMaker::finish() {
  solveSizes(extents, dims);
  for (size_t i = 0; i < texts.size(); ++i) {
    const TensorSpec &spec = entry.arguments[i];
    StringRef text = texts[i].empty() ? otherwise : texts[i];
    if (text.empty())
      return failure("input '" + spec.name + "' (" + typeText(spec) +
                     ") is missing: give '--input " + spec.name +
                     "=FILE.npy', or 'random:1' for a value");
    if (!isGenerated(text)) {
      // Files came first; now every dimension is known, and so is what they must be.
      llvm::Expected<Shape> shape = shapeOf(spec, dims);
      if (!shape)
        return shape.takeError();
      if (*shape != values[i].shape)
        return failure("input '" + spec.name + "': expected " + shapeText(*shape) + ", got " +
                       shapeText(values[i].shape));
      continue;
    }
    llvm::Expected<Value> value = generate(spec, text, i);
    if (!value)
      return value.takeError();
    values[i] = std::move(*value);
  }
  return std::move(values);
}

llvm::Expected<std::vector<Value>> run::makeInputs(const Entry &entry,
                                                   llvm::ArrayRef<std::string> texts, Dims &dims,
                                                   const InputOptions &options) {
  InputMaker maker(entry, dims, options);
  for (const std::string &text : texts)
    if (llvm::Error error = maker.assign(text))
      return error;
  if (llvm::Error error = maker.readSentences())
    return error;
  if (llvm::Error error = maker.readFiles())
    return error;
  return maker.finish();
}
