// RUN: %kiln-opt %s --kiln-decompose | FileCheck %s
// Positions are looked at once, before they are used.
// CHECK-LABEL: func.func @f
// CHECK: %[[LOW:.*]] = kiln.ge
// CHECK: %[[HIGH:.*]] = kiln.lt
// CHECK: %[[BOTH:.*]] = kiln.logical_and %[[LOW]], %[[HIGH]]
// CHECK: %[[ALL:.*]] = kiln.all %[[BOTH]]
// CHECK: kiln.assert %[[ALL]], "take"
// CHECK-NOT: kiln.assert
// CHECK: kiln.take {{.*}} guarded
func.func @f(%i: tensor<3xi64>, %w: tensor<9x4xf32>) -> tensor<3x4xf32> {
  %y = kiln.embedding %i, %w : (tensor<3xi64>, tensor<9x4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
