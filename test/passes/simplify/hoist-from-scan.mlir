// RUN: kiln-opt %s --kiln-hoist-from-scan | FileCheck %s
// RUN: kiln-opt %s --kiln-hoist-from-scan --remarks-filter=simplify -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// The input product and what follows it alone are made of the whole sequence; the rest stays.
// REMARK: 'add' is computed for all rounds before the loop
// CHECK-LABEL: func.func @f(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x2x3xf32
// CHECK: %[[P:.*]] = kiln.matmul %[[X]], %{{.*}} {transpose_b} : {{.*}} -> tensor<?x2x5xf32, #kiln.dims<[T, 2, 5]>>
// CHECK: %[[B:.*]] = kiln.broadcast_to %{{.*}} {shape = #kiln.dims<[T, 2, 5]>}
// CHECK: %[[S:.*]] = kiln.add %[[P]], %[[B]]
// CHECK: kiln.scan sequences(%[[X]], %[[S]]) carries(
// CHECK-NEXT: ^bb0(%[[XT:.*]]: tensor<2x3xf32>, %[[ST:.*]]: tensor<2x5xf32>, %[[H:.*]]: tensor<2x5xf32>):
// CHECK-NEXT: %[[R:.*]] = kiln.matmul %[[H]],
// CHECK-NEXT: %[[N:.*]] = kiln.add %[[ST]], %[[R]]
// CHECK-NEXT: %[[E:.*]] = kiln.exp %[[XT]]
// CHECK-NEXT: kiln.yield %[[E]], %[[N]]
func.func @f(%x: tensor<?x2x3xf32, #kiln.dims<[T, 2, 3]>>, %h0: tensor<2x5xf32>, %u: tensor<5x3xf32>, %w: tensor<5x5xf32>,
             %b: tensor<2x5xf32>) -> (tensor<?x2x3xf32, #kiln.dims<[T, 2, 3]>>, tensor<2x5xf32>)
    attributes {kiln.dims = {T = array<i64: 0>}} {
  %0:2 = kiln.scan sequences(%x) carries(%h0) : (tensor<?x2x3xf32, #kiln.dims<[T, 2, 3]>>, tensor<2x5xf32>)
      -> (tensor<?x2x3xf32, #kiln.dims<[T, 2, 3]>>, tensor<2x5xf32>) {
  ^bb0(%xt: tensor<2x3xf32>, %h: tensor<2x5xf32>):
    %1 = kiln.matmul %xt, %u {transpose_b} : (tensor<2x3xf32>, tensor<5x3xf32>) -> tensor<2x5xf32>
    %2 = kiln.add %1, %b : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x5xf32>
    %3 = kiln.matmul %h, %w : (tensor<2x5xf32>, tensor<5x5xf32>) -> tensor<2x5xf32>
    %4 = kiln.add %2, %3 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x5xf32>
    %5 = kiln.exp %xt : (tensor<2x3xf32>) -> tensor<2x3xf32>
    kiln.yield %5, %4 : tensor<2x3xf32>, tensor<2x5xf32>
  }
  return %0#0, %0#1 : tensor<?x2x3xf32, #kiln.dims<[T, 2, 3]>>, tensor<2x5xf32>
}

// A vector's product has a row's shape around it; a matrix made in the loop keeps its product there.
// CHECK-LABEL: func.func @vector(
// CHECK: kiln.reshape %{{.*}} {shape = #kiln.dims<[9, 1, 3]>}
// CHECK: kiln.matmul {{.*}} -> tensor<9x1x3xf32>
// CHECK: kiln.reshape %{{.*}} {shape = #kiln.dims<[9, 3]>}
// CHECK: kiln.scan
// CHECK: kiln.matmul
// CHECK: return
func.func @vector(%x: tensor<9x3xf32>, %u: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %0 = kiln.scan sequences(%x) carries(%u) : (tensor<9x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32> {
  ^bb0(%xt: tensor<3xf32>, %m: tensor<3x3xf32>):
    %1 = kiln.reshape %xt {shape = #kiln.dims<[1, 3]>} : (tensor<3xf32>) -> tensor<1x3xf32>
    %2 = kiln.matmul %1, %u : (tensor<1x3xf32>, tensor<3x3xf32>) -> tensor<1x3xf32>
    %3 = kiln.reshape %2 {shape = #kiln.dims<[3]>} : (tensor<1x3xf32>) -> tensor<3xf32>
    %4 = kiln.reshape %3 {shape = #kiln.dims<[1, 3]>} : (tensor<3xf32>) -> tensor<1x3xf32>
    %5 = kiln.matmul %4, %m : (tensor<1x3xf32>, tensor<3x3xf32>) -> tensor<1x3xf32>
    %6 = kiln.broadcast_to %5 {shape = #kiln.dims<[3, 3]>} : (tensor<1x3xf32>) -> tensor<3x3xf32>
    kiln.yield %6 : tensor<3x3xf32>
  }
  return %0 : tensor<3x3xf32>
}
