// What the verifiers of the elementwise ops refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// elementwise-c1
// CHECK: error: {{.*}}'exp' expected a tensor of floats, got i64[3]
func.func @f(%x: tensor<3xi64>) {
  %0 = kiln.exp %x {} : (tensor<3xi64>) -> tensor<3xi64>
  return
}

// -----

// elementwise-c1 of a binary op
// CHECK: error: {{.*}}'bitwise_and' expected a tensor of integers, got f32[3]
func.func @f(%a: tensor<3xf32>) {
  %0 = kiln.bitwise_and %a, %a : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

// activation-c1
// CHECK: error: {{.*}}'softplus' expected a tensor of floats, got i32[3]
func.func @f(%x: tensor<3xi32>) {
  %0 = kiln.softplus %x {} : (tensor<3xi32>) -> tensor<3xi32>
  return
}

// -----

// gelu-c1
// CHECK: error: {{.*}}'gelu' expected a tensor of floats, got i32[3]
func.func @f(%x: tensor<3xi32>) {
  %0 = kiln.gelu %x {} : (tensor<3xi32>) -> tensor<3xi32>
  return
}

// -----

// gelu-c2
// CHECK: error: {{.*}}expected 'approximate' to be "none" or "tanh", got "fast"
func.func @f(%x: tensor<3xf32>) {
  %0 = kiln.gelu %x {approximate = "fast"} : (tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

// clamp-c1
// CHECK: error: {{.*}}'clamp' expected a tensor of numbers, got bool[3]
func.func @f(%x: tensor<3xi1>) {
  %0 = kiln.clamp %x {min = 0.0 : f64, max = 6.0 : f64} : (tensor<3xi1>) -> tensor<3xi1>
  return
}

// -----

// clamp-c2
// CHECK: error: {{.*}}expected min <= max, got
func.func @f(%x: tensor<3xf32>) {
  %0 = kiln.clamp %x {min = 7.0 : f64, max = 6.0 : f64} : (tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

// where-c1
// CHECK: error: {{.*}}operand #0 must be tensor of 1-bit signless integer values
func.func @f(%c: tensor<3xf32>, %a: tensor<3xf32>) {
  %0 = kiln.where %c, %a, %a : (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

// where-c2
// CHECK: error: {{.*}}'kiln.where' op failed to verify that all of {a, b} have same type
func.func @f(%c: tensor<3xi1>, %a: tensor<3xf32>, %b: tensor<3xf64>) {
  %0 = kiln.where %c, %a, %b : (tensor<3xi1>, tensor<3xf32>, tensor<3xf64>) -> tensor<3xf32>
  return
}

// -----

// cast-c1
// CHECK: error: {{.*}}'kiln.cast' op all non-scalar operands/results must have the same shape and base type
func.func @f(%x: tensor<3xf32>) {
  %0 = kiln.cast %x {dtype = i64} : (tensor<3xf32>) -> tensor<4xi64>
  return
}

// -----

// batch_norm-c1
// CHECK: error: {{.*}}'batch_norm' expected floats with channels in the second dimension, got f32[3]
func.func @f(%x: tensor<3xf32>) {
  %0 = kiln.batch_norm %x, %x, %x {eps = 1.0e-5 : f64} : (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

// batch_norm-c2
// CHECK: error: {{.*}}'batch_norm' expected 3 values a channel, got f32[4] for f32[2, 3]
func.func @f(%x: tensor<2x3xf32>, %m: tensor<4xf32>) {
  %0 = kiln.batch_norm %x, %m, %m {eps = 1.0e-5 : f64} : (tensor<2x3xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x3xf32>
  return
}
