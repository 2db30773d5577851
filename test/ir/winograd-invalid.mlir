// What the verifier of winograd_filter refuses.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// CHECK: error: 'kiln.winograd_filter' op expected f32[O, 4, 4, C] or f32[O, 6, 6, C] for f32[O, 3, 3, C]
func.func @f(%x: tensor<16x5x5x32xf32>) {
  %0 = kiln.winograd_filter %x : (tensor<16x5x5x32xf32>) -> tensor<16x3x3x32xf32>
  return
}

// -----

// CHECK: error: 'kiln.winograd_filter' op expected f32[O, 4, 4, C] or f32[O, 6, 6, C] for f32[O, 3, 3, C]
func.func @f(%x: tensor<16x4x4x32xf16>) {
  %0 = kiln.winograd_filter %x : (tensor<16x4x4x32xf16>) -> tensor<16x3x3x32xf16>
  return
}

// -----

// CHECK: error: 'kiln.winograd_filter' op expected f32[O, 4, 4, C] or f32[O, 6, 6, C] for f32[O, 3, 3, C]
func.func @f(%x: tensor<16x6x6x32xf32>) {
  %0 = kiln.winograd_filter %x : (tensor<16x6x6x32xf32>) -> tensor<16x3x3x16xf32>
  return
}
