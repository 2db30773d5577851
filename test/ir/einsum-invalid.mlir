// What the verifiers of einsum, random numbers and prelu refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// einsum-c1
// CHECK: error: {{.*}}'einsum' expected an equation for f32[2, 3], got "i1"
func.func @f(%a: tensor<2x3xf32>) {
  %0 = kiln.einsum %a {equation = "i1"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// einsum-c1
// CHECK: error: {{.*}}'einsum' expected an equation for f32[2, 3], got "ij->i->j"
func.func @f(%a: tensor<2x3xf32>) {
  %0 = kiln.einsum %a {equation = "ij->i->j"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// einsum-c2
// CHECK: error: {{.*}}'einsum' expected an equation for f32[2, 3], got "ijk"
func.func @f(%a: tensor<2x3xf32>) {
  %0 = kiln.einsum %a {equation = "ijk"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// einsum-c2
// CHECK: error: {{.*}}'einsum' expected an equation for f32[2, 3], got "ij,jk"
func.func @f(%a: tensor<2x3xf32>) {
  %0 = kiln.einsum %a {equation = "ij,jk"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// einsum-c2
// CHECK: error: {{.*}}'einsum' expected numbers of one type, got f32[2], f64[2]
func.func @f(%a: tensor<2xf32>, %b: tensor<2xf64>) {
  %0 = kiln.einsum %a, %b {equation = "i,i"} : (tensor<2xf32>, tensor<2xf64>) -> tensor<f32>
  return
}

// -----

// einsum-c3
// CHECK: error: {{.*}}'einsum' expected equal extents of equal letters in "i,i", got '3' and '2'
func.func @f(%a: tensor<2xf32>, %b: tensor<3xf32>) {
  %0 = kiln.einsum %a, %b {equation = "i,i"} : (tensor<2xf32>, tensor<3xf32>) -> tensor<f32>
  return
}

// -----

// einsum-c3
// CHECK: error: {{.*}}'einsum' expected equal extents of equal letters in "ii", got '1' and '2'
func.func @f(%a: tensor<2x1xf32>) {
  %0 = kiln.einsum %a {equation = "ii"} : (tensor<2x1xf32>) -> tensor<f32>
  return
}

// -----

// einsum-c4
// CHECK: error: {{.*}}'einsum' expected different letters of operands in the result of "ij->ii"
func.func @f(%a: tensor<2x3xf32>) {
  %0 = kiln.einsum %a {equation = "ij->ii"} : (tensor<2x3xf32>) -> tensor<2x2xf32>
  return
}

// -----

// einsum-c4
// CHECK: error: {{.*}}'einsum' expected different letters of operands in the result of "ij->k"
func.func @f(%a: tensor<2x3xf32>) {
  %0 = kiln.einsum %a {equation = "ij->k"} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

// random-c1
// CHECK: error: {{.*}}'random.uniform' expected extents of at least 0, got -1
func.func @f(%s: tensor<i64>) {
  %0 = kiln.random.uniform %s {shape = #kiln.dims<[-1]>} : (tensor<i64>) -> tensor<1xf32>
  return
}

// -----

// random-c2
// CHECK: error: {{.*}}'random.normal' expected an integer scalar as the seed, got f32
func.func @f(%s: tensor<f32>) {
  %0 = kiln.random.normal %s {shape = #kiln.dims<[1]>} : (tensor<f32>) -> tensor<1xf32>
  return
}

// -----

// prelu-c1
// CHECK: error: {{.*}}'prelu' expected a tensor of floats, got i32[4, 3]
func.func @f(%x: tensor<4x3xi32>, %w: tensor<3xi32>) {
  %0 = kiln.prelu %x, %w : (tensor<4x3xi32>, tensor<3xi32>) -> tensor<4x3xi32>
  return
}

// -----

// prelu-c2
// CHECK: error: {{.*}}'prelu' expected a weight for each channel of f32[4, 3] or one for all, got f32[4]
func.func @f(%x: tensor<4x3xf32>, %w: tensor<4xf32>) {
  %0 = kiln.prelu %x, %w : (tensor<4x3xf32>, tensor<4xf32>) -> tensor<4x3xf32>
  return
}
