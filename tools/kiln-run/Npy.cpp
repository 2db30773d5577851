//===- Npy.cpp - writes arrays for NumPy ----------------------------------===//
#include "tools/kiln-run/Report.h"

#include "ir/Tensor.h"

#include "llvm/Support/EndianStream.h"
#include "llvm/Support/raw_ostream.h"

using namespace kiln;
using namespace kiln::run;

/// NumPy's name of a type, empty for those it lacks.
static llvm::StringRef descriptor(DType type) {
  constexpr llvm::StringRef names[numDTypes] = {"<f8", "<f4", "<f2", "",    "",    "",
                                                "<i8", "<i4", "<i2", "|i1", "|u1", "|b1"};
  return names[static_cast<int>(type)];
}

llvm::Error run::writeNpy(llvm::StringRef path, const Value &value) {
  if (descriptor(value.type).empty()) {
    Value wide = makeValue(DType::F32, value.shape);
    ir::Tensor tensor = ir::Tensor::fromBytes(value.type, value.shape, value.bytes.data());
    tensor.type = DType::F32;
    tensor.toBytes(wide.bytes.data());
    return writeNpy(path, wide);
  }
  std::string header =
      "{'descr': '" + descriptor(value.type).str() + "', 'fortran_order': False, 'shape': (";
  for (int64_t extent : value.shape)
    header += std::to_string(extent) + ", ";
  header += "), }";
  // Magic and lengths take ten bytes; data starts at a multiple of 64.
  constexpr size_t prefix = 10, alignment = 64;
  header.append(alignment - 1 - (prefix + header.size()) % alignment, ' ');
  header += '\n';
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &os) -> llvm::Error {
    os << llvm::StringRef("\x93NUMPY\1\0", 8);
    llvm::support::endian::write<uint16_t>(os, header.size(), llvm::endianness::little);
    os << header;
    os.write(reinterpret_cast<const char *>(value.bytes.data()), value.bytes.size());
    return llvm::Error::success();
  });
  if (error)
    return failure("cannot write '" + path + "': " + llvm::toString(std::move(error)));
  return llvm::Error::success();
}
