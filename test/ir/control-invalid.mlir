// What the verifiers of loops, branches and states refuse; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// while-c1
// CHECK: error: 'kiln.while' op expected the limit to be an i64 without dimensions, got f32
func.func @f(%a: tensor<f32>, %c: tensor<i1>) {
  kiln.while limit(%a) : (tensor<f32>) -> () {
    kiln.yield %c : tensor<i1>
  } do {
    kiln.yield
  }
  return
}

// -----

// while-c2
// CHECK: error: 'kiln.while' op arguments of a region: expected f32, got nothing
func.func @f(%n: tensor<i64>, %a: tensor<f32>, %c: tensor<i1>) {
  %0 = kiln.while limit(%n) carries(%a) : (tensor<i64>, tensor<f32>) -> tensor<f32> {
    kiln.yield %c : tensor<i1>
  } do {
    kiln.yield %a : tensor<f32>
  }
  return
}

// -----

// while-c2
// CHECK: error: 'kiln.while' op types of results: expected nothing, got f32
func.func @f(%n: tensor<i64>, %a: tensor<f32>, %c: tensor<i1>) {
  %0 = kiln.while limit(%n) : (tensor<i64>) -> tensor<f32> {
    kiln.yield %c : tensor<i1>
  } do {
    kiln.yield %a : tensor<f32>
  }
  return
}

// -----

// while-c3
// CHECK: error: 'kiln.while' op expected the condition to yield a bool without dimensions, got i64
func.func @f(%n: tensor<i64>) {
  kiln.while limit(%n) : (tensor<i64>) -> () {
    kiln.yield %n : tensor<i64>
  } do {
    kiln.yield
  }
  return
}

// -----

// while-c4
// CHECK: error: 'kiln.while' op carried values: expected nothing, got i64
func.func @f(%n: tensor<i64>, %c: tensor<i1>) {
  kiln.while limit(%n) : (tensor<i64>) -> () {
    kiln.yield %c : tensor<i1>
  } do {
    kiln.yield %n : tensor<i64>
  }
  return
}

// -----

// if-c1
// CHECK: error: 'kiln.if' op expected the condition to be a bool without dimensions, got bool[3]
func.func @f(%c: tensor<3xi1>) {
  kiln.if %c : (tensor<3xi1>) -> () {
    kiln.yield
  } else {
    kiln.yield
  }
  return
}

// -----

// if-c2
// CHECK: error: 'kiln.if' op what a branch yields: expected bool, got nothing
func.func @f(%c: tensor<i1>) {
  %0 = kiln.if %c : (tensor<i1>) -> tensor<i1> {
    kiln.yield %c : tensor<i1>
  } else {
    kiln.yield
  }
  return
}

// -----

// state-c1
// CHECK: error: 'kiln.state' op expected constant extents, got f32[N]
kiln.state @s : tensor<?xf32, #kiln.dims<[N]>>

// -----

// getstate-c1
// CHECK: error: 'kiln.get_state' op expected 's' to be a state of type f32[4]
kiln.state @s : tensor<3xf32>
func.func @f() {
  %0 = kiln.get_state @s : tensor<4xf32>
  return
}

// -----

// setstate-c1
// CHECK: error: 'kiln.set_state' op expected 't' to be a state of type f32[3]
kiln.state @s : tensor<3xf32>
func.func @f(%a: tensor<3xf32>) {
  kiln.set_state @t, %a : tensor<3xf32>
  return
}

// -----

// setstate-c2
// CHECK: error: 'kiln.set_state' op sets 's' a second time
kiln.state @s : tensor<3xf32>
func.func @f(%a: tensor<3xf32>) {
  kiln.set_state @s, %a : tensor<3xf32>
  kiln.set_state @s, %a : tensor<3xf32>
  return
}

// -----

// setstate-c2
// CHECK: error: 'kiln.set_state' op expected to stand in the block of a function
kiln.state @s : tensor<i1>
func.func @f(%c: tensor<i1>) {
  kiln.if %c : (tensor<i1>) -> () {
    kiln.set_state @s, %c : tensor<i1>
    kiln.yield
  } else {
    kiln.yield
  }
  return
}
