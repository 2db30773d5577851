// RUN: %kiln-opt %s --kiln-decompose | FileCheck %s

kiln.weight @w : tensor<4x3x3x3xf32>
kiln.weight @b : tensor<4xf32>
kiln.weight @mean : tensor<4xf32>
kiln.weight @var : tensor<4xf32>

// CHECK-LABEL: func.func @norm_into_convolution
// CHECK: %[[SCALE:.*]] = kiln.rsqrt
// CHECK: %[[W:.*]] = kiln.mul %{{.*}}, %{{.*}} : (tensor<4x3x3x3xf32>, tensor<4x3x3x3xf32>)
// CHECK: %[[Y:.*]] = kiln.conv2d %{{.*}}, %[[W]], %{{.*}} {
// CHECK-NEXT: return %[[Y]]
func.func @norm_into_convolution(%x: tensor<1x3x8x8xf32>) -> tensor<1x4x6x6xf32> {
  %w = kiln.get @w : tensor<4x3x3x3xf32>
  %b = kiln.get @b : tensor<4xf32>
  %m = kiln.get @mean : tensor<4xf32>
  %v = kiln.get @var : tensor<4xf32>
  %c = kiln.conv2d %x, %w, %b {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<1x4x6x6xf32>
  %y = kiln.batch_norm %c, %m, %v {eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (tensor<1x4x6x6xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x6x6xf32>
  return %y : tensor<1x4x6x6xf32>
}

// A value computed at run time loses the mean first: less cancels than in a multiply and an add.
// CHECK-LABEL: func.func @norm_alone
// CHECK: kiln.reshape %arg1 {shape = #kiln.dims<[1, 4]>}
// CHECK: %[[MEAN:.*]] = kiln.broadcast_to
// CHECK: %[[C:.*]] = kiln.sub %arg0, %[[MEAN]]
// CHECK: %[[M:.*]] = kiln.mul %[[C]]
func.func @norm_alone(%x: tensor<?x4xf32, #kiln.dims<[N, 4]>>, %m: tensor<4xf32>, %v: tensor<4xf32>) -> tensor<?x4xf32, #kiln.dims<[N, 4]>> attributes {kiln.dims = {N = array<i64: 0, 64>}} {
  %y = kiln.batch_norm %x, %m, %v {eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (tensor<?x4xf32, #kiln.dims<[N, 4]>>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32, #kiln.dims<[N, 4]>>
  return %y : tensor<?x4xf32, #kiln.dims<[N, 4]>>
}

// CHECK-LABEL: func.func @mean_of_named_extent
// CHECK: kiln.sum %arg0 {axis = array<i64: 0>, keepdims = true}
// CHECK: kiln.extent {value = #kiln.dims<[N]>}
// CHECK: kiln.div
func.func @mean_of_named_extent(%x: tensor<?x4xf32, #kiln.dims<[N, 4]>>) -> tensor<4xf32> attributes {kiln.dims = {N = array<i64: 1, 64>}} {
  %y = kiln.mean %x {axis = array<i64: 0>, keepdims = false} : (tensor<?x4xf32, #kiln.dims<[N, 4]>>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// Sums of short floats are taken in f32.
// CHECK-LABEL: func.func @short_mean
// CHECK: kiln.sum %{{.*}} : (tensor<2x8xf32>)
// CHECK: kiln.cast %{{.*}} {dtype = f16}
func.func @short_mean(%x: tensor<2x8xf16>) -> tensor<2x1xf16> {
  %y = kiln.mean %x {axis = array<i64: 1>, keepdims = true} : (tensor<2x8xf16>) -> tensor<2x1xf16>
  return %y : tensor<2x1xf16>
}

// CHECK-LABEL: func.func @adaptive
// CHECK: kiln.sum %arg0 {axis = array<i64: 2, 3>, keepdims = true}
// CHECK: kiln.avg_pool2d %arg0 {{.*}}kernel_size = array<i64: 2, 3>
// CHECK-NOT: adaptive
func.func @adaptive(%x: tensor<1x2x6x6xf32>) -> (tensor<1x2x1x1xf32>, tensor<1x2x3x2xf32>, tensor<1x2x6x6xf32>, tensor<1x2x4x6xf32>) {
  %a = kiln.adaptive_avg_pool2d %x {output_size = array<i64: 1, 1>} : (tensor<1x2x6x6xf32>) -> tensor<1x2x1x1xf32>
  %b = kiln.adaptive_avg_pool2d %x {output_size = array<i64: 3, 2>} : (tensor<1x2x6x6xf32>) -> tensor<1x2x3x2xf32>
  %c = kiln.adaptive_avg_pool2d %x {output_size = array<i64: 6, 6>} : (tensor<1x2x6x6xf32>) -> tensor<1x2x6x6xf32>
  %d = kiln.adaptive_avg_pool2d %x {output_size = array<i64: 4, 6>} : (tensor<1x2x6x6xf32>) -> tensor<1x2x4x6xf32>
  // CHECK: return %{{.*}}, %{{.*}}, %arg0, %{{.*}}
  return %a, %b, %c, %d : tensor<1x2x1x1xf32>, tensor<1x2x3x2xf32>, tensor<1x2x6x6xf32>, tensor<1x2x4x6xf32>
}

// CHECK-LABEL: func.func @definitions
// CHECK-NOT: kiln.var
// CHECK-NOT: kiln.logsumexp
// CHECK: kiln.where
func.func @definitions(%x: tensor<2x8xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %a = kiln.var %x {axis = array<i64: 1>, keepdims = false} : (tensor<2x8xf32>) -> tensor<2xf32>
  %b = kiln.logsumexp %x {axis = array<i64: 1>, keepdims = false} : (tensor<2x8xf32>) -> tensor<2xf32>
  return %a, %b : tensor<2xf32>, tensor<2xf32>
}
