// What the verifiers of the shape ops refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// reshape-c1
// CHECK: error: {{.*}}'reshape' expected 6 elements as in f32[2, 3], got 7
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.reshape %x {shape = #kiln.dims<[7]>} : (tensor<2x3xf32>) -> tensor<7xf32>
  return
}

// -----

// reshape-c2
// CHECK: error: {{.*}}'reshape' expected extents of at least 0, got -6
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.reshape %x {shape = #kiln.dims<[-6]>} : (tensor<2x3xf32>) -> tensor<6xf32>
  return
}

// -----

// flatten-c1
// CHECK: error: {{.*}}'flatten' expected start_axis <= end_axis within f32[2, 3], got 1 and 0
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.flatten %x {start_axis = 1 : i64, end_axis = 0 : i64} : (tensor<2x3xf32>) -> tensor<6xf32>
  return
}

// -----

// squeeze-c1
// CHECK: error: {{.*}}'squeeze' expected extent 1 in axis 0 of f32[2, 3]
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.squeeze %x {axis = array<i64: 0>} : (tensor<2x3xf32>) -> tensor<3xf32>
  return
}

// -----

// unsqueeze-c1
// CHECK: error: {{.*}}'unsqueeze' expected an axis from 0 to 2, got 3
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.unsqueeze %x {axis = 3 : i64} : (tensor<2x3xf32>) -> tensor<2x3x1xf32>
  return
}

// -----

// transpose-c1
// CHECK: error: {{.*}}'transpose' expected at least two dimensions, got f32[3]
func.func @f(%x: tensor<3xf32>) {
  %0 = kiln.transpose %x : (tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

// permute-c1
// CHECK: error: {{.*}}'permute' expected each axis from 0 to 1 once for f32[2, 3]
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.permute %x {axes = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<3x3xf32>
  return
}

// -----

// broadcast_to-c1
// CHECK: error: {{.*}}'broadcast_to' cannot broadcast f32[2, 3] to f32[4, 3]
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.broadcast_to %x {shape = #kiln.dims<[4, 3]>} : (tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// expand-c1
// CHECK: error: {{.*}}'expand' cannot broadcast f32[2, 3] to f32[4, 3]
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.expand %x {shape = #kiln.dims<[4, 3]>} : (tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// concat-c1
// CHECK: error: {{.*}}'concat' expected at least one tensor
func.func @f() {
  %0 = kiln.concat {axis = 0 : i64} : () -> tensor<2xf32>
  return
}

// -----

// concat-c2
// CHECK: error: {{.*}}'concat' expected tensors that differ along axis 0 only, got f32[2, 3] and f32[2, 4]
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  %0 = kiln.concat %a, %b {axis = 0 : i64} : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<4x3xf32>
  return
}

// -----

// stack-c1
// CHECK: error: {{.*}}'stack' expected at least one tensor, all of one type
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  %0 = kiln.stack %a, %b {axis = 0 : i64} : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x2x3xf32>
  return
}

// -----

// split-c1
// CHECK: error: {{.*}}'split' expected parts that add up to '3' along axis 1, got '4'
func.func @f(%x: tensor<2x3xf32>) {
  %0:2 = kiln.split %x {sizes = #kiln.dims<[2, 2]>, axis = 1 : i64} : (tensor<2x3xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>)
  return
}

// -----

// slice-c1
// CHECK: error: {{.*}}'slice' expected a start, a size and a step other than 0 for each dimension of f32[2, 3]
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.slice %x {starts = #kiln.dims<[0, 0]>, sizes = #kiln.dims<[1, 1]>, steps = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<1x1xf32>
  return
}
