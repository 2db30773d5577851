// RUN: %kiln-opt %s --kiln-layout | FileCheck %s

// Moving the outer transpose to where it cancels must not be undone by moving the other one back.
// CHECK-LABEL: func.func @f(
// CHECK-SAME: %[[S:.*]]: tensor<4x4xf32>)
// CHECK: %[[T:.*]] = kiln.permute %[[S]]
// CHECK: %[[Y:.*]] = kiln.add %[[S]], %[[T]]
// CHECK: return %[[Y]]
func.func @f(%s: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %a = kiln.permute %s {axes = array<i64: 1, 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = kiln.add %a, %s : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %c = kiln.permute %b {axes = array<i64: 1, 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return %c : tensor<4x4xf32>
}
