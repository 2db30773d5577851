// RUN: %kiln-opt %s --kiln-simplify | FileCheck %s

kiln.weight @w : tensor<10x8xf32>

// The product reads its weight as it is stored; what is computed twice is computed once.
// CHECK-LABEL: func.func @linear
// CHECK: %[[W:.*]] = kiln.get @w
// CHECK: %[[Y:.*]] = kiln.matmul %arg0, %[[W]] {transpose_b}
// CHECK-NEXT: return %[[Y]], %[[Y]]
func.func @linear(%x: tensor<2x8xf32>) -> (tensor<2x10xf32>, tensor<2x10xf32>) {
  %w = kiln.get @w : tensor<10x8xf32>
  %t = kiln.transpose %w : (tensor<10x8xf32>) -> tensor<8x10xf32>
  %a = kiln.matmul %x, %t : (tensor<2x8xf32>, tensor<8x10xf32>) -> tensor<2x10xf32>
  %b = kiln.matmul %x, %t : (tensor<2x8xf32>, tensor<8x10xf32>) -> tensor<2x10xf32>
  return %a, %b : tensor<2x10xf32>, tensor<2x10xf32>
}
