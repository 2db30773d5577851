// What the verifiers of attention and rope refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// attention-c1
// CHECK: error: {{.*}}'attention' expected floats of one type with four dimensions, got i32[1, 2, 3, 4]
func.func @f(%q: tensor<1x2x3x4xi32>) {
  %0 = kiln.attention %q, %q, %q {causal = false, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (tensor<1x2x3x4xi32>, tensor<1x2x3x4xi32>, tensor<1x2x3x4xi32>) -> tensor<1x2x3x4xi32>
  return
}

// -----

// attention-c1
// CHECK: error: {{.*}}'attention' expected floats of one type with four dimensions, got f32[2, 3, 4]
func.func @f(%q: tensor<2x3x4xf32>) {
  %0 = kiln.attention %q, %q, %q {causal = false, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return
}

// -----

// attention-c2
// CHECK: error: {{.*}}'attention' expected queries, keys and values that fit, got f32[1, 2, 3, 4], f32[1, 2, 3, 4] and f32[1, 2, 5, 4]
func.func @f(%q: tensor<1x2x3x4xf32>, %v: tensor<1x2x5x4xf32>) {
  %0 = kiln.attention %q, %q, %v {causal = false, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x5x4xf32>) -> tensor<1x2x3x4xf32>
  return
}

// -----

// attention-c3
// CHECK: error: {{.*}}'attention' expected a number of heads that 3 key heads divide, got 4
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x3x3x4xf32>) {
  %0 = kiln.attention %q, %k, %k {causal = false, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (tensor<1x4x3x4xf32>, tensor<1x3x3x4xf32>, tensor<1x3x3x4xf32>) -> tensor<1x4x3x4xf32>
  return
}

// -----

// attention-c4
// CHECK: error: {{.*}}'attention' expected a mask of bool or for scores f32[1, 2, 3, 3], got f32[4]
func.func @f(%q: tensor<1x2x3x4xf32>, %m: tensor<4xf32>) {
  %0 = kiln.attention %q, %q, %q mask %m {causal = false, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0>} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<4xf32>) -> tensor<1x2x3x4xf32>
  return
}

// -----

// attention-c4
// CHECK: error: {{.*}}'attention' expected a mask of bool or for scores f32[1, 2, 3, 3], got i8[3]
func.func @f(%q: tensor<1x2x3x4xf32>, %m: tensor<3xi8>) {
  %0 = kiln.attention %q, %q, %q mask %m {causal = false, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0>} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<3xi8>) -> tensor<1x2x3x4xf32>
  return
}

// -----

// attention-c5
// CHECK: error: {{.*}}'attention' expected an integer key_length, or 1 of them, got i64[2]
func.func @f(%q: tensor<1x2x3x4xf32>, %n: tensor<2xi64>) {
  %0 = kiln.attention %q, %q, %q key_length %n {causal = false, operandSegmentSizes = array<i32: 1, 1, 1, 0, 1>} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<2xi64>) -> tensor<1x2x3x4xf32>
  return
}

// -----

// rope-c1
// CHECK: error: {{.*}}'rope' expected floats [..., T, D] with an even number D, got f32[3, 5]
func.func @f(%x: tensor<3x5xf32>, %p: tensor<3xi64>) {
  %0 = kiln.rope %x, %p {base = 1.0e4 : f64, interleaved = false} : (tensor<3x5xf32>, tensor<3xi64>) -> tensor<3x5xf32>
  return
}

// -----

// rope-c2
// CHECK: error: {{.*}}'rope' expected integer positions [T] or [B, T] for f32[3, 4], got i64[4]
func.func @f(%x: tensor<3x4xf32>, %p: tensor<4xi64>) {
  %0 = kiln.rope %x, %p {base = 1.0e4 : f64, interleaved = false} : (tensor<3x4xf32>, tensor<4xi64>) -> tensor<3x4xf32>
  return
}

// -----

// rope-c2
// CHECK: error: {{.*}}'rope' expected integer positions [T] or [B, T] for f32[2, 3, 4], got f32[2, 3]
func.func @f(%x: tensor<2x3x4xf32>, %p: tensor<2x3xf32>) {
  %0 = kiln.rope %x, %p {base = 1.0e4 : f64, interleaved = false} : (tensor<2x3x4xf32>, tensor<2x3xf32>) -> tensor<2x3x4xf32>
  return
}

// -----

// rope-c3
// CHECK: error: {{.*}}'rope' expected a positive base, got
func.func @f(%x: tensor<3x4xf32>, %p: tensor<3xi64>) {
  %0 = kiln.rope %x, %p {base = 0.0 : f64, interleaved = false} : (tensor<3x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  return
}
