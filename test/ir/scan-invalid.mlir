// What the verifiers of running totals refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// cumsum-c1
// CHECK: error: {{.*}}'cumsum' expected a tensor of numbers, got bool[2, 3]
func.func @f(%x: tensor<2x3xi1>) {
  %0 = kiln.cumsum %x {axis = 1 : i64, reverse = false, exclusive = false} : (tensor<2x3xi1>) -> tensor<2x3xi1>
  return
}

// -----

// cumsum-c2
// CHECK: error: {{.*}}'cumsum' expected an axis from 0 to 1, got 2
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.cumsum %x {axis = 2 : i64, reverse = false, exclusive = false} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// cumprod-c1
// CHECK: error: {{.*}}'cumprod' expected a tensor of numbers, got bool[3]
func.func @f(%x: tensor<3xi1>) {
  %0 = kiln.cumprod %x {axis = 0 : i64, reverse = false, exclusive = false} : (tensor<3xi1>) -> tensor<3xi1>
  return
}

// -----

// cumprod-c2
// CHECK: error: {{.*}}'cumprod' expected an axis from 0 to 0, got -1
func.func @f(%x: tensor<3xf32>) {
  %0 = kiln.cumprod %x {axis = -1 : i64, reverse = false, exclusive = false} : (tensor<3xf32>) -> tensor<3xf32>
  return
}
