// The rest of scatter-invalid.mlir: the larger and the smaller.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// indexmax-c1
// CHECK: error: {{.*}}'index_max' expected a tensor of integers, got f32[2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xf32>, %s: tensor<2x3xf32>) {
  %0 = kiln.index_max %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// indexmax-c2
// CHECK: error: {{.*}}'index_max' expected indices of one dimension and an axis of x, got f32[4, 3], i64[2], f32[2, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xi64>, %s: tensor<2x3xf32>) {
  %0 = kiln.index_max %x, %i, %s {axis = 2 : i64} : (tensor<4x3xf32>, tensor<2xi64>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// indexmax-c3
// CHECK: error: {{.*}}'index_max' expected as many slices of x's as there are indices, got f32[4, 3], i64[2], f64[2, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xi64>, %s: tensor<2x3xf64>) {
  %0 = kiln.index_max %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2xi64>, tensor<2x3xf64>) -> tensor<4x3xf32>
  return
}

// -----

// scattermax-c1
// CHECK: error: {{.*}}'scatter_max' expected a tensor of integers, got f32[2, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x3xf32>, %s: tensor<2x3xf32>) {
  %0 = kiln.scatter_max %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scattermax-c2
// CHECK: error: {{.*}}'scatter_max' expected indices of x's rank and an axis of it, got f32[4, 3], i64[2], f32[2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xi64>, %s: tensor<2xf32>) {
  %0 = kiln.scatter_max %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scattermax-c3
// CHECK: error: {{.*}}'scatter_max' expected an element of x's type for each index, got f32[4, 3], i64[2, 3], f32[2, 2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x3xi64>, %s: tensor<2x2xf32>) {
  %0 = kiln.scatter_max %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x3xi64>, tensor<2x2xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scattermax-c4
// CHECK: error: {{.*}}'scatter_max' expected at most 3 indices along axis 1, got 5
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x5xi64>, %s: tensor<2x5xf32>) {
  %0 = kiln.scatter_max %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x5xi64>, tensor<2x5xf32>) -> tensor<4x3xf32>
  return
}

// -----

// indexmin-c1
// CHECK: error: {{.*}}'index_min' expected a tensor of integers, got f32[2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xf32>, %s: tensor<2x3xf32>) {
  %0 = kiln.index_min %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// indexmin-c2
// CHECK: error: {{.*}}'index_min' expected indices of one dimension and an axis of x, got f32[4, 3], i64[2], f32[2, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xi64>, %s: tensor<2x3xf32>) {
  %0 = kiln.index_min %x, %i, %s {axis = 2 : i64} : (tensor<4x3xf32>, tensor<2xi64>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// indexmin-c3
// CHECK: error: {{.*}}'index_min' expected as many slices of x's as there are indices, got f32[4, 3], i64[2], f64[2, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xi64>, %s: tensor<2x3xf64>) {
  %0 = kiln.index_min %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2xi64>, tensor<2x3xf64>) -> tensor<4x3xf32>
  return
}

// -----

// scattermin-c1
// CHECK: error: {{.*}}'scatter_min' expected a tensor of integers, got f32[2, 3]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x3xf32>, %s: tensor<2x3xf32>) {
  %0 = kiln.scatter_min %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scattermin-c2
// CHECK: error: {{.*}}'scatter_min' expected indices of x's rank and an axis of it, got f32[4, 3], i64[2], f32[2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2xi64>, %s: tensor<2xf32>) {
  %0 = kiln.scatter_min %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scattermin-c3
// CHECK: error: {{.*}}'scatter_min' expected an element of x's type for each index, got f32[4, 3], i64[2, 3], f32[2, 2]
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x3xi64>, %s: tensor<2x2xf32>) {
  %0 = kiln.scatter_min %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x3xi64>, tensor<2x2xf32>) -> tensor<4x3xf32>
  return
}

// -----

// scattermin-c4
// CHECK: error: {{.*}}'scatter_min' expected at most 3 indices along axis 1, got 5
func.func @f(%x: tensor<4x3xf32>, %i: tensor<2x5xi64>, %s: tensor<2x5xf32>) {
  %0 = kiln.scatter_min %x, %i, %s {axis = 0 : i64} : (tensor<4x3xf32>, tensor<2x5xi64>, tensor<2x5xf32>) -> tensor<4x3xf32>
  return
}
