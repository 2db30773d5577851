// RUN: kiln-opt %s --kiln-loop-invariant | FileCheck %s

// What has operands of the outside alone leaves the loop; positions up to a number that the loop finds stay.
// CHECK-LABEL: func.func @f(
// CHECK: %[[E:.*]] = kiln.exp
// CHECK: kiln.scan
// CHECK-NEXT: ^bb0(
// CHECK: kiln.bind
// CHECK-NEXT: kiln.arange {{.*}}K
// CHECK: kiln.add %[[E]]
func.func @f(%x: tensor<5x9xi1>, %y: tensor<9xf32>) -> tensor<5xi64> attributes {kiln.dims = {K = array<i64: 0, 9>}} {
  %zero = kiln.extent {value = #kiln.dims<[0]>} : () -> tensor<i64>
  %0:2 = kiln.scan sequences(%x) carries(%y) : (tensor<5x9xi1>, tensor<9xf32>) -> (tensor<5xi64>, tensor<9xf32>) {
  ^bb0(%row: tensor<9xi1>, %c: tensor<9xf32>):
    %1:2 = kiln.find %row : (tensor<9xi1>) -> (tensor<9xi64>, tensor<i64>)
    kiln.bind %1#1, "K", "the number" {most = #kiln.dims<[9]>} : tensor<i64>
    %2 = kiln.arange {count = #kiln.dims<[K]>, start = 0 : i64, step = 1 : i64, dtype = i64} : () -> tensor<?xi64, #kiln.dims<[K]>>
    %3 = kiln.sum %2 {axis = array<i64: 0>, keepdims = false} : (tensor<?xi64, #kiln.dims<[K]>>) -> tensor<i64>
    %4 = kiln.exp %y : (tensor<9xf32>) -> tensor<9xf32>
    %5 = kiln.add %4, %c : (tensor<9xf32>, tensor<9xf32>) -> tensor<9xf32>
    kiln.yield %3, %5 : tensor<i64>, tensor<9xf32>
  }
  return %0#0 : tensor<5xi64>
}
