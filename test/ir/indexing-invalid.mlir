// RUN: %kiln-opt %s --split-input-file --verify-diagnostics

func.func @take_c1(%x: tensor<3xf32>) {
  // take-c1
  // expected-error@+2 {{'take' expected a tensor of integers, got f32[3]}}
  // expected-error@+1 {{failed to infer returned types}}
  %y = kiln.take %x, %x {axis = 0 : i64} : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @take_c2(%x: tensor<3xf32>, %i: tensor<2xi64>) {
  // take-c2
  // expected-error@+2 {{'take' expected an axis of f32[3], got 1}}
  // expected-error@+1 {{failed to infer returned types}}
  %y = kiln.take %x, %i {axis = 1 : i64} : (tensor<3xf32>, tensor<2xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @gather_c1(%x: tensor<3xf32>) {
  // gather-c1
  // expected-error@+2 {{'gather' expected a tensor of integers, got f32[3]}}
  // expected-error@+1 {{failed to infer returned types}}
  %y = kiln.gather %x, %x {axis = 0 : i64} : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @gather_c2(%x: tensor<3x4xf32>, %i: tensor<2xi64>) {
  // gather-c2
  // expected-error@+2 {{'gather' expected indices of x's rank and an axis of it, got f32[3, 4], i64[2] and 0}}
  // expected-error@+1 {{failed to infer returned types}}
  %y = kiln.gather %x, %i {axis = 0 : i64} : (tensor<3x4xf32>, tensor<2xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @gather_c3(%x: tensor<3x4xf32>, %i: tensor<2x5xi64>) {
  // gather-c3
  // expected-error@+2 {{'gather' expected at most 4 indices along axis 1, got 5}}
  // expected-error@+1 {{failed to infer returned types}}
  %y = kiln.gather %x, %i {axis = 0 : i64} : (tensor<3x4xf32>, tensor<2x5xi64>) -> tensor<2x5xf32>
  return
}

// -----

func.func @embedding_c1(%x: tensor<3xf32>, %w: tensor<9x4xf32>) {
  // embedding-c1
  // expected-error@+2 {{'embedding' expected a tensor of integers, got f32[3]}}
  // expected-error@+1 {{failed to infer returned types}}
  %y = kiln.embedding %x, %w : (tensor<3xf32>, tensor<9x4xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @embedding_c2(%i: tensor<3xi64>, %w: tensor<9xf32>) {
  // embedding-c2
  // expected-error@+2 {{'embedding' expected a table of two dimensions, got f32[9]}}
  // expected-error@+1 {{failed to infer returned types}}
  %y = kiln.embedding %i, %w : (tensor<3xi64>, tensor<9xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @one_hot_c1(%x: tensor<3xf32>) {
  // onehot-c1
  // expected-error@+2 {{'one_hot' expected a tensor of integers, got f32[3]}}
  // expected-error@+1 {{failed to infer returned types}}
  %y = kiln.one_hot %x {depth = #kiln.dims<[9]>, dtype = i64} : (tensor<3xf32>) -> tensor<3x9xi64>
  return
}

// -----

func.func @one_hot_c2(%i: tensor<3xi64>) {
  // onehot-c2
  // expected-error@+2 {{'one_hot' expected a tensor of numbers, got bool[3, 9]}}
  // expected-error@+1 {{failed to infer returned types}}
  %y = kiln.one_hot %i {depth = #kiln.dims<[9]>, dtype = i1} : (tensor<3xi64>) -> tensor<3x9xi1>
  return
}

// -----

func.func @assert_c1(%i: tensor<3xi1>) {
  // assert-c1
  // expected-error@+1 {{expected a bool scalar, got bool[3]}}
  kiln.assert %i, "take" : tensor<3xi1>
  return
}
