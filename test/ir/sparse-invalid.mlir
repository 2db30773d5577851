// What the verifier of sparse_matmul refuses, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// sparse_matmul-c1
// CHECK: error: {{.*}}'sparse_matmul' expected numbers of one type, and positions in integers, got f32[4, 9], f16[6, 3] and i32[3, 3]
func.func @f(%x: tensor<4x9xf32>, %w: tensor<6x3xf16>, %p: tensor<3x3xi32>) {
  %0 = kiln.sparse_matmul %x, %w, %p {block = 2 : i64} : (tensor<4x9xf32>, tensor<6x3xf16>, tensor<3x3xi32>) -> tensor<4x6xf32>
  return
}

// -----

// sparse_matmul-c1
// CHECK: error: {{.*}}'sparse_matmul' expected numbers of one type, and positions in integers, got f32[4, 9], f32[6, 3] and f32[3, 3]
func.func @f(%x: tensor<4x9xf32>, %w: tensor<6x3xf32>, %p: tensor<3x3xf32>) {
  %0 = kiln.sparse_matmul %x, %w, %p {block = 2 : i64} : (tensor<4x9xf32>, tensor<6x3xf32>, tensor<3x3xf32>) -> tensor<4x6xf32>
  return
}

// -----

// sparse_matmul-c2
// CHECK: error: {{.*}}'sparse_matmul' expected weight and positions as matrices, and x of one dimension at least, got f32[4, 9], f32[6, 3] and i32[3]
func.func @f(%x: tensor<4x9xf32>, %w: tensor<6x3xf32>, %p: tensor<3xi32>) {
  %0 = kiln.sparse_matmul %x, %w, %p {block = 6 : i64} : (tensor<4x9xf32>, tensor<6x3xf32>, tensor<3xi32>) -> tensor<4x6xf32>
  return
}

// -----

// sparse_matmul-c2
// CHECK: error: {{.*}}'sparse_matmul' expected weight and positions as matrices, and x as one, got f32[2, 9, 4], f32[6, 3] and i32[6, 3]
func.func @f(%x: tensor<2x9x4xf32>, %w: tensor<6x3xf32>, %p: tensor<6x3xi32>) {
  %0 = kiln.sparse_matmul %x, %w, %p {columns = true} : (tensor<2x9x4xf32>, tensor<6x3xf32>, tensor<6x3xi32>) -> tensor<2x6x4xf32>
  return
}

// -----

// sparse_matmul-c3
// CHECK: error: {{.*}}'sparse_matmul' expected a block of at least 1, got 0
func.func @f(%x: tensor<4x9xf32>, %w: tensor<6x3xf32>, %p: tensor<6x3xi32>) {
  %0 = kiln.sparse_matmul %x, %w, %p {block = 0 : i64} : (tensor<4x9xf32>, tensor<6x3xf32>, tensor<6x3xi32>) -> tensor<4x6xf32>
  return
}

// -----

// sparse_matmul-c4
// CHECK: error: {{.*}}'sparse_matmul' expected positions [3, 3], got i32[6, 3]
func.func @f(%x: tensor<4x9xf32>, %w: tensor<6x3xf32>, %p: tensor<6x3xi32>) {
  %0 = kiln.sparse_matmul %x, %w, %p {block = 2 : i64} : (tensor<4x9xf32>, tensor<6x3xf32>, tensor<6x3xi32>) -> tensor<4x6xf32>
  return
}
