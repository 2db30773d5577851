// What the verifiers of the shape ops refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// slice-c2
// CHECK: error: {{.*}}'slice' expected positions within '3', got 3 from 1 by 1 in dimension 1 of f32[2, 3]
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.slice %x {starts = #kiln.dims<[0, 1]>, sizes = #kiln.dims<[1, 3]>, steps = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<1x3xf32>
  return
}

// -----

// pad-c1
// CHECK: error: {{.*}}'pad' expected a pair of extents of at least 0 for each dimension of f32[2, 3]
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.pad %x {padding = #kiln.dims<[1, 1]>, value = 0.0 : f64} : (tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// tile-c1
// CHECK: error: {{.*}}'tile' expected a repeat of at least 0 for each dimension of f32[2, 3]
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.tile %x {repeats = array<i64: 2>} : (tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// flip-c1
// CHECK: error: {{.*}}'flip' expected different axes of f32[2, 3], got 1
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.flip %x {axis = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// roll-c1
// CHECK: error: {{.*}}'roll' expected an axis of f32[N, 3], got 2
func.func @f(%x: tensor<?x3xf32, #kiln.dims<[N, 3]>>) {
  %0 = kiln.roll %x {shift = 1 : i64, axis = 2 : i64} : (tensor<?x3xf32, #kiln.dims<[N, 3]>>) -> tensor<?x3xf32, #kiln.dims<[N, 3]>>
  return
}
