// What the verifiers of the reduction ops refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// reduction-c1
// CHECK: error: {{.*}}'sum' expected different axes from 0 to 1, got 2
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.sum %x {axis = array<i64: 2>, keepdims = false} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

// reduction-c2
// CHECK: error: {{.*}}'mean' expected a tensor of floats, got i64[2, 3]
func.func @f(%x: tensor<2x3xi64>) {
  %0 = kiln.mean %x {axis = array<i64: 1>, keepdims = false} : (tensor<2x3xi64>) -> tensor<2xi64>
  return
}

// -----

// argreduction-c1
// CHECK: error: {{.*}}'argmax' expected at least one element along axis 1, got f32[2, 0]
func.func @f(%x: tensor<2x0xf32>) {
  %0 = kiln.argmax %x {axis = 1 : i64, keepdims = false} : (tensor<2x0xf32>) -> tensor<2xi64>
  return
}

// -----

// reduction-c3
// CHECK: error: {{.*}}'max' expected at least one element along axis 1, got f32[2, 0]
func.func @f(%x: tensor<2x0xf32>) {
  %0 = kiln.max %x {axis = array<i64: 1>, keepdims = false} : (tensor<2x0xf32>) -> tensor<2xf32>
  return
}

// -----

// softmax-c1
// CHECK: error: {{.*}}'softmax' expected a tensor of floats, got i64[2, 3]
func.func @f(%x: tensor<2x3xi64>) {
  %0 = kiln.softmax %x {axis = 1 : i64} : (tensor<2x3xi64>) -> tensor<2x3xi64>
  return
}

// -----

// softmax-c2
// CHECK: error: {{.*}}'softmax' expected an axis from 0 to 1, got 2
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.softmax %x {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}
