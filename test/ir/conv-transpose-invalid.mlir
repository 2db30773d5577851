// What the verifiers of transposed convolutions refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// conv_transpose-c1
// CHECK: error: {{.*}}'conv_transpose1d' expected an image and a weight of three dimensions and one float type, got f32[1, 3, 8] and f32[3, 4]
func.func @f(%x: tensor<1x3x8xf32>, %w: tensor<3x4xf32>) {
  %0 = kiln.conv_transpose1d %x, %w {stride = array<i64: 1>, padding = #kiln.dims<[0, 0]>, output_padding = array<i64: 0>, dilation = array<i64: 1>, groups = 1 : i64} : (tensor<1x3x8xf32>, tensor<3x4xf32>) -> tensor<1x4x8xf32>
  return
}

// -----

// conv_transpose-c2
// CHECK: error: {{.*}}'conv_transpose1d' expected 3 channels in 2 group(s), got the weight f32[3, 4, 2] for the image f32[1, 3, 8]
func.func @f(%x: tensor<1x3x8xf32>, %w: tensor<3x4x2xf32>) {
  %0 = kiln.conv_transpose1d %x, %w {stride = array<i64: 1>, padding = #kiln.dims<[0, 0]>, output_padding = array<i64: 0>, dilation = array<i64: 1>, groups = 2 : i64} : (tensor<1x3x8xf32>, tensor<3x4x2xf32>) -> tensor<1x8x9xf32>
  return
}

// -----

// conv_transpose-c2
// CHECK: error: {{.*}}'conv_transpose1d' expected 3 channels in 1 group(s), got the weight f32[4, 4, 2] for the image f32[1, 3, 8]
func.func @f(%x: tensor<1x3x8xf32>, %w: tensor<4x4x2xf32>) {
  %0 = kiln.conv_transpose1d %x, %w {stride = array<i64: 1>, padding = #kiln.dims<[0, 0]>, output_padding = array<i64: 0>, dilation = array<i64: 1>, groups = 1 : i64} : (tensor<1x3x8xf32>, tensor<4x4x2xf32>) -> tensor<1x4x9xf32>
  return
}

// -----

// conv_transpose-c3
// CHECK: error: {{.*}}'conv_transpose1d' expected one positive stride and dilation, an output padding below the larger of them, and two paddings of at least 0
func.func @f(%x: tensor<1x3x8xf32>, %w: tensor<3x4x2xf32>) {
  %0 = kiln.conv_transpose1d %x, %w {stride = array<i64: 2>, padding = #kiln.dims<[0, 0]>, output_padding = array<i64: 2>, dilation = array<i64: 1>, groups = 1 : i64} : (tensor<1x3x8xf32>, tensor<3x4x2xf32>) -> tensor<1x4x18xf32>
  return
}

// -----

// conv_transpose-c3
// CHECK: error: {{.*}}'conv_transpose2d' expected two positive strides and dilations, output paddings below the larger of them, and four paddings of at least 0
func.func @f(%x: tensor<1x3x8x8xf32>, %w: tensor<3x4x2x2xf32>) {
  %0 = kiln.conv_transpose2d %x, %w {stride = array<i64: 2, 2>, padding = #kiln.dims<[0, -1, 0, 0]>, output_padding = array<i64: 0, 0>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<3x4x2x2xf32>) -> tensor<1x4x17x16xf32>
  return
}

// -----

// conv_transpose-c4
// CHECK: error: {{.*}}'conv_transpose1d' expected an image and a result with elements, got f32[3, 4, 2] on f32[1, 3, 2]
func.func @f(%x: tensor<1x3x2xf32>, %w: tensor<3x4x2xf32>) {
  %0 = kiln.conv_transpose1d %x, %w {stride = array<i64: 1>, padding = #kiln.dims<[2, 2]>, output_padding = array<i64: 0>, dilation = array<i64: 1>, groups = 1 : i64} : (tensor<1x3x2xf32>, tensor<3x4x2xf32>) -> tensor<1x4x0xf32>
  return
}

// -----

// conv_transpose-c4
// CHECK: error: {{.*}}'conv_transpose3d' expected an image and a result with elements, got f32[3, 4, 2, 2, 2] on f32[1, 3, 2, 0, 2]
func.func @f(%x: tensor<1x3x2x0x2xf32>, %w: tensor<3x4x2x2x2xf32>) {
  %0 = kiln.conv_transpose3d %x, %w {stride = array<i64: 1, 1, 1>, padding = #kiln.dims<[0, 0, 0, 0, 0, 0]>, output_padding = array<i64: 0, 0, 0>, dilation = array<i64: 1, 1, 1>, groups = 1 : i64} : (tensor<1x3x2x0x2xf32>, tensor<3x4x2x2x2xf32>) -> tensor<1x4x3x1x3xf32>
  return
}

// -----

// conv_transpose-c5
// CHECK: error: {{.*}}'conv_transpose1d' expected a bias of 4 elements, got f32[3]
func.func @f(%x: tensor<1x3x8xf32>, %w: tensor<3x4x2xf32>, %b: tensor<3xf32>) {
  %0 = kiln.conv_transpose1d %x, %w, %b {stride = array<i64: 1>, padding = #kiln.dims<[0, 0]>, output_padding = array<i64: 0>, dilation = array<i64: 1>, groups = 1 : i64} : (tensor<1x3x8xf32>, tensor<3x4x2xf32>, tensor<3xf32>) -> tensor<1x4x9xf32>
  return
}
