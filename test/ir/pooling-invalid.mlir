// What the verifiers of pools refuse, case by case; each names its constraint.
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

// adaptive_avg_pool2d-c1
// CHECK: error: {{.*}}'adaptive_max_pool3d' expected an image of numbers of five dimensions, got f32[1, 3, 8, 8]
func.func @f(%x: tensor<1x3x8x8xf32>) {
  %0 = kiln.adaptive_max_pool3d %x {output_size = array<i64: 1, 1, 1>} : (tensor<1x3x8x8xf32>) -> tensor<1x1x1x1xf32>
  return
}

// -----

// adaptive_avg_pool2d-c2
// CHECK: error: {{.*}}'adaptive_max_pool1d' expected one positive output size{{$}}
func.func @f(%x: tensor<1x3x8xf32>) {
  %0 = kiln.adaptive_max_pool1d %x {output_size = array<i64: 0>} : (tensor<1x3x8xf32>) -> tensor<1x3x0xf32>
  return
}

// -----

// adaptive_avg_pool2d-c3
// CHECK: error: {{.*}}'adaptive_avg_pool1d' expected an image with elements, got f32[1, 3, 0]
func.func @f(%x: tensor<1x3x0xf32>) {
  %0 = kiln.adaptive_avg_pool1d %x {output_size = array<i64: 2>} : (tensor<1x3x0xf32>) -> tensor<1x3x2xf32>
  return
}

// -----

// pool2d-c1
// CHECK: error: {{.*}}'avg_pool1d' expected an image of three dimensions, got f32[8, 8]
func.func @f(%x: tensor<8x8xf32>) {
  %0 = kiln.avg_pool1d %x {kernel_size = array<i64: 2>, stride = array<i64: 2>, padding = #kiln.dims<[0, 0]>, count_include_pad = true, ceil_mode = false} : (tensor<8x8xf32>) -> tensor<8x4xf32>
  return
}

// -----

// pool2d-c3
// CHECK: error: {{.*}}'max_pool3d' expected a window within the padded image, got window 4 on f32[1, 1, 8, 3, 8]
func.func @f(%x: tensor<1x1x8x3x8xf32>) {
  %0 = kiln.max_pool3d %x {kernel_size = array<i64: 2, 4, 2>, stride = array<i64: 2, 2, 2>, padding = #kiln.dims<[0, 0, 0, 0, 0, 0]>, dilation = array<i64: 1, 1, 1>, ceil_mode = false} : (tensor<1x1x8x3x8xf32>) -> tensor<1x1x4x1x4xf32>
  return
}
