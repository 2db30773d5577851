// What the verifiers of the reduction ops refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// pool2d-c1
// CHECK: error: {{.*}}'max_pool2d' expected an image of four dimensions, got f32[8, 8]
func.func @f(%x: tensor<8x8xf32>) {
  %0 = kiln.max_pool2d %x {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, ceil_mode = false} : (tensor<8x8xf32>) -> tensor<4x4xf32>
  return
}

// -----

// pool2d-c2
// CHECK: error: {{.*}}'max_pool2d' expected a positive window and stride and a padding of at most half the window, got window 2, stride 2, padding 2 and 0
func.func @f(%x: tensor<1x3x8x8xf32>) {
  %0 = kiln.max_pool2d %x {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>, padding = #kiln.dims<[2, 0, 0, 0]>, dilation = array<i64: 1, 1>, ceil_mode = false} : (tensor<1x3x8x8xf32>) -> tensor<1x3x5x4xf32>
  return
}

// -----

// pool2d-c3
// CHECK: error: {{.*}}'max_pool2d' expected a window within the padded image, got window 9 on f32[1, 3, 8, 8]
func.func @f(%x: tensor<1x3x8x8xf32>) {
  %0 = kiln.max_pool2d %x {kernel_size = array<i64: 9, 9>, stride = array<i64: 2, 2>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, ceil_mode = false} : (tensor<1x3x8x8xf32>) -> tensor<1x3x1x1xf32>
  return
}

// -----

// adaptive_avg_pool2d-c1
// CHECK: error: {{.*}}'adaptive_avg_pool2d' expected a float image of four dimensions, got i32[1, 3, 8, 8]
func.func @f(%x: tensor<1x3x8x8xi32>) {
  %0 = kiln.adaptive_avg_pool2d %x {output_size = array<i64: 1, 1>} : (tensor<1x3x8x8xi32>) -> tensor<1x3x1x1xi32>
  return
}

// -----

// adaptive_avg_pool2d-c2
// CHECK: error: {{.*}}'adaptive_avg_pool2d' expected two positive output sizes
func.func @f(%x: tensor<1x3x8x8xf32>) {
  %0 = kiln.adaptive_avg_pool2d %x {output_size = array<i64: 0, 1>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x0x1xf32>
  return
}

// -----

// reduction-c1
// CHECK: error: {{.*}}'sum' expected different axes from 0 to 1, got 2
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.sum %x {axis = array<i64: 2>, keepdims = false} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

// reduction-c2
// CHECK: error: {{.*}}'mean' expected a tensor of floats, got i64[2, 3]
func.func @f(%x: tensor<2x3xi64>) {
  %0 = kiln.mean %x {axis = array<i64: 1>, keepdims = false} : (tensor<2x3xi64>) -> tensor<2xi64>
  return
}

// -----

// argreduction-c1
// CHECK: error: {{.*}}'argmax' expected at least one element along axis 1, got f32[2, 0]
func.func @f(%x: tensor<2x0xf32>) {
  %0 = kiln.argmax %x {axis = 1 : i64, keepdims = false} : (tensor<2x0xf32>) -> tensor<2xi64>
  return
}

// -----

// reduction-c3
// CHECK: error: {{.*}}'max' expected at least one element along axis 1, got f32[2, 0]
func.func @f(%x: tensor<2x0xf32>) {
  %0 = kiln.max %x {axis = array<i64: 1>, keepdims = false} : (tensor<2x0xf32>) -> tensor<2xf32>
  return
}

// -----

// softmax-c1
// CHECK: error: {{.*}}'softmax' expected a tensor of floats, got i64[2, 3]
func.func @f(%x: tensor<2x3xi64>) {
  %0 = kiln.softmax %x {axis = 1 : i64} : (tensor<2x3xi64>) -> tensor<2x3xi64>
  return
}

// -----

// softmax-c2
// CHECK: error: {{.*}}'softmax' expected an axis from 0 to 1, got 2
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.softmax %x {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}
