// Numbers of 4 and 3 bits, in parts of bytes.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// dequantize-c3
// CHECK: error: {{.*}}'dequantize' expected numbers of 8 bits, or of 4 or 3 along an axis of i8[4], got 2 and 0
func.func @f(%x: tensor<4xi8>, %s: tensor<f32>) {
  %0 = kiln.dequantize %x, %s {axis = 0 : i64, group = 0 : i64, bits = 2 : i64} : (tensor<4xi8>, tensor<f32>) -> tensor<4xf32>
  return
}

// -----

// dequantize-c3: parts of bytes lie along a dimension
// CHECK: error: {{.*}}'dequantize' expected numbers of 8 bits, or of 4 or 3 along an axis of i8[4], got 4 and 1
func.func @f(%x: tensor<4xi8>, %s: tensor<f32>) {
  %0 = kiln.dequantize %x, %s {axis = 1 : i64, group = 0 : i64, bits = 4 : i64} : (tensor<4xi8>, tensor<f32>) -> tensor<8xf32>
  return
}

// -----

// quantized-c2: groups count numbers, two a byte
// CHECK: error: {{.*}}'dequantize' expected scales of shape f32[4, 3], got f32[4, 2]
func.func @f(%x: tensor<4x65xi8>, %s: tensor<4x2xf32>) {
  %0 = kiln.dequantize %x, %s {axis = 1 : i64, group = 64 : i64, bits = 4 : i64} : (tensor<4x65xi8>, tensor<4x2xf32>) -> tensor<4x130xf32>
  return
}

// -----

// dequantize-c3: eight numbers of 3 bits in three bytes
// CHECK: error: {{.*}}'dequantize' expected whole blocks of 3 bytes along axis 1 of i8[6, 4]
func.func @f(%x: tensor<6x4xi8>, %s: tensor<f32>) {
  %0 = kiln.dequantize %x, %s {axis = 1 : i64, group = 0 : i64, bits = 3 : i64} : (tensor<6x4xi8>, tensor<f32>) -> tensor<6x10xf32>
  return
}

// -----

// quantized-c2: groups count numbers, eight in three bytes
// CHECK: error: {{.*}}'dequantize' expected scales of shape f32[4, 3], got f32[4, 2]
func.func @f(%x: tensor<4x27xi8>, %s: tensor<4x2xf32>) {
  %0 = kiln.dequantize %x, %s {axis = 1 : i64, group = 32 : i64, bits = 3 : i64} : (tensor<4x27xi8>, tensor<4x2xf32>) -> tensor<4x72xf32>
  return
}
