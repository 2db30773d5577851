// What the verifier of roi_align refuses, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// roi_align-c1
// CHECK: error: {{.*}}'roi_align' expected a tensor of floats, got i32[1, 4, 9, 8]
func.func @f(%x: tensor<1x4x9x8xi32>, %b: tensor<5x5xf32>) {
  %0 = kiln.roi_align %x, %b {output_size = array<i64: 2, 3>, spatial_scale = 0.5 : f64, sampling_ratio = 2 : i64, aligned = true} : (tensor<1x4x9x8xi32>, tensor<5x5xf32>) -> tensor<5x4x2x3xi32>
  return
}

// -----

// roi_align-c1
// CHECK: error: {{.*}}'roi_align' expected images of four dimensions, got f32[4, 9, 8]
func.func @f(%x: tensor<4x9x8xf32>, %b: tensor<5x5xf32>) {
  %0 = kiln.roi_align %x, %b {output_size = array<i64: 2, 3>, spatial_scale = 0.5 : f64, sampling_ratio = 2 : i64, aligned = true} : (tensor<4x9x8xf32>, tensor<5x5xf32>) -> tensor<5x4x2x3xf32>
  return
}

// -----

// roi_align-c2
// CHECK: error: {{.*}}'roi_align' expected boxes of floats [K, 5], got f32[5, 4]
func.func @f(%x: tensor<1x4x9x8xf32>, %b: tensor<5x4xf32>) {
  %0 = kiln.roi_align %x, %b {output_size = array<i64: 2, 3>, spatial_scale = 0.5 : f64, sampling_ratio = 2 : i64, aligned = true} : (tensor<1x4x9x8xf32>, tensor<5x4xf32>) -> tensor<5x4x2x3xf32>
  return
}

// -----

// roi_align-c2
// CHECK: error: {{.*}}'roi_align' expected boxes of floats [K, 5], got i64[5, 5]
func.func @f(%x: tensor<1x4x9x8xf32>, %b: tensor<5x5xi64>) {
  %0 = kiln.roi_align %x, %b {output_size = array<i64: 2, 3>, spatial_scale = 0.5 : f64, sampling_ratio = 2 : i64, aligned = true} : (tensor<1x4x9x8xf32>, tensor<5x5xi64>) -> tensor<5x4x2x3xf32>
  return
}

// -----

// roi_align-c3
// CHECK: error: {{.*}}'roi_align' expected an output_size of one or two numbers from 1 to 2^15
func.func @f(%x: tensor<1x4x9x8xf32>, %b: tensor<5x5xf32>) {
  %0 = kiln.roi_align %x, %b {output_size = array<i64: 2, 0>, spatial_scale = 0.5 : f64, sampling_ratio = 2 : i64, aligned = true} : (tensor<1x4x9x8xf32>, tensor<5x5xf32>) -> tensor<5x4x2x0xf32>
  return
}

// -----

// roi_align-c4
// CHECK: error: {{.*}}'roi_align' expected a sampling_ratio from 1 to 2^15, got 0; samples whose number depends on the boxes are not there
func.func @f(%x: tensor<1x4x9x8xf32>, %b: tensor<5x5xf32>) {
  %0 = kiln.roi_align %x, %b {output_size = array<i64: 2, 3>, spatial_scale = 0.5 : f64, sampling_ratio = 0 : i64, aligned = true} : (tensor<1x4x9x8xf32>, tensor<5x5xf32>) -> tensor<5x4x2x3xf32>
  return
}

// -----

// roi_align-c5
// CHECK: error: {{.*}}'roi_align' expected a spatial_scale above 0, got 0
func.func @f(%x: tensor<1x4x9x8xf32>, %b: tensor<5x5xf32>) {
  %0 = kiln.roi_align %x, %b {output_size = array<i64: 2, 3>, spatial_scale = 0.0 : f64, sampling_ratio = 2 : i64, aligned = true} : (tensor<1x4x9x8xf32>, tensor<5x5xf32>) -> tensor<5x4x2x3xf32>
  return
}

// -----

// roi_align-c6
// CHECK: error: {{.*}}'roi_align' expected a height of at least 1, got f32[1, 4, 0, 8]
func.func @f(%x: tensor<1x4x0x8xf32>, %b: tensor<5x5xf32>) {
  %0 = kiln.roi_align %x, %b {output_size = array<i64: 2, 3>, spatial_scale = 0.5 : f64, sampling_ratio = 2 : i64, aligned = true} : (tensor<1x4x0x8xf32>, tensor<5x5xf32>) -> tensor<5x4x2x3xf32>
  return
}
