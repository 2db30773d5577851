// RUN: %kiln-opt %s --kiln-layout | FileCheck %s

kiln.weight @w1 : tensor<8x3x3x3xf32>
kiln.weight @w2 : tensor<8x8x3x3xf32>
kiln.weight @fc : tensor<10x128xf32>

// One transpose at the entry; none between, none in front of the product.
// CHECK-LABEL: func.func @chain
// CHECK: kiln.permute %arg0 {axes = array<i64: 0, 2, 3, 1>}
// CHECK: %[[A:.*]] = kiln.conv2d {{.*}}channels_last
// CHECK: %[[R:.*]] = kiln.relu %[[A]]
// CHECK: %[[B:.*]] = kiln.conv2d %[[R]], {{.*}}channels_last
// CHECK: %[[S:.*]] = kiln.add %[[B]], %[[R]]
// CHECK: %[[P:.*]] = kiln.max_pool2d %[[S]] {{.*}}channels_last
// CHECK: %[[F:.*]] = kiln.reshape %[[P]]
// CHECK: kiln.matmul %[[F]], %{{.*}} {transpose_b}
// CHECK-NOT: kiln.permute
func.func @chain(%x: tensor<?x3x8x8xf32, #kiln.dims<[N, 3, 8, 8]>>) -> tensor<?x10xf32, #kiln.dims<[N, 10]>> attributes {kiln.dims = {N = array<i64: 1, 8>}} {
  %w1 = kiln.get @w1 : tensor<8x3x3x3xf32>
  %w2 = kiln.get @w2 : tensor<8x8x3x3xf32>
  %fc = kiln.get @fc : tensor<10x128xf32>
  %a = kiln.conv2d %x, %w1 {stride = array<i64: 1, 1>, padding = #kiln.dims<[1, 1, 1, 1]>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<?x3x8x8xf32, #kiln.dims<[N, 3, 8, 8]>>, tensor<8x3x3x3xf32>) -> tensor<?x8x8x8xf32, #kiln.dims<[N, 8, 8, 8]>>
  %r = kiln.relu %a : (tensor<?x8x8x8xf32, #kiln.dims<[N, 8, 8, 8]>>) -> tensor<?x8x8x8xf32, #kiln.dims<[N, 8, 8, 8]>>
  %b = kiln.conv2d %r, %w2 {stride = array<i64: 1, 1>, padding = #kiln.dims<[1, 1, 1, 1]>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<?x8x8x8xf32, #kiln.dims<[N, 8, 8, 8]>>, tensor<8x8x3x3xf32>) -> tensor<?x8x8x8xf32, #kiln.dims<[N, 8, 8, 8]>>
  %s = kiln.add %b, %r : (tensor<?x8x8x8xf32, #kiln.dims<[N, 8, 8, 8]>>, tensor<?x8x8x8xf32, #kiln.dims<[N, 8, 8, 8]>>) -> tensor<?x8x8x8xf32, #kiln.dims<[N, 8, 8, 8]>>
  %p = kiln.max_pool2d %s {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, ceil_mode = false} : (tensor<?x8x8x8xf32, #kiln.dims<[N, 8, 8, 8]>>) -> tensor<?x8x4x4xf32, #kiln.dims<[N, 8, 4, 4]>>
  %f = kiln.reshape %p {shape = #kiln.dims<[N, 128]>} : (tensor<?x8x4x4xf32, #kiln.dims<[N, 8, 4, 4]>>) -> tensor<?x128xf32, #kiln.dims<[N, 128]>>
  %y = kiln.matmul %f, %fc {transpose_b} : (tensor<?x128xf32, #kiln.dims<[N, 128]>>, tensor<10x128xf32>) -> tensor<?x10xf32, #kiln.dims<[N, 10]>>
  return %y : tensor<?x10xf32, #kiln.dims<[N, 10]>>
}
