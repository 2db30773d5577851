// What the verifiers of borders and resized images refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// pad-c2
// CHECK: error: {{.*}}'pad' expected the mode constant with a value, or reflect, replicate or circular without one, got 'edge'
func.func @f(%x: tensor<3xf32>) {
  %0 = kiln.pad %x {padding = #kiln.dims<[1, 1]>, value = 0.0 : f64, mode = "edge"} : (tensor<3xf32>) -> tensor<5xf32>
  return
}

// -----

// CHECK: error: {{.*}}'pad' expected the mode constant with a value, or reflect, replicate or circular without one, got 'reflect' and 1{{$}}
func.func @f(%x: tensor<3xf32>) {
  %0 = kiln.pad %x {padding = #kiln.dims<[1, 1]>, value = 1.0 : f64, mode = "reflect"} : (tensor<3xf32>) -> tensor<5xf32>
  return
}

// -----

// pad-c3
// CHECK: error: {{.*}}'pad' cannot continue f32[3] by 'reflect': the border behind dimension 0: expected at most 2, got 3
func.func @f(%x: tensor<3xf32>) {
  %0 = kiln.pad %x {padding = #kiln.dims<[0, 3]>, value = 0.0 : f64, mode = "reflect"} : (tensor<3xf32>) -> tensor<6xf32>
  return
}

// -----

// pad-c3
// CHECK: error: {{.*}}'pad' cannot continue f32[0] by 'replicate': the extent of dimension 0: expected at least 1, got 0
func.func @f(%x: tensor<0xf32>) {
  %0 = kiln.pad %x {padding = #kiln.dims<[0, 3]>, value = 0.0 : f64, mode = "replicate"} : (tensor<0xf32>) -> tensor<3xf32>
  return
}

// -----

// interpolate-c1
// CHECK: error: {{.*}}'interpolate' expected an image of three to five dimensions, got f32[2, 3]
func.func @f(%x: tensor<2x3xf32>) {
  %0 = kiln.interpolate %x {size = #kiln.dims<[3]>, scale_factor = array<f64>, mode = "nearest", align_corners = false} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// interpolate-c2
// CHECK: error: {{.*}}'interpolate' expected either size or scale_factor, one or two for f32[1, 2, 3, 4], got 1 and 1
func.func @f(%x: tensor<1x2x3x4xf32>) {
  %0 = kiln.interpolate %x {size = #kiln.dims<[3]>, scale_factor = array<f64: 2.0>, mode = "nearest", align_corners = false} : (tensor<1x2x3x4xf32>) -> tensor<1x2x3x3xf32>
  return
}

// -----

// interpolate-c3
// CHECK: error: {{.*}}'interpolate' expected factors that are fractions of positive integers below 2^20, got
func.func @f(%x: tensor<1x2x3xf32>) {
  %0 = kiln.interpolate %x {size = #kiln.dims<[]>, scale_factor = array<f64: -0.5>, mode = "nearest", align_corners = false} : (tensor<1x2x3xf32>) -> tensor<1x2x3xf32>
  return
}

// -----

// interpolate-c4
// CHECK: error: {{.*}}'interpolate' expected a mode of one spatial dimension, got 'bilinear'
func.func @f(%x: tensor<1x2x3xf32>) {
  %0 = kiln.interpolate %x {size = #kiln.dims<[6]>, scale_factor = array<f64>, mode = "bilinear", align_corners = false} : (tensor<1x2x3xf32>) -> tensor<1x2x6xf32>
  return
}

// -----

// interpolate-c5
// CHECK: error: {{.*}}'interpolate' expected no align_corners for the nearest element
func.func @f(%x: tensor<1x2x3xf32>) {
  %0 = kiln.interpolate %x {size = #kiln.dims<[6]>, scale_factor = array<f64>, mode = "nearest", align_corners = true} : (tensor<1x2x3xf32>) -> tensor<1x2x6xf32>
  return
}

// -----

// interpolate-c6
// CHECK: error: {{.*}}'interpolate' expected extents of at least 1, got f32[1, 2, 3] and a length of 0
func.func @f(%x: tensor<1x2x3xf32>) {
  %0 = kiln.interpolate %x {size = #kiln.dims<[]>, scale_factor = array<f64: 0.25>, mode = "nearest", align_corners = false} : (tensor<1x2x3xf32>) -> tensor<1x2x0xf32>
  return
}
