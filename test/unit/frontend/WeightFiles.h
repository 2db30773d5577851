//===- WeightFiles.h - small weight files made by code ---------*- C++ -*-===//
#ifndef KILN_TEST_UNIT_FRONTEND_WEIGHTFILES_H
#define KILN_TEST_UNIT_FRONTEND_WEIGHTFILES_H

#include <cstdint>
#include <string>
#include <vector>
#include <zlib.h>

namespace kiln::testing {

/// `size` bytes of a number, little-endian.
inline std::string le(uint64_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i)
    out += i < 8 ? static_cast<char>(value >> (8 * i)) : '\0';
  return out;
}

/// Integers 0, 1, 2, … of two bytes each.
inline std::string shorts(int count) {
  std::string out;
  for (int i = 0; i < count; ++i)
    out += le(i, 2);
  return out;
}

inline std::string safetensors(const std::string &header, const std::string &data) {
  return le(header.size(), 8) + header + data;
}

inline std::string npy(const std::string &descr, bool fortran, const std::string &shape,
                       const std::string &data) {
  std::string header = "{'descr': '" + descr +
                       "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': (" +
                       shape + "), }";
  header.resize((header.size() + 10 + 64) / 64 * 64 - 11, ' ');
  header += '\n';
  return "\x93NUMPY" + le(1, 1) + le(0, 1) + le(header.size(), 2) + header + data;
}

struct ZipMember {
  std::string name, content;
  bool deflated = false;
};

inline std::string deflated(const std::string &content) {
  std::string out(compressBound(content.size()) + 64, '\0');
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(content.data()));
  stream.avail_in = content.size();
  stream.next_out = reinterpret_cast<Bytef *>(out.data());
  stream.avail_out = out.size();
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string zip(const std::vector<ZipMember> &members) {
  std::string out, directory;
  for (const ZipMember &member : members) {
    std::string stored = member.deflated ? deflated(member.content) : member.content;
    const auto *bytes = reinterpret_cast<const Bytef *>(member.content.data());
    std::string common = le(0, 2) + le(member.deflated ? 8 : 0, 2) + le(0, 4) +
                         le(crc32(0, bytes, member.content.size()), 4) + le(stored.size(), 4) +
                         le(member.content.size(), 4) + le(member.name.size(), 2) + le(0, 2);
    directory +=
        "PK\1\2" + le(20, 2) + le(20, 2) + common + le(0, 10) + le(out.size(), 4) + member.name;
    out += "PK\3\4" + le(20, 2) + common + member.name + stored;
  }
  return out + directory + "PK\5\6" + le(0, 4) + le(members.size(), 2) + le(members.size(), 2) +
         le(directory.size(), 4) + le(out.size(), 4) + le(0, 2);
}

/// Parts of pickles, as instructions.
namespace pickle {
inline std::string text(const std::string &value) { return "X" + le(value.size(), 4) + value; }
inline std::string number(int64_t value) { return "J" + le(value, 4); }
inline std::string tuple(const std::vector<int64_t> &values) {
  std::string out = "(";
  for (int64_t value : values)
    out += number(value);
  return out + "t";
}
inline std::string global(const std::string &module, const std::string &name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string whole(const std::string &body) { return "\x80\x02" + body + "."; }
/// A tensor of ShortStorage.
inline std::string tensor(const std::string &key, int64_t elements, int64_t first,
                          const std::vector<int64_t> &shape, const std::vector<int64_t> &strides) {
  std::string storage = "(" + text("storage") + global("torch", "ShortStorage") + text(key) +
                        text("cpu") + number(elements) + "tQ";
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage + number(first) +
         tuple(shape) + tuple(strides) + "\x89" + global("collections", "OrderedDict") + ")Rt" +
         "R";
}
/// A dictionary of values that are instructions.
inline std::string dict(const std::vector<std::pair<std::string, std::string>> &items) {
  std::string out = "}(";
  for (const auto &[key, value] : items)
    out += text(key) + value;
  return out + "u";
}
} // namespace pickle

/// An object with six elements in storage "0" in PyTorch's zip form.
inline std::string torchZip(const std::string &object, bool compress = false) {
  return zip({{"m/data.pkl", pickle::whole(object), compress},
              {"m/byteorder", "little", false},
              {"m/data/0", shorts(6), compress}});
}

/// The same in the legacy form.
inline std::string torchLegacy(const std::string &object) {
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." +
         pickle::whole(pickle::number(1001)) +
         pickle::whole(pickle::dict({{"little_endian", "\x88"}})) + pickle::whole(object) +
         pickle::whole("](" + pickle::text("0") + "e") + le(6, 8) + shorts(6);
}

} // namespace kiln::testing

#endif // KILN_TEST_UNIT_FRONTEND_WEIGHTFILES_H
