// What the verifier of scan refuses; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// scan-c1
// CHECK: error: 'kiln.scan' op expected a sequence
func.func @f(%a: tensor<3xf32>) {
  %0 = kiln.scan sequences() carries(%a) : (tensor<3xf32>) -> tensor<3xf32> {
  ^bb0(%b: tensor<3xf32>):
    kiln.yield %b : tensor<3xf32>
  }
  return
}

// -----

// scan-c1
// CHECK: error: 'kiln.scan' op expected sequences of one length, got f32[3], f32[4]
func.func @f(%a: tensor<3xf32>, %b: tensor<4xf32>) {
  kiln.scan sequences(%a, %b) : (tensor<3xf32>, tensor<4xf32>) -> () {
  ^bb0(%c: tensor<f32>, %d: tensor<f32>):
    kiln.yield
  }
  return
}

// -----

// scan-c2
// CHECK: error: 'kiln.scan' op arguments of the body: expected f32, got f64
func.func @f(%a: tensor<3xf32>) {
  kiln.scan sequences(%a) : (tensor<3xf32>) -> () {
  ^bb0(%c: tensor<f64>):
    kiln.yield
  }
  return
}

// -----

// scan-c3
// CHECK: error: 'kiln.scan' op expected as many yielded values as results, got 0
func.func @f(%a: tensor<3xf32>) {
  %0 = kiln.scan sequences(%a) : (tensor<3xf32>) -> tensor<3xf32> {
  ^bb0(%c: tensor<f32>):
    kiln.yield
  }
  return
}

// -----

// scan-c3
// CHECK: error: 'kiln.scan' op carried values: expected i64, got f32
func.func @f(%a: tensor<3xf32>, %n: tensor<i64>) {
  %0 = kiln.scan sequences(%a) carries(%n) : (tensor<3xf32>, tensor<i64>) -> tensor<i64> {
  ^bb0(%c: tensor<f32>, %m: tensor<i64>):
    kiln.yield %c : tensor<f32>
  }
  return
}

// -----

// scan-c4
// CHECK: error: 'kiln.scan' op types of results: expected f32[3], got f32[4]
func.func @f(%a: tensor<3xf32>) {
  %0 = kiln.scan sequences(%a) : (tensor<3xf32>) -> tensor<4xf32> {
  ^bb0(%c: tensor<f32>):
    kiln.yield %c : tensor<f32>
  }
  return
}
