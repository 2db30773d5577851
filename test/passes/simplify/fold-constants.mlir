// RUN: %kiln-opt %s --kiln-fold-weights | FileCheck %s

// Without bytes a weight is left alone; without a use it goes.
// CHECK: kiln.weight @unread
// CHECK-NOT: kiln.weight @unused
kiln.weight @unread : tensor<4xf32>
kiln.weight @unused : tensor<4xf32>

// CHECK-LABEL: func.func @constants
// CHECK-DAG: %[[UNREAD:.*]] = kiln.neg
// CHECK-DAG: %[[SUM:.*]] = kiln.constant dense<[2.500000e+00, 3.500000e+00]>
// CHECK-DAG: %[[BOOL:.*]] = kiln.constant dense<[true, false]>
// CHECK-DAG: %[[LARGE:.*]] = kiln.broadcast_to
// CHECK: return %[[SUM]], %[[BOOL]], %[[LARGE]], %[[UNREAD]]
func.func @constants() -> (tensor<2xf32>, tensor<2xi1>, tensor<2000x2xf32>, tensor<4xf32>) {
  %a = kiln.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b = kiln.full {shape = #kiln.dims<[2]>, value = 1.5 : f64, dtype = f32} : () -> tensor<2xf32>
  %sum = kiln.add %a, %b : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %bool = kiln.lt %a, %b : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
  %large = kiln.broadcast_to %sum {shape = #kiln.dims<[2000, 2]>} : (tensor<2xf32>) -> tensor<2000x2xf32>
  %w = kiln.get @unread : tensor<4xf32>
  %n = kiln.neg %w : (tensor<4xf32>) -> tensor<4xf32>
  return %sum, %bool, %large, %n : tensor<2xf32>, tensor<2xi1>, tensor<2000x2xf32>, tensor<4xf32>
}

// Every result is rounded on the way: the sum is 65504 + 16, which f16 takes for infinity.
// CHECK-LABEL: func.func @rounds
// CHECK: kiln.constant dense<0x7C00> : tensor<1xf16>
func.func @rounds() -> tensor<1xf16> {
  %a = kiln.constant dense<65504.0> : tensor<1xf16>
  %b = kiln.constant dense<16.0> : tensor<1xf16>
  %sum = kiln.add %a, %b : (tensor<1xf16>, tensor<1xf16>) -> tensor<1xf16>
  %back = kiln.sub %sum, %b : (tensor<1xf16>, tensor<1xf16>) -> tensor<1xf16>
  return %back : tensor<1xf16>
}
