// RUN: %kiln-opt %s --kiln-decompose --kiln-layout --remark-format=emitRemark "--remarks-filter=layout|simplify" 2>&1 | FileCheck %s

// What a caller sees keeps its order: the transposes at the edges stay and are told.
// CHECK-DAG: remark: [Passed] batch-norm | Category:simplify | Remark="folded into the weights of the convolution before it"
// CHECK-DAG: remark: [Passed] channels-last | Category:layout | Remark="conv2d runs with channels last"
// CHECK-DAG: remark: [Missed] transpose | Category:layout | Remark="a transpose to f32[1, 8, 8, 3] is left"
// CHECK-DAG: remark: [Missed] transpose | Category:layout | Remark="a transpose to f32[1, 4, 6, 6] is left"
func.func @f(%x: tensor<1x3x8x8xf32>) -> tensor<1x4x6x6xf32> {
  %w = kiln.full {shape = #kiln.dims<[4, 3, 3, 3]>, value = 0.5 : f64, dtype = f32} : () -> tensor<4x3x3x3xf32>
  %m = kiln.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %c = kiln.conv2d %x, %w {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x6x6xf32>
  %y = kiln.batch_norm %c, %m, %m {eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (tensor<1x4x6x6xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x6x6xf32>
  return %y : tensor<1x4x6x6xf32>
}
