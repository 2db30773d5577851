// What pixel_shuffle and pixel_unshuffle refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// pixel_shuffle-c1
// CHECK: error: {{.*}}'pixel_shuffle' expected at least three dimensions and a factor from 1 to 2^15, got f32[4, 3] and 2
func.func @f(%x: tensor<4x3xf32>) {
  %0 = kiln.pixel_shuffle %x {upscale_factor = 2 : i64} : (tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// pixel_shuffle-c2
// CHECK: error: {{.*}}'pixel_shuffle' expected channels in multiples of 4, got f32[6, 3, 3]
func.func @f(%x: tensor<6x3x3xf32>) {
  %0 = kiln.pixel_shuffle %x {upscale_factor = 2 : i64} : (tensor<6x3x3xf32>) -> tensor<1x6x6xf32>
  return
}

// -----

// pixel_unshuffle-c1
// CHECK: error: {{.*}}'pixel_unshuffle' expected at least three dimensions and a factor from 1 to 2^15, got f32[4, 3, 3] and 0
func.func @f(%x: tensor<4x3x3xf32>) {
  %0 = kiln.pixel_unshuffle %x {downscale_factor = 0 : i64} : (tensor<4x3x3xf32>) -> tensor<4x3x3xf32>
  return
}

// -----

// pixel_unshuffle-c2
// CHECK: error: {{.*}}'pixel_unshuffle' expected height and width in multiples of 2, got f32[4, 3, 2]
func.func @f(%x: tensor<4x3x2xf32>) {
  %0 = kiln.pixel_unshuffle %x {downscale_factor = 2 : i64} : (tensor<4x3x2xf32>) -> tensor<16x1x1xf32>
  return
}
