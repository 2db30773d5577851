// What the verifiers of ops that count, and of what binds their numbers, refuse; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// bind-c1
// CHECK: error: 'kiln.bind' op expected an i64 scalar, got i64[1]
func.func @f(%n: tensor<1xi64>) attributes {kiln.dims = {K = array<i64: 0>}} {
  kiln.bind %n, "K", "the number" {most = #kiln.dims<[9]>} : tensor<1xi64>
  return
}

// -----

// bind-c2
// CHECK: error: 'kiln.bind' op expected one polynomial in 'most'
func.func @f(%n: tensor<i64>) attributes {kiln.dims = {K = array<i64: 0>}} {
  kiln.bind %n, "K", "the number" {most = #kiln.dims<[9, 9]>} : tensor<i64>
  return
}

// -----

// bind-c3
// CHECK: error: 'kiln.bind' op binds 'L', which the function does not declare
func.func @f(%n: tensor<i64>) attributes {kiln.dims = {K = array<i64: 0>}} {
  kiln.bind %n, "L", "the number" {most = #kiln.dims<[9]>} : tensor<i64>
  return
}

// -----

// find-c1
// CHECK: error: 'find' expected bool with one dimension, got f32[9]
func.func @f(%x: tensor<9xf32>) {
  %0:2 = kiln.find %x : (tensor<9xf32>) -> (tensor<9xi64>, tensor<i64>)
  return
}

// -----

// nonzero-c1
// CHECK: error: 'nonzero' expected a tensor with a dimension, got f32
func.func @f(%x: tensor<f32>) {
  %0:2 = kiln.nonzero %x : (tensor<f32>) -> (tensor<1x0xi64>, tensor<i64>)
  return
}

// -----

// nms-c1
// CHECK: error: 'nms' expected boxes of f32[N, 4] or f64[N, 4], got f16[3, 4]
func.func @f(%b: tensor<3x4xf16>, %s: tensor<3xf16>) {
  %0:2 = kiln.nms %b, %s {iou_threshold = 0.5 : f64} : (tensor<3x4xf16>, tensor<3xf16>) -> (tensor<3xi64>, tensor<i64>)
  return
}

// -----

// nms-c2
// CHECK: error: 'nms' expected a score of the same type for each box, got f32[3, 4] and f32[2]
func.func @f(%b: tensor<3x4xf32>, %s: tensor<2xf32>) {
  %0:2 = kiln.nms %b, %s {iou_threshold = 0.5 : f64} : (tensor<3x4xf32>, tensor<2xf32>) -> (tensor<2xi64>, tensor<i64>)
  return
}
