//===- DType.h - element types of tensors ----------------------*- C++ -*-===//
//
// The element types of the language, without any LLVM or MLIR header, so that every folder (and the
// Halide plug-in) can name them.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_IR_DTYPE_H
#define KILN_IR_DTYPE_H

#include <cstdint>
#include <optional>
#include <string_view>

namespace kiln {

/// Element type. In memory: bool is one byte 0/1, f16 and bf16 are 16-bit patterns.
enum class DType : uint8_t { F64, F32, F16, BF16, F8E4M3, F8E5M2, I64, I32, I16, I8, U8, Bool };

/// Number of element types.
inline constexpr int numDTypes = 12;

/// The name as the language spells it ("f32", "bool").
constexpr std::string_view name(DType type) {
  constexpr std::string_view names[numDTypes] = {"f64", "f32", "f16", "bf16", "f8e4m3", "f8e5m2",
                                                 "i64", "i32", "i16", "i8",   "u8",     "bool"};
  return names[static_cast<int>(type)];
}

/// The inverse of name().
constexpr std::optional<DType> parseDType(std::string_view text) {
  for (int i = 0; i < numDTypes; ++i)
    if (name(static_cast<DType>(i)) == text)
      return static_cast<DType>(i);
  return std::nullopt;
}

/// Size of one element in bytes.
constexpr int64_t byteSize(DType type) {
  constexpr int8_t sizes[numDTypes] = {8, 4, 2, 2, 1, 1, 8, 4, 2, 1, 1, 1};
  return sizes[static_cast<int>(type)];
}

/// Whether the type is one of f64 … f8e5m2.
constexpr bool isFloat(DType type) { return type <= DType::F8E5M2; }

/// Whether the type is one of i64 … u8 (bool is no number).
constexpr bool isInteger(DType type) { return type >= DType::I64 && type <= DType::U8; }

} // namespace kiln

#endif // KILN_IR_DTYPE_H
