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

// -----

// requantize-c1
// CHECK: error: {{.*}}'requantize' expected sums in i32 and scales in f32, got i32[4] and f64
func.func @f(%x: tensor<4xi32>, %s: tensor<f64>) {
  %0 = kiln.requantize %x, %s {axis = 0 : i64, dtype = i8} : (tensor<4xi32>, tensor<f64>) -> tensor<4xi8>
  return
}

// -----

// requantize-c2
// CHECK: error: {{.*}}'requantize' expected i8 or u8, and zero points of the same, got i8[4] and u8
func.func @f(%x: tensor<4xi32>, %s: tensor<f32>, %z: tensor<ui8>) {
  %0 = kiln.requantize %x, %s, %z {axis = 0 : i64, dtype = i8} : (tensor<4xi32>, tensor<f32>, tensor<ui8>) -> tensor<4xi8>
  return
}

// -----

// qmatmul-c1
// CHECK: error: {{.*}}'qmatmul' expected i8 or u8, and i8, got u8[4, 2] and u8[2, 3]
func.func @f(%a: tensor<4x2xui8>, %b: tensor<2x3xui8>) {
  %0 = kiln.qmatmul %a, %b : (tensor<4x2xui8>, tensor<2x3xui8>) -> tensor<4x3xi32>
  return
}

// -----

// qconv2d-c1
// CHECK: error: {{.*}}'qconv2d' expected an image of i8 or u8 and a weight of i8, of four dimensions each, got f32[1, 1, 4, 4] and i8[1, 1, 1, 1]
func.func @f(%x: tensor<1x1x4x4xf32>, %w: tensor<1x1x1x1xi8>) {
  %0 = kiln.qconv2d %x, %w {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64, border = 0 : i64} : (tensor<1x1x4x4xf32>, tensor<1x1x1x1xi8>) -> tensor<1x1x4x4xi32>
  return
}

// -----

// qconv2d-c2
// CHECK: error: {{.*}}'qconv2d' expected a border that i8 holds, got 128
func.func @f(%x: tensor<1x1x4x4xi8>, %w: tensor<1x1x1x1xi8>) {
  %0 = kiln.qconv2d %x, %w {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64, border = 128 : i64} : (tensor<1x1x4x4xi8>, tensor<1x1x1x1xi8>) -> tensor<1x1x4x4xi32>
  return
}
