// RUN: kiln-opt %s --kiln-fuse | FileCheck %s
// RUN: kiln-opt %s --kiln-outline | FileCheck %s --check-prefix=OUTLINE
// RUN: kiln-opt %s --kiln-fuse --remarks-filter=fuse 2>&1 | FileCheck %s --check-prefix=REMARK

kiln.weight @w : tensor<4x1x1x4xf32>
kiln.weight @b : tensor<4xf32>

// The activation behind an addition is part of the kernel of the convolution before it.
// CHECK: kiln.kernel private @[[CONV:k1_conv2d_add_relu]](%{{.*}}: tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>> {kiln.align = 64 : i64}, %{{.*}}: tensor<4x1x1x4xf32> {kiln.align = 64 : i64}
// CHECK-LABEL: func.func @blocks
// CHECK-COUNT-3: kiln.launch
// CHECK: return
// OUTLINE-LABEL: func.func @blocks
// OUTLINE-COUNT-8: kiln.launch
// OUTLINE: return
// REMARK-DAG: 'relu' joins the kernel of 'conv2d'
func.func @blocks(%i: tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>) -> tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>> attributes {kiln.dims = {N = array<i64: 0, 64>, M = array<i64: 0>}} {
  %w = kiln.get @w : tensor<4x1x1x4xf32>
  %x = kiln.exp %i : (tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>) -> tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>
  %c = kiln.conv2d %x, %w {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64, channels_last} : (tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>, tensor<4x1x1x4xf32>) -> tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>
  %s = kiln.add %c, %x : (tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>, tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>) -> tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>
  %r = kiln.relu %s : (tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>) -> tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>
  %c2 = kiln.conv2d %r, %w {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64, channels_last} : (tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>, tensor<4x1x1x4xf32>) -> tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>
  %s2 = kiln.add %c2, %r : (tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>, tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>) -> tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>
  %r2 = kiln.relu %s2 : (tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>) -> tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>
  %v = kiln.exp %r2 : (tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>) -> tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>
  return %v : tensor<?x8x8x4xf32, #kiln.dims<[N, 8, 8, 4]>>
}

// On a device arguments and results of calls are copies that begin as values of the arena do; slices of a loop's sequences, and what it stacks, do not.
// RUN: kiln-opt %s --kiln-fuse="devices=true" | FileCheck %s --check-prefix=DEVICE
// CHECK: kiln.kernel private @{{.*}}_cos(%{{.*}}: tensor<3xf32>) -> tensor<3xf32> {
// CHECK: kiln.kernel private @{{.*}}_exp(%{{.*}}: tensor<6x3xf32>) -> tensor<6x3xf32> {
// DEVICE: kiln.kernel private @{{.*}}_cos(%{{.*}}: tensor<3xf32>) -> tensor<3xf32> {
// DEVICE: kiln.kernel private @{{.*}}_exp(%{{.*}}: tensor<6x3xf32> {kiln.align = 64 : i64}) -> (tensor<6x3xf32> {kiln.align = 64 : i64}) {
func.func @slices(%x: tensor<6x3xf32>) -> (tensor<6x3xf32>, tensor<6x3xf32>) {
  %0 = kiln.exp %x : (tensor<6x3xf32>) -> tensor<6x3xf32>
  %1 = kiln.scan sequences(%0) carries() : (tensor<6x3xf32>) -> tensor<6x3xf32> {
  ^bb0(%xt: tensor<3xf32>):
    %2 = kiln.cos %xt : (tensor<3xf32>) -> tensor<3xf32>
    kiln.yield %2 : tensor<3xf32>
  }
  return %0, %1 : tensor<6x3xf32>, tensor<6x3xf32>
}
