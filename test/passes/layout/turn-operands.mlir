// RUN: %kiln-opt %s --kiln-turn-operands | FileCheck %s
// RUN: %kiln-opt %s --kiln-stage-fuse | FileCheck %s --check-prefix=FUSED

kiln.weight @w : tensor<10x64xf32>

// The transpose joins the one that splits the heads; a second product reads the same.
// CHECK-LABEL: func.func @scores
// CHECK: %[[T:.*]] = kiln.permute %arg1 {axes = array<i64: 0, 2, 3, 1>}
// CHECK-NOT: kiln.permute
// CHECK: kiln.matmul %arg0, %[[T]] : (tensor<1x4x16x8xf32>, tensor<1x4x8x16xf32>)
// CHECK: kiln.matmul %arg2, %[[T]] : (tensor<1x4x16x8xf32>, tensor<1x4x8x16xf32>)
// FUSED: kiln.kernel private @k0_permute
// FUSED-NOT: transpose_b
// FUSED: func.func @scores
func.func @scores(%q: tensor<1x4x16x8xf32>, %k: tensor<1x16x4x8xf32>, %r: tensor<1x4x16x8xf32>) -> (tensor<1x4x16x16xf32>, tensor<1x4x16x16xf32>) {
  %h = kiln.permute %k {axes = array<i64: 0, 2, 1, 3>} : (tensor<1x16x4x8xf32>) -> tensor<1x4x16x8xf32>
  %0 = kiln.matmul %q, %h {transpose_b} : (tensor<1x4x16x8xf32>, tensor<1x4x16x8xf32>) -> tensor<1x4x16x16xf32>
  %1 = kiln.matmul %r, %h {transpose_b} : (tensor<1x4x16x8xf32>, tensor<1x4x16x8xf32>) -> tensor<1x4x16x16xf32>
  return %0, %1 : tensor<1x4x16x16xf32>, tensor<1x4x16x16xf32>
}

// An open number of rows may be large; one row is not, and weights lie as kernels read them.
// CHECK-LABEL: func.func @open
// CHECK: kiln.permute %arg1 {axes = array<i64: 1, 0>}
func.func @open(%x: tensor<?x64xf32, #kiln.dims<[M, 64]>>, %y: tensor<10x64xf32>) -> tensor<?x10xf32, #kiln.dims<[M, 10]>> attributes {kiln.dims = {M = array<i64: 1, 8>}} {
  %0 = kiln.matmul %x, %y {transpose_b} : (tensor<?x64xf32, #kiln.dims<[M, 64]>>, tensor<10x64xf32>) -> tensor<?x10xf32, #kiln.dims<[M, 10]>>
  return %0 : tensor<?x10xf32, #kiln.dims<[M, 10]>>
}

// CHECK-LABEL: func.func @left
// CHECK-NOT: kiln.permute
// CHECK: return
func.func @left(%x: tensor<1x64xf32>, %y: tensor<10x64xf32>, %z: tensor<16x64xf32>) -> (tensor<1x10xf32>, tensor<16x10xf32>) {
  %w = kiln.get @w : tensor<10x64xf32>
  %0 = kiln.matmul %x, %y {transpose_b} : (tensor<1x64xf32>, tensor<10x64xf32>) -> tensor<1x10xf32>
  %1 = kiln.matmul %z, %w {transpose_b} : (tensor<16x64xf32>, tensor<10x64xf32>) -> tensor<16x10xf32>
  return %0, %1 : tensor<1x10xf32>, tensor<16x10xf32>
}

// What a loop only reads is transposed in front of it.
// CHECK-LABEL: func.func @loop
// CHECK: kiln.permute %arg1 {axes = array<i64: 1, 0>}
// CHECK: kiln.scan
// CHECK-NOT: kiln.permute
// CHECK: return
func.func @loop(%x: tensor<3x16x64xf32>, %y: tensor<64x64xf32>, %c: tensor<16x64xf32>) -> tensor<16x64xf32> {
  %0 = kiln.scan sequences(%x) carries(%c) : (tensor<3x16x64xf32>, tensor<16x64xf32>) -> tensor<16x64xf32> {
  ^bb0(%e: tensor<16x64xf32>, %d: tensor<16x64xf32>):
    %1 = kiln.matmul %d, %y {transpose_b} : (tensor<16x64xf32>, tensor<64x64xf32>) -> tensor<16x64xf32>
    %2 = kiln.add %1, %e : (tensor<16x64xf32>, tensor<16x64xf32>) -> tensor<16x64xf32>
    kiln.yield %2 : tensor<16x64xf32>
  }
  return %0 : tensor<16x64xf32>
}
