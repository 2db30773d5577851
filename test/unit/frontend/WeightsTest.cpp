//===- WeightsTest.cpp - readers of weight files ----------------------------===//

#include "frontend/weights/Reader.h"
#include "test/unit/frontend/WeightFiles.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

using namespace kiln;
using namespace kiln::testing;

namespace {

/// A file's content in aligned memory, and what the reader makes of it: "name type[shape] bytes" in
/// hexadecimal, or the error.
struct Read {
  std::shared_ptr<std::string> content;
  std::vector<NamedTensor> tensors;
  std::string text;

  explicit Read(const std::string &file) : content(std::make_shared<std::string>(file)) {
    auto bytes = llvm::arrayRefFromStringRef(*content);
    auto read = readWeights("w.bin", bytes, content);
    if (!read) {
      text = llvm::toString(read.takeError());
      return;
    }
    tensors = std::move(*read);
    for (const NamedTensor &tensor : tensors) {
      text += tensor.name + " " + std::string(name(tensor.view.type)) + "[";
      for (int64_t extent : tensor.view.shape)
        text += std::to_string(extent) + ",";
      text += "] " + llvm::toHex(tensor.view.bytes, true) + "\n";
    }
  }
  /// Whether the tensor's bytes are those of the file, not a copy.
  bool borrowed(size_t which) const {
    const auto *at = reinterpret_cast<const char *>(tensors[which].view.bytes.data());
    return at >= content->data() && at < content->data() + content->size();
  }
};

/// Checks that the file is refused for a reason with the given words.
void expectRefused(const std::string &file, const std::string &reason) {
  Read read(file);
  EXPECT_EQ(read.text.rfind("cannot read weights 'w.bin': ", 0), 0u) << read.text;
  EXPECT_NE(read.text.find(reason), std::string::npos) << read.text;
}

std::string oneTensor(const std::string &body) {
  return safetensors("{\"a\":{" + body + "}}", shorts(6));
}

TEST(Safetensors, reads) {
  Read read(safetensors(R"({"__metadata__":{"k":"v{"}, "a\u00e9.\"":{"dtype":"I16","shape":[2,2],)"
                        R"("data_offsets":[0,8]},"s":{"shape":[],"dtype":"BF16",)"
                        R"("data_offsets":[8,10]},"b":{"dtype":"BOOL","shape":[2],)"
                        R"("data_offsets":[10,12]},"z":{"dtype":"F64","shape":[0,3],)"
                        R"("data_offsets":[12,12]}}      )",
                        shorts(6)));
  EXPECT_EQ(read.text, "aé.\" i16[2,2,] 0000010002000300\ns bf16[] 0400\nb bool[2,] 0100\n"
                       "z f64[0,3,] \n");
}

TEST(Safetensors, borrowsOrCopies) {
  std::string header = R"({"a":{"dtype":"I16","shape":[6],"data_offsets":[0,12]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_TRUE(Read(safetensors(header, shorts(6))).borrowed(0));
  Read misaligned(safetensors(header + " ", shorts(6)));
  EXPECT_FALSE(misaligned.borrowed(0));
  EXPECT_EQ(misaligned.text, "a i16[6,] 000001000200030004000500\n");
}

TEST(Safetensors, refuses) {
  expectRefused(oneTensor(R"("dtype":"I16","shape":[6],"data_offsets":[0,13])"), "lies at bytes");
  expectRefused(oneTensor(R"("dtype":"I16","shape":[6],"data_offsets":[4,2])"), "lies at bytes");
  expectRefused(oneTensor(R"("dtype":"I16","shape":[7],"data_offsets":[0,12])"),
                "has 12 bytes, expected 14");
  expectRefused(oneTensor(R"("dtype":"I16","shape":[4294967296,4294967296],"data_offsets":[0,0])"),
                "too large");
  expectRefused(oneTensor(R"("dtype":"I16","shape":[-1],"data_offsets":[0,0])"), "malformed");
  expectRefused(oneTensor(R"("dtype":"U64","shape":[0],"data_offsets":[0,0])"),
                "unsupported type 'U64'");
  expectRefused(oneTensor(R"("dtype":"I16","shape":[6])"), "data_offsets");
  expectRefused(oneTensor(R"("dtype":"I16","dtype":"I16","shape":[6],"data_offsets":[0,12])"),
                "malformed");
  expectRefused(oneTensor(R"("dtype":"I16\u12)"), "malformed");
  expectRefused(safetensors(std::string(100000, '{'), ""), "malformed");
  expectRefused(le(1 << 30, 8) + "{", "the header has");
  expectRefused(le(~0ull, 8) + "{}", "the header has");
  std::string a = R"("a":{"dtype":"I16","shape":[2],"data_offsets":[0,4]})",
              b = R"("b":{"dtype":"I16","shape":[2],"data_offsets":[2,6]})";
  expectRefused(safetensors("{" + a + "," + b + "}", shorts(6)), "'a' and 'b' overlap");
  std::string c = R"("a":{"dtype":"I16","shape":[1],"data_offsets":[4,6]})";
  expectRefused(safetensors("{" + a + "," + c + "}", shorts(6)), "the name 'a'");
}

TEST(Npy, reads) {
  EXPECT_EQ(Read(npy("<i2", false, "2, 3", shorts(6))).text,
            "w i16[2,3,] 000001000200030004000500\n");
  EXPECT_EQ(Read(npy("<i2", true, "2, 3", shorts(6))).text,
            "w i16[2,3,] 000002000400010003000500\n");
  EXPECT_EQ(Read(npy(">i2", false, "2,", shorts(2))).text, "w i16[2,] 00000001\n");
  EXPECT_EQ(Read(npy(">i2", true, "1, 2, 3", shorts(6))).text,
            "w i16[1,2,3,] 000000020004000100030005\n");
  EXPECT_EQ(Read(npy("|b1", false, "", "\5")).text, "w bool[] 01\n");
  EXPECT_TRUE(Read(npy("<i2", false, "6,", shorts(6))).borrowed(0));
}

TEST(Npy, refuses) {
  expectRefused(npy("<i2", false, "7,", shorts(6)), "expected 14");
  expectRefused(npy("<i2", false, "5,", shorts(6)), "expected 10");
  expectRefused(npy("<c8", false, "1,", shorts(4)), "unsupported type '<c8'");
  expectRefused(npy("|O", false, "1,", shorts(4)), "unsupported type '|O'");
  expectRefused(npy("<i2", false, "-1,", ""), "extent -1");
  expectRefused(npy("<i2", true, "4611686018427387904, 4, 0", ""), "too large");
  expectRefused(npy("<i2", false, "6", shorts(6)).substr(0, 30), "within its header");
  expectRefused("\x93NUMPY\1", "no .npy");
}

TEST(Npz, readsStoredAndDeflated) {
  std::string array = npy("<i2", false, "6,", shorts(6));
  for (bool deflate : {false, true}) {
    Read read(zip({{"a.npy", array, deflate}, {"b.c.npy", array, deflate}, {"note.txt", "x"}}));
    EXPECT_EQ(read.text, "a i16[6,] 000001000200030004000500\n"
                         "b.c i16[6,] 000001000200030004000500\n");
  }
  EXPECT_EQ(Read(zip({})).text, "");
}

TEST(Zip, refuses) {
  std::string array = npy("<i2", false, "6,", shorts(6));
  std::string good = zip({{"a.npy", array, true}});
  expectRefused(good.substr(0, good.size() - 30), "truncated");
  std::string crc = zip({{"a.npy", array}});
  crc[30 + 5 + 128] ^= 1;
  expectRefused(crc, "CRC is wrong");
  std::string damaged = good;
  damaged[40] ^= 0x55;
  expectRefused(damaged, "damaged");
  size_t central = good.find("PK\1\2");
  std::string bomb = good; // claims four GiB
  bomb.replace(central + 24, 4, "\xF0\xFF\xFF\xFF");
  expectRefused(bomb, "cannot hold 4294967280");
  std::string longer = good;
  longer[central + 24] += 1;
  expectRefused(longer, "another length");
  std::string outside = good;
  outside[central + 42] = 77;
  expectRefused(outside, "no header at byte 77");
  std::string locked = good;
  locked[central + 8] = 1;
  expectRefused(locked, "encrypted");
  std::string twice = zip({{"a.npy", array}, {"b.npy", array}});
  twice.replace(twice.find("PK\1\2", twice.find("PK\1\2") + 1) + 42, 4, le(0, 4));
  expectRefused(twice, "overlap");
  expectRefused(zip({{"a.txt", "x"}}), "neither");
  expectRefused(zip({{"a.npy", array}, {"a.npy", array}}), "the name 'a'");
}

const std::string view = pickle::tensor("0", 6, 0, {2, 3}, {3, 1});
const std::string viewText = "i16[2,3,] 000001000200030004000500\n";

TEST(Torch, reads) {
  std::string object = pickle::dict(
      {{"model", pickle::dict({{"w", view}, {"t", pickle::tensor("0", 6, 1, {3, 1}, {2, 9})}})},
       {"epoch", pickle::number(3)},
       {"list", "](" + view + view + "e"},
       {"p", pickle::global("torch._utils", "_rebuild_parameter") + "(" + view + "\x88Nt" + "R"}});
  std::string expected = "model.w " + viewText + "model.t i16[3,1,] 010003000500\nlist.0 " +
                         viewText + "list.1 " + viewText + "p " + viewText;
  EXPECT_EQ(Read(torchZip(object)).text, expected);
  EXPECT_EQ(Read(torchZip(object, true)).text, expected);
  EXPECT_EQ(Read(torchLegacy(object)).text, expected);
  EXPECT_EQ(Read(torchZip(view)).text, "w " + viewText);
}

TEST(Torch, refusesCode) {
  for (bool legacy : {false, true}) {
    std::string object = pickle::global("os", "system") + "(" + pickle::text("ls") + "tR";
    expectRefused(legacy ? torchLegacy(object) : torchZip(object), "it uses 'os.system'");
  }
  expectRefused(torchZip(pickle::text("os") + pickle::text("system") + "\x93"), "'os.system'");
  expectRefused(torchZip(pickle::global("torch", "FloatStorage") + ")R"), "without data");
}

TEST(Torch, refusesBadTensors) {
  auto refused = [](int64_t first, std::vector<int64_t> shape, std::vector<int64_t> strides,
                    const std::string &reason) {
    std::string object = pickle::tensor("0", 6, first, shape, strides);
    expectRefused(torchZip(object), reason);
    expectRefused(torchLegacy(object), reason);
  };
  refused(1, {2, 3}, {3, 1}, "outside of its storage");
  refused(-1, {2}, {1}, "outside of its storage");
  refused(7, {0}, {1}, "outside of its storage");
  refused(0, {2}, {-1}, "outside of its storage");
  refused(0, {2}, {0x7FFFFFFF}, "outside of its storage");
  refused(0, {-2}, {1}, "extent -2");
  refused(0, {7}, {0}, "larger than its storage");
  refused(0, {2}, {1, 1}, "malformed tensor");
  refused(0, {0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF}, {0, 0, 0}, "too large");
  expectRefused(torchZip(pickle::tensor("1", 6, 0, {6}, {1})), "storage '1' is missing");
  expectRefused(torchZip(pickle::tensor("0", 7, 0, {6}, {1})), "expected 7 elements");
}

TEST(Torch, refusesBadPickles) {
  expectRefused(torchZip("e"), "no mark");
  expectRefused(torchZip("h\1"), "not stored");
  expectRefused(torchZip("X\xFF\xFF\xFF\x7F"), "truncated");
  expectRefused(torchZip("\xFE"), "unknown instruction 254");
  expectRefused(torchZip("]q" + le(0, 1) + "h" + le(0, 1) + "a"), "nest too deeply");
  std::string laughs = "]q" + le(0, 1);
  for (int i = 1; i < 40; ++i)
    laughs += "](" + std::string("h") + le(i - 1, 1) + "h" + le(i - 1, 1) + "eq" + le(i, 1);
  expectRefused(torchZip(laughs), "too large");
  expectRefused(torchZip(pickle::dict({{"a.b", view}, {"a", pickle::dict({{"b", view}})}})),
                "the name 'a.b'");
}

TEST(Reader, files) {
  auto missing = readWeights("/nonexistent/w.npy");
  EXPECT_EQ(llvm::toString(missing.takeError()),
            "cannot read weights '/nonexistent/w.npy': No such file or directory");
  auto folder = readWeights("/");
  EXPECT_EQ(llvm::toString(folder.takeError()), "cannot read weights '/': expected a regular file");
  expectRefused("hello", "unknown format");

  llvm::SmallString<128> path;
  int descriptor;
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("kiln", "npy", descriptor, path));
  llvm::raw_fd_ostream(descriptor, true) << npy("<i2", false, "6,", shorts(6));
  auto read = readWeights(path);
  ASSERT_TRUE(static_cast<bool>(read));
  ASSERT_EQ(read->size(), 1u);
  EXPECT_EQ(llvm::toStringRef((*read)[0].view.bytes), shorts(6));
  llvm::sys::fs::remove(path);
}

} // namespace
