//===- Text.cpp - sentences as inputs -------------------------------------===//
#include "tools/kiln-run/Text.h"

#include "ir/Tensor.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

using namespace kiln;
using namespace kiln::run;
using llvm::StringRef;

/// Prints three lines a text: ids, mask, types. The folder where it runs holds no packages. Exit 3:
/// the package is missing; 4: the file is none of a tokenizer; 5: a text cannot be encoded.
static constexpr char program[] = R"python(
import sys
sys.path.pop(0)
def fail(code, error):
    sys.stderr.write(" ".join(str(error).split()))
    sys.exit(code)
try:
    from tokenizers import Tokenizer
except ImportError as error:
    fail(3, error)
try:
    tokenizer = Tokenizer.from_file(sys.argv[1])
    filler = tokenizer.padding or {}
    tokenizer.no_truncation()
    tokenizer.enable_padding(**{key: filler[key] for key in ("pad_id", "pad_type_id", "pad_token") if key in filler})
except Exception as error:
    fail(4, error)
try:
    for text in tokenizer.encode_batch(sys.argv[2:]):
        for row in text.ids, text.attention_mask, text.type_ids:
            print(*row)
except Exception as error:
    fail(5, error)
)python";

static constexpr char version[] = "0.23.3"; // tools/dev/requirements-text.txt

namespace {
/// A file that goes away with it.
struct ScratchFile {
  llvm::SmallString<64> path;
  std::error_code error = llvm::sys::fs::createTemporaryFile("kiln-run", "txt", path);
  llvm::FileRemover remover{path};

  std::string read() const {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : "";
  }
};
} // namespace

/// The package's own words, which may be long, or none.
static std::string reason(const ScratchFile &errors) {
  std::string text = errors.read();
  StringRef last = StringRef(text).trim().rsplit('\n').second;
  StringRef words = last.empty() ? StringRef(text).trim() : last;
  return words.empty() ? "" : ": " + words.take_front(300).str();
}

static llvm::Error explain(int code, StringRef tokenizer, const ScratchFile &errors) {
  if (code == 3)
    return failure(
        llvm::Twine("a text needs the package 'tokenizers' of Python, which 'python3' ") +
        "does not find: 'python3 -m pip install tokenizers==" + version + "' installs it");
  if (code == 4)
    return failure("cannot read the tokenizer '" + tokenizer + "'" + reason(errors));
  if (code == 5)
    return failure("the tokenizer '" + tokenizer + "' cannot encode a text" + reason(errors));
  return failure("'python3' with the package 'tokenizers' failed" + reason(errors));
}

static llvm::Expected<std::string> runTokenizer(StringRef tokenizer,
                                                llvm::ArrayRef<StringRef> texts) {
  llvm::ErrorOr<std::string> python = llvm::sys::findProgramByName("python3");
  if (!python)
    return failure("a text needs 'python3' with the package 'tokenizers', and there is no "
                   "'python3' in PATH");
  ScratchFile output, errors;
  if (output.error || errors.error)
    return failure("cannot make a temporary file: " +
                   (output.error ? output.error : errors.error).message());
  llvm::SmallVector<StringRef> command = {*python, "-X", "utf8", "-c", program, tokenizer};
  command.append(texts.begin(), texts.end());
  std::optional<StringRef> redirects[] = {StringRef(), output.path.str(), errors.path.str()};
  constexpr unsigned mostSeconds = 300;
  std::string problem;
  int code = llvm::sys::ExecuteAndWait(*python, command, std::nullopt, redirects, mostSeconds,
                                       /*MemoryLimit=*/0, &problem);
  if (!problem.empty())
    return failure("cannot run 'python3': " + problem);
  if (code != 0)
    return explain(code, tokenizer, errors);
  return output.read();
}

static bool readNumbers(StringRef line, std::vector<int64_t> &numbers) {
  while (!line.empty()) {
    int64_t number;
    if (line.consumeInteger(10, number))
      return false;
    numbers.push_back(number);
    line.consume_front(" ");
  }
  return true;
}

llvm::Expected<std::vector<Encoding>> run::encodeTexts(StringRef tokenizer,
                                                       llvm::ArrayRef<StringRef> texts) {
  if (std::error_code error = llvm::sys::fs::access(tokenizer, llvm::sys::fs::AccessMode::Exist))
    return failure("cannot read the tokenizer '" + tokenizer + "': " + error.message());
  llvm::Expected<std::string> output = runTokenizer(tokenizer, texts);
  if (!output)
    return output.takeError();
  std::vector<Encoding> encodings(texts.size());
  StringRef rest = *output;
  size_t length = 0;
  for (Encoding &encoding : encodings) {
    for (auto list : {&Encoding::ids, &Encoding::mask, &Encoding::types}) {
      auto [line, after] = rest.split('\n');
      rest = after;
      if (!readNumbers(line, encoding.*list))
        return failure("'python3' wrote no token numbers but '" + line.take_front(100) + "'");
    }
    length = encodings.front().ids.size();
    if (encoding.ids.size() != length || encoding.mask.size() != length ||
        encoding.types.size() != length)
      return failure("'python3' wrote lists of different lengths");
  }
  return encodings;
}

static StringRef nameOf(TextPart part) {
  return part == TextPart::Ids ? "ids" : part == TextPart::Mask ? "a mask" : "types";
}

llvm::Expected<Value> run::textValue(const TensorSpec &spec, TextPart part,
                                     llvm::ArrayRef<Encoding> encodings) {
  std::string expected = "input '" + spec.name + "': " + nameOf(part).str() + " of ";
  size_t rank = spec.shape.size(), count = encodings.size();
  bool isInteger = !isFloat(spec.type) && spec.type != DType::Bool;
  if ((!isInteger && part != TextPart::Mask) || (rank != 2 && (rank != 1 || count != 1)))
    return failure(expected +
                   (count == 1 ? "a text go to integers [T] or [1, T]"
                               : llvm::utostr(count) + " texts go to integers [N, T]") +
                   ", not to " + typeText(spec));
  Shape shape;
  if (rank == 2)
    shape.push_back(static_cast<int64_t>(count));
  shape.push_back(static_cast<int64_t>(encodings.front().ids.size()));
  ir::Tensor tensor(spec.type, shape);
  size_t position = 0;
  for (const Encoding &encoding : encodings)
    for (int64_t number : part == TextPart::Ids    ? encoding.ids
                          : part == TextPart::Mask ? encoding.mask
                                                   : encoding.types) {
      if (tensor.isFloat())
        tensor.floats[position++] = static_cast<double>(number);
      else if (ir::truncateTo(spec.type, static_cast<double>(number)) == number)
        tensor.ints[position++] = number;
      else
        return failure("input '" + spec.name + "': token " + llvm::Twine(number) +
                       " does not fit into " + name(spec.type).data());
    }
  Value value = makeValue(spec.type, shape);
  tensor.toBytes(value.bytes.data());
  return value;
}
