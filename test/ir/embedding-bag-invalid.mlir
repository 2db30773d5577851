// What the verifier of embedding_bag refuses, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// embedbag-c1
// CHECK: error: {{.*}}'embedding_bag' expected a tensor of integers, got f32[3, 2]
func.func @f(%i: tensor<3x2xf32>, %w: tensor<9x4xf32>) {
  %0 = kiln.embedding_bag %i, %w {mode = "sum", operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<3x2xf32>, tensor<9x4xf32>) -> tensor<3x4xf32>
  return
}

// -----

// embedbag-c2
// CHECK: error: {{.*}}'embedding_bag' expected a table of floats with two dimensions, got i32[9, 4]
func.func @f(%i: tensor<3x2xi64>, %w: tensor<9x4xi32>) {
  %0 = kiln.embedding_bag %i, %w {mode = "sum", operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<3x2xi64>, tensor<9x4xi32>) -> tensor<3x4xi32>
  return
}

// -----

// embedbag-c3
// CHECK: error: {{.*}}'embedding_bag' expected indices of two dimensions, or of one and offsets of one, got i64[3]
func.func @f(%i: tensor<3xi64>, %w: tensor<9x4xf32>) {
  %0 = kiln.embedding_bag %i, %w {mode = "sum", operandSegmentSizes = array<i32: 1, 1, 0, 0>} : (tensor<3xi64>, tensor<9x4xf32>) -> tensor<3x4xf32>
  return
}

// -----

// embedbag-c3
// CHECK: error: {{.*}}'embedding_bag' expected indices of two dimensions, or of one and offsets of one, got i64[3, 2]
func.func @f(%i: tensor<3x2xi64>, %w: tensor<9x4xf32>, %o: tensor<3xi64>) {
  %0 = kiln.embedding_bag %i, %w offsets %o {mode = "sum", operandSegmentSizes = array<i32: 1, 1, 1, 0>} : (tensor<3x2xi64>, tensor<9x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  return
}

// -----

// embedbag-c4
// CHECK: error: {{.*}}'embedding_bag' expected a weight for each index of i64[3, 2], got f32[3]
func.func @f(%i: tensor<3x2xi64>, %w: tensor<9x4xf32>, %s: tensor<3xf32>) {
  %0 = kiln.embedding_bag %i, %w weights %s {mode = "sum", operandSegmentSizes = array<i32: 1, 1, 0, 1>} : (tensor<3x2xi64>, tensor<9x4xf32>, tensor<3xf32>) -> tensor<3x4xf32>
  return
}

// -----

// embedbag-c5
// CHECK: error: {{.*}}'embedding_bag' expected the mode "sum", or "mean" or "max" without per_sample_weights, got "mean"
func.func @f(%i: tensor<3x2xi64>, %w: tensor<9x4xf32>, %s: tensor<3x2xf32>) {
  %0 = kiln.embedding_bag %i, %w weights %s {mode = "mean", operandSegmentSizes = array<i32: 1, 1, 0, 1>} : (tensor<3x2xi64>, tensor<9x4xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  return
}
