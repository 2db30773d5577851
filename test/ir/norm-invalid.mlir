// What the verifiers of the norms refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// norm-c1
// CHECK: error: {{.*}}'layer_norm' expected a tensor of floats, got i32[4, 8]
func.func @f(%x: tensor<4x8xi32>) {
  %0 = kiln.layer_norm %x {axis = array<i64: 1>, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0>} : (tensor<4x8xi32>) -> tensor<4x8xi32>
  return
}

// -----

// norm-c2
// CHECK: error: {{.*}}'layer_norm' expected at least one axis, all different, from 0 to 1 for f32[4, 8]
func.func @f(%x: tensor<4x8xf32>) {
  %0 = kiln.layer_norm %x {axis = array<i64: 1, 1>, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0>} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

// norm-c2
// CHECK: error: {{.*}}'rms_norm' expected at least one axis, all different, from 0 to 1 for f32[4, 8]
func.func @f(%x: tensor<4x8xf32>) {
  %0 = kiln.rms_norm %x {axis = array<i64>, eps = 1.0e-5 : f64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

// norm-c3
// CHECK: error: {{.*}}'rms_norm' expected a weight and a bias f32[8] for f32[4, 8], got f32[4]
func.func @f(%x: tensor<4x8xf32>, %w: tensor<4xf32>) {
  %0 = kiln.rms_norm %x weight %w {axis = array<i64: 1>, eps = 1.0e-5 : f64} : (tensor<4x8xf32>, tensor<4xf32>) -> tensor<4x8xf32>
  return
}

// -----

// norm-c3
// CHECK: error: {{.*}}'layer_norm' expected a weight and a bias f32[3, 8] for f32[3, 4, 8], got f32[8, 3]
func.func @f(%x: tensor<3x4x8xf32>, %b: tensor<8x3xf32>) {
  %0 = kiln.layer_norm %x bias %b {axis = array<i64: 2, 0>, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 1>} : (tensor<3x4x8xf32>, tensor<8x3xf32>) -> tensor<3x4x8xf32>
  return
}

// -----

// group_norm-c1
// CHECK: error: {{.*}}'group_norm' expected channels in the second dimension, got f32[8]
func.func @f(%x: tensor<8xf32>) {
  %0 = kiln.group_norm %x {num_groups = 1 : i64, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0>} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// group_norm-c2
// CHECK: error: {{.*}}'group_norm' expected a number of groups that divides 8 channels, got 3
func.func @f(%x: tensor<1x8x4xf32>) {
  %0 = kiln.group_norm %x {num_groups = 3 : i64, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0>} : (tensor<1x8x4xf32>) -> tensor<1x8x4xf32>
  return
}

// -----

// group_norm-c3
// CHECK: error: {{.*}}'group_norm' expected a weight and a bias f32[8] for f32[1, 8, 4], got f64[8]
func.func @f(%x: tensor<1x8x4xf32>, %w: tensor<8xf64>) {
  %0 = kiln.group_norm %x weight %w {num_groups = 2 : i64, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 1, 0>} : (tensor<1x8x4xf32>, tensor<8xf64>) -> tensor<1x8x4xf32>
  return
}

// -----

// instance_norm-c1
// CHECK: error: {{.*}}'instance_norm' expected an image of at least three dimensions, got f32[1, 8]
func.func @f(%x: tensor<1x8xf32>) {
  %0 = kiln.instance_norm %x {eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0>} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  return
}

// -----

// instance_norm-c2
// CHECK: error: {{.*}}'instance_norm' expected a weight and a bias f32[8] for f32[1, 8, 4], got f32[4]
func.func @f(%x: tensor<1x8x4xf32>, %b: tensor<4xf32>) {
  %0 = kiln.instance_norm %x bias %b {eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 1>} : (tensor<1x8x4xf32>, tensor<4xf32>) -> tensor<1x8x4xf32>
  return
}
