// What the verifiers of the structure ops refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// constant-c1
// CHECK: error: {{.*}}expected at most 4096 bytes, got 4100
func.func @f() {
  %0 = kiln.constant dense<1.0> : tensor<1025xf32>
  return
}

// -----

// pack-c1
// CHECK: error: {{.*}}expected constant extents in at least two dimensions, got f32[8]
func.func @f(%x: tensor<8xf32>) {
  %0 = kiln.pack %x : tensor<8xf32> -> tensor<1x16xf32>
  return
}

// -----

// pack-c1, wrong panels
// CHECK: error: {{.*}}expected panels of 16, got f32[2, 3, 16] for f32[8, 3]
func.func @f(%x: tensor<8x3xf32>) {
  %0 = kiln.pack %x : tensor<8x3xf32> -> tensor<2x3x16xf32>
  return
}

// -----

// weight-c1
// CHECK: error: {{.*}}expected constant extents, got f32[N]
kiln.weight @w : tensor<?xf32, #kiln.dims<[N]>>

// -----

// get-c1
// CHECK: error: {{.*}}expected 'w' to be a weight of type f32[3]
kiln.weight @w : tensor<2xf32>
func.func @f() {
  %0 = kiln.get @w : tensor<3xf32>
  return
}

// -----

// kernel-c1
// CHECK: error: {{.*}}expected kiln.return of the results' types
kiln.kernel @k(%x: tensor<2xf32>) -> tensor<3xf32> {
  kiln.return %x : tensor<2xf32>
}

// -----

// launch-c1
// CHECK: error: {{.*}}expected 'k' to be a kernel of these operands and results
kiln.kernel @k(%x: tensor<2xf32>) -> tensor<2xf32> {
  kiln.return %x : tensor<2xf32>
}
func.func @f(%x: tensor<3xf32>) {
  %0 = kiln.launch @k(%x) : (tensor<3xf32>) -> tensor<3xf32>
  return
}
