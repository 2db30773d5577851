// What the verifiers of the contraction ops refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// matmul-c1
// CHECK: error: {{.*}}'matmul' expected numbers of one type, got f32[2, 3] and f64[3, 4]
func.func @f(%a: tensor<2x3xf32>, %b: tensor<3x4xf64>) {
  %0 = kiln.matmul %a, %b : (tensor<2x3xf32>, tensor<3x4xf64>) -> tensor<2x4xf32>
  return
}

// -----

// matmul-c2
// CHECK: error: {{.*}}'matmul' expected matrices with equal leading extents, got f32[5, 2, 3] and f32[6, 3, 4]
func.func @f(%a: tensor<5x2x3xf32>, %b: tensor<6x3x4xf32>) {
  %0 = kiln.matmul %a, %b : (tensor<5x2x3xf32>, tensor<6x3x4xf32>) -> tensor<5x2x4xf32>
  return
}

// -----

// matmul-c3
// CHECK: error: {{.*}}'matmul' expected equal inner extents, got f32[2, 3] and f32[5, 4]: '3' is not '5'
func.func @f(%a: tensor<2x3xf32>, %b: tensor<5x4xf32>) {
  %0 = kiln.matmul %a, %b : (tensor<2x3xf32>, tensor<5x4xf32>) -> tensor<2x4xf32>
  return
}
