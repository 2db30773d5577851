//===- WeightsFuzz.cpp - damaged weight files -------------------------------===//
//
// WeightsFuzz SEED COUNT: makes COUNT files by damaging good ones of each format and reads them.
// What is read must be sound: every byte of a tensor is touched, so that a sanitizer sees a range
// that is none. Prints how many were read and how many refused.
//
//===----------------------------------------------------------------------===//
#include "frontend/weights/Reader.h"
#include "test/unit/frontend/WeightFiles.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <random>

using namespace kiln;
using namespace kiln::testing;

static std::vector<std::string> goodFiles() {
  std::string array = npy("<i2", true, "2, 3", shorts(6));
  std::string tensor = pickle::tensor("0", 6, 0, {3, 2}, {1, 3});
  std::string object = pickle::dict({{"a", tensor},
                                     {"b", "](" + tensor + pickle::number(3) + "eq" + le(1, 1)},
                                     {"c", "h" + le(1, 1)}});
  return {safetensors(R"({"a":{"dtype":"I16","shape":[2,2],"data_offsets":[0,8]},"__metadata__":{)"
                      R"("k":"v\u00e9"},"b":{"dtype":"BOOL","shape":[4],"data_offsets":[8,12]}})",
                      shorts(6)),
          array,
          zip({{"a.npy", array, true}, {"b.npy", npy(">i2", false, "6,", shorts(6))}}),
          torchZip(object),
          torchZip(object, true),
          torchLegacy(object)};
}

/// A few changes of bytes, cuts, repetitions or interesting numbers.
static void damage(std::string &file, std::mt19937_64 &random) {
  for (unsigned changes = 1 + random() % 4; changes-- && !file.empty();) {
    size_t at = random() % file.size();
    switch (random() % 6) {
    case 0:
      file[at] = static_cast<char>(random());
      break;
    case 1:
      file[at] ^= static_cast<char>(1 << random() % 8);
      break;
    case 2:
      file.erase(at, random() % 16);
      break;
    case 3:
      file.insert(at, file.substr(random() % file.size(), random() % 32));
      break;
    case 4:
      for (size_t i = at; i < std::min(at + 4, file.size()); ++i)
        file[i] = random() % 2 ? '\xFF' : '\0';
      break;
    case 5:
      file.resize(random() % 8 ? file.size() : at);
      break;
    }
  }
}

int main(int argc, char **argv) {
  uint64_t seed = 0, count = 0;
  if (argc != 3 || llvm::StringRef(argv[1]).getAsInteger(10, seed) ||
      llvm::StringRef(argv[2]).getAsInteger(10, count)) {
    llvm::errs() << "usage: WeightsFuzz SEED COUNT\n";
    return 1;
  }
  const std::vector<std::string> good = goodFiles();
  std::mt19937_64 random(seed);
  uint64_t sum = 0, sound = 0;
  for (uint64_t i = 0; i < count; ++i) {
    auto file = std::make_shared<std::string>(good[i % good.size()]);
    if (i >= good.size())
      damage(*file, random);
    file->shrink_to_fit();
    auto tensors = readWeights("fuzz", llvm::arrayRefFromStringRef(*file), file);
    if (!tensors) {
      llvm::consumeError(tensors.takeError());
      continue;
    }
    ++sound;
    file.reset(); // tensors keep what they need alive
    for (const NamedTensor &tensor : *tensors) {
      if (tensor.view.numElements() * byteSize(tensor.view.type) !=
          static_cast<int64_t>(tensor.view.bytes.size())) {
        llvm::errs() << "seed " << seed << ", file " << i << ": the size of a tensor is wrong\n";
        return 1;
      }
      for (uint8_t byte : tensor.view.bytes)
        sum += byte;
    }
  }
  llvm::outs() << "seed " << seed << ": " << sound << " of " << count << " files read, sum " << sum
               << '\n';
  return sound < std::min<uint64_t>(count, good.size()); // the good ones at least
}
