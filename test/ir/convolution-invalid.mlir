// What the verifiers of convolutions refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// conv2d-c1
// CHECK: error: {{.*}}'conv2d' expected an image and a weight of four dimensions and one float type, got f32[3, 8, 8] and f32[4, 3, 3, 3]
func.func @f(%x: tensor<3x8x8xf32>, %w: tensor<4x3x3x3xf32>) {
  %0 = kiln.conv2d %x, %w {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x6x6xf32>
  return
}

// -----

// conv2d-c2
// CHECK: error: {{.*}}'conv2d' expected 3 channels in 1 group(s), got the weight f32[4, 2, 3, 3] for the image f32[1, 3, 8, 8]
func.func @f(%x: tensor<1x3x8x8xf32>, %w: tensor<4x2x3x3xf32>) {
  %0 = kiln.conv2d %x, %w {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x6x6xf32>
  return
}

// -----

// conv2d-c3
// CHECK: error: {{.*}}'conv2d' expected two positive strides and dilations and four paddings of at least 0
func.func @f(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) {
  %0 = kiln.conv2d %x, %w {stride = array<i64: 0, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x6x6xf32>
  return
}

// -----

// conv2d-c4
// CHECK: error: {{.*}}'conv2d' expected a kernel within the padded image, got f32[4, 3, 9, 9] on f32[1, 3, 8, 8]
func.func @f(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x9x9xf32>) {
  %0 = kiln.conv2d %x, %w {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<4x3x9x9xf32>) -> tensor<1x4x6x6xf32>
  return
}

// -----

// conv2d-c5
// CHECK: error: {{.*}}'conv2d' expected a bias of 4 elements, got f32[5]
func.func @f(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %b: tensor<5xf32>) {
  %0 = kiln.conv2d %x, %w, %b {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<5xf32>) -> tensor<1x4x6x6xf32>
  return
}

// -----

// conv2d-c1
// CHECK: error: {{.*}}'conv1d' expected an image and a weight of three dimensions and one float type, got f32[1, 3, 8, 8] and f32[4, 3, 3]
func.func @f(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3xf32>) {
  %0 = kiln.conv1d %x, %w {stride = array<i64: 1>, padding = #kiln.dims<[0, 0]>, dilation = array<i64: 1>, groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<4x3x3xf32>) -> tensor<1x4x6xf32>
  return
}

// -----

// conv2d-c4
// CHECK: error: {{.*}}'conv3d' expected a kernel within the padded image, got f32[4, 3, 5, 3, 3] on f32[1, 3, 2, 8, 8]
func.func @f(%x: tensor<1x3x2x8x8xf32>, %w: tensor<4x3x5x3x3xf32>) {
  %0 = kiln.conv3d %x, %w {stride = array<i64: 1, 1, 1>, padding = #kiln.dims<[1, 1, 0, 0, 0, 0]>, dilation = array<i64: 1, 1, 1>, groups = 1 : i64} : (tensor<1x3x2x8x8xf32>, tensor<4x3x5x3x3xf32>) -> tensor<1x4x1x6x6xf32>
  return
}
