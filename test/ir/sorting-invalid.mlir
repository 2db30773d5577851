// What the verifiers of the sorting ops refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// sort-c1
// CHECK: error: {{.*}}'sort' expected an axis from 0 to 1, got 2
func.func @f(%x: tensor<2x3xf32>) {
  %0, %1 = kiln.sort %x {axis = 2 : i64, descending = false} : (tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xi64>)
  return
}

// -----

// argsort-c1
// CHECK: error: {{.*}}'argsort' expected an axis from 0 to 1, got -1
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.argsort %x {axis = -1 : i64, descending = false} : (tensor<2x3xf32>) -> tensor<2x3xi64>
  return
}

// -----

// topk-c1
// CHECK: error: {{.*}}'topk' expected an axis from 0 to 1, got 2
func.func @f(%x: tensor<2x3xf32>) {
  %0, %1 = kiln.topk %x {k = #kiln.dims<[1]>, axis = 2 : i64, largest = true, sorted = true} : (tensor<2x3xf32>) -> (tensor<2x1xf32>, tensor<2x1xi64>)
  return
}

// -----

// topk-c2
// CHECK: error: {{.*}}'topk' expected from 0 to 3 elements, got 4
func.func @f(%x: tensor<2x3xf32>) {
  %0, %1 = kiln.topk %x {k = #kiln.dims<[4]>, axis = 1 : i64, largest = true, sorted = true} : (tensor<2x3xf32>) -> (tensor<2x4xf32>, tensor<2x4xi64>)
  return
}

// -----

// topk-c2
// CHECK: error: {{.*}}'topk' expected from 0 to 3 elements, got -1
func.func @f(%x: tensor<2x3xf32>) {
  %0, %1 = kiln.topk %x {k = #kiln.dims<[-1]>, axis = 1 : i64, largest = true, sorted = true} : (tensor<2x3xf32>) -> (tensor<2x0xf32>, tensor<2x0xi64>)
  return
}
