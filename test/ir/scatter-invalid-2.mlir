// The rest of scatter-invalid.mlir.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// scatteradd-c3
// CHECK: error: {{.*}}'scatter_add' expected an element of x's type for each index, got f32[4, 3], i64[2, 3], f32[2, 2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x3xi64>, %s: tensor<2x2xf32>) {
  %0 = kiln.scatter_add %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x3xi64>, tensor<2x2xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scatteradd-c4
// CHECK: error: {{.*}}'scatter_add' expected at most 3 indices along axis 1, got 5
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x5xi64>, %s: tensor<2x5xf32>) {
  %0 = kiln.scatter_add %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x5xi64>, tensor<2x5xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scatternd-c1
// CHECK: error: {{.*}}'scatter_nd' expected a tensor of integers, got f32[2, 1]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x1xf32>, %s: tensor<2x3xf32>) {
  %0 = kiln.scatter_nd %x, %i, %s : (tensor<4x3xf32>, tensor<2x1xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scatternd-c2
// CHECK: error: {{.*}}'scatter_nd' expected from 1 to 2 indices in a row, got f32[4, 3], i64[2, 3], f32[2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x3xi64>, %s: tensor<2xf32>) {
  %0 = kiln.scatter_nd %x, %i, %s : (tensor<4x3xf32>, tensor<2x3xi64>, tensor<2xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scatternd-c3
// CHECK: error: {{.*}}'scatter_nd' expected a slice of x's for each row of indices, got f32[4, 3], i64[2, 1], f32[2, 2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x1xi64>, %s: tensor<2x2xf32>) {
  %0 = kiln.scatter_nd %x, %i, %s : (tensor<4x3xf32>, tensor<2x1xi64>, tensor<2x2xf32>) -> tensor<4x3xf32>
  return
}

// -----

// gathernd-c1
// CHECK: error: {{.*}}'gather_nd' expected a tensor of integers, got f32[2, 1]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x1xf32>) {
  %0 = kiln.gather_nd %x, %i {batch_dims = 0 : i64} : (tensor<4x3xf32>, tensor<2x1xf32>) -> tensor<2x3xf32>
  return
}

// -----

// gathernd-c2
// CHECK: error: {{.*}}'gather_nd' expected batch dimensions of both and a number of indices of x in a row, got f32[4, 3], i64[2, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x3xi64>) {
  %0 = kiln.gather_nd %x, %i {batch_dims = 0 : i64} : (tensor<4x3xf32>, tensor<2x3xi64>) -> tensor<2xf32>
  return
}

// -----

// gathernd-c3
// CHECK: error: {{.*}}'gather_nd' expected the same batch dimensions, got f32[4, 3], i64[2, 1]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x1xi64>) {
  %0 = kiln.gather_nd %x, %i {batch_dims = 1 : i64} : (tensor<4x3xf32>, tensor<2x1xi64>) -> tensor<2xf32>
  return
}
