// What the verifiers of ops that write at computed positions refuse; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// indexcopy-c1
// CHECK: error: {{.*}}'index_copy' expected a tensor of integers, got f32[2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xf32>, %s: tensor<2x3xf32>) {
  %0 = kiln.index_copy %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// indexcopy-c2
// CHECK: error: {{.*}}'index_copy' expected indices of one dimension and an axis of x, got f32[4, 3], i64[2, 1], f32[2, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x1xi64>, %s: tensor<2x3xf32>) {
  %0 = kiln.index_copy %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x1xi64>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// indexcopy-c3
// CHECK: error: {{.*}}'index_copy' expected as many slices of x's as there are indices, got f32[4, 3], i64[2], f32[3, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xi64>, %s: tensor<3x3xf32>) {
  %0 = kiln.index_copy %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2xi64>, tensor<3x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// indexadd-c1
// CHECK: error: {{.*}}'index_add' expected a tensor of integers, got f32[2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xf32>, %s: tensor<2x3xf32>) {
  %0 = kiln.index_add %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// indexadd-c2
// CHECK: error: {{.*}}'index_add' expected indices of one dimension and an axis of x, got f32[4, 3], i64[2], f32[2, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xi64>, %s: tensor<2x3xf32>) {
  %0 = kiln.index_add %x, %i, %s {axis = 2 : i64} : (tensor<4x3xf32>, tensor<2xi64>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// indexadd-c3
// CHECK: error: {{.*}}'index_add' expected as many slices of x's as there are indices, got f32[4, 3], i64[2], f64[2, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xi64>, %s: tensor<2x3xf64>) {
  %0 = kiln.index_add %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2xi64>, tensor<2x3xf64>) -> tensor<4x3xf32>
  return
}

// -----

// scatter-c1
// CHECK: error: {{.*}}'scatter' expected a tensor of integers, got f32[2, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x3xf32>, %s: tensor<2x3xf32>) {
  %0 = kiln.scatter %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scatter-c2
// CHECK: error: {{.*}}'scatter' expected indices of x's rank and an axis of it, got f32[4, 3], i64[2], f32[2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xi64>, %s: tensor<2xf32>) {
  %0 = kiln.scatter %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scatter-c3
// CHECK: error: {{.*}}'scatter' expected an element of x's type for each index, got f32[4, 3], i64[2, 3], f32[2, 2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x3xi64>, %s: tensor<2x2xf32>) {
  %0 = kiln.scatter %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x3xi64>, tensor<2x2xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scatter-c4
// CHECK: error: {{.*}}'scatter' expected at most 3 indices along axis 1, got 5
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x5xi64>, %s: tensor<2x5xf32>) {
  %0 = kiln.scatter %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x5xi64>, tensor<2x5xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scatteradd-c1
// CHECK: error: {{.*}}'scatter_add' expected a tensor of integers, got f32[2, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x3xf32>, %s: tensor<2x3xf32>) {
  %0 = kiln.scatter_add %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scatteradd-c2
// CHECK: error: {{.*}}'scatter_add' expected indices of x's rank and an axis of it, got f32[4, 3], i64[2], f32[2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xi64>, %s: tensor<2xf32>) {
  %0 = kiln.scatter_add %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<4x3xf32>
  return
}
