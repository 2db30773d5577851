// What the verifiers of quantised tensors refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// quantize-c1
// CHECK: error: {{.*}}'quantize' expected a tensor of floats, got i32[4]
func.func @f(%x: tensor<4xi32>, %s: tensor<f32>) {
  %0 = kiln.quantize %x, %s {axis = 0 : i64, group = 0 : i64, dtype = i8} : (tensor<4xi32>, tensor<f32>) -> tensor<4xi8>
  return
}

// -----

// quantize-c1
// CHECK: error: {{.*}}'quantize' expected scales of the type of x, got f64 and f32[4]
func.func @f(%x: tensor<4xf32>, %s: tensor<f64>) {
  %0 = kiln.quantize %x, %s {axis = 0 : i64, group = 0 : i64, dtype = i8} : (tensor<4xf32>, tensor<f64>) -> tensor<4xi8>
  return
}

// -----

// quantize-c2
// CHECK: error: {{.*}}'quantize' expected i8 or u8, and zero points of the same, got i16[4]
func.func @f(%x: tensor<4xf32>, %s: tensor<f32>) {
  %0 = kiln.quantize %x, %s {axis = 0 : i64, group = 0 : i64, dtype = i16} : (tensor<4xf32>, tensor<f32>) -> tensor<4xi16>
  return
}

// -----

// quantize-c2
// CHECK: error: {{.*}}'quantize' expected i8 or u8, and zero points of the same, got u8[4] and i8
func.func @f(%x: tensor<4xf32>, %s: tensor<f32>, %z: tensor<i8>) {
  %0 = kiln.quantize %x, %s, %z {axis = 0 : i64, group = 0 : i64, dtype = ui8} : (tensor<4xf32>, tensor<f32>, tensor<i8>) -> tensor<4xui8>
  return
}

// -----

// quantized-c1
// CHECK: error: {{.*}}'quantize' expected an axis of f32[4, 2] and a group of at least 0, got 2 and 0
func.func @f(%x: tensor<4x2xf32>, %s: tensor<4xf32>) {
  %0 = kiln.quantize %x, %s {axis = 2 : i64, group = 0 : i64, dtype = i8} : (tensor<4x2xf32>, tensor<4xf32>) -> tensor<4x2xi8>
  return
}

// -----

// quantized-c1
// CHECK: error: {{.*}}'dequantize' expected an axis of i8[4] and a group of at least 0, got 0 and -1
func.func @f(%x: tensor<4xi8>, %s: tensor<f32>) {
  %0 = kiln.dequantize %x, %s {axis = 0 : i64, group = -1 : i64} : (tensor<4xi8>, tensor<f32>) -> tensor<4xf32>
  return
}

// -----

// quantized-c2
// CHECK: error: {{.*}}'dequantize' expected scales of shape f32[4, 2], got f32[4, 1]
func.func @f(%x: tensor<4x65xi8>, %s: tensor<4x1xf32>) {
  %0 = kiln.dequantize %x, %s {axis = 1 : i64, group = 64 : i64} : (tensor<4x65xi8>, tensor<4x1xf32>) -> tensor<4x65xf32>
  return
}

// -----

// quantized-c3
// CHECK: error: {{.*}}'dequantize' expected a zero point for each scale, got i8 and f32[4]
func.func @f(%x: tensor<4xi8>, %s: tensor<4xf32>, %z: tensor<i8>) {
  %0 = kiln.dequantize %x, %s, %z {axis = 0 : i64, group = 0 : i64} : (tensor<4xi8>, tensor<4xf32>, tensor<i8>) -> tensor<4xf32>
  return
}

// -----

// dequantize-c1
// CHECK: error: {{.*}}'dequantize' expected i8 or u8, and zero points of the same, got i32[4]
func.func @f(%x: tensor<4xi32>, %s: tensor<f32>) {
  %0 = kiln.dequantize %x, %s {axis = 0 : i64, group = 0 : i64} : (tensor<4xi32>, tensor<f32>) -> tensor<4xf32>
  return
}

// -----

// dequantize-c2
// CHECK: error: {{.*}}'dequantize' expected scales of a float type, got i32
func.func @f(%x: tensor<4xi8>, %s: tensor<i32>) {
  %0 = kiln.dequantize %x, %s {axis = 0 : i64, group = 0 : i64} : (tensor<4xi8>, tensor<i32>) -> tensor<4xi32>
  return
}
