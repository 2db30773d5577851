// Loops, branches and states: their text, and what canonicalisation leaves of them.
// RUN: kiln-opt %s --verify-roundtrip -o /dev/null
// RUN: kiln-opt %s --canonicalize | FileCheck %s
kiln.state @s : tensor<2xf32>

// A carried value that no round changes is the initial one; what nobody reads is not made.
// CHECK-LABEL: func.func @scan(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<3x2xf32>, %{{.*}}: tensor<3xi64>, %[[A:[a-z0-9]+]]: tensor<2xf32>, %[[B:[a-z0-9]+]]: tensor<2xf32>
// CHECK: %[[R:.*]] = kiln.scan reverse sequences(%[[X]]) carries(%[[B]]) : (tensor<3x2xf32>, tensor<2xf32>) -> tensor<2xf32> {
// CHECK-NEXT: ^bb0(%[[XT:.*]]: tensor<2xf32>, %[[C:.*]]: tensor<2xf32>):
// CHECK-NEXT: %[[P:.*]] = kiln.add %[[A]], %[[XT]]
// CHECK-NEXT: %[[Q:.*]] = kiln.add %[[P]], %[[C]]
// CHECK-NEXT: kiln.yield %[[Q]] : tensor<2xf32>
// CHECK: return %[[A]], %[[R]]
func.func @scan(%x: tensor<3x2xf32>, %y: tensor<3xi64>, %a: tensor<2xf32>, %b: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %0:3 = kiln.scan reverse sequences(%x, %y) carries(%a, %b) : (tensor<3x2xf32>, tensor<3xi64>, tensor<2xf32>, tensor<2xf32>)
      -> (tensor<3x2xf32>, tensor<2xf32>, tensor<2xf32>) {
  ^bb0(%xt: tensor<2xf32>, %yt: tensor<i64>, %c: tensor<2xf32>, %d: tensor<2xf32>):
    %1 = kiln.add %c, %xt : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %2 = kiln.add %1, %d : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    kiln.yield %2, %c, %2 : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
  }
  return %0#1, %0#2 : tensor<2xf32>, tensor<2xf32>
}

// The sequence that tells the number of rounds stays.
// CHECK-LABEL: func.func @rounds(
// CHECK: kiln.scan sequences(%{{.*}}) carries(%{{.*}}) : (tensor<3xi64>, tensor<f32>) -> tensor<f32>
func.func @rounds(%x: tensor<3xi64>, %a: tensor<f32>) -> tensor<f32> {
  %0 = kiln.scan sequences(%x) carries(%a) : (tensor<3xi64>, tensor<f32>) -> tensor<f32> {
  ^bb0(%xt: tensor<i64>, %c: tensor<f32>):
    %1 = kiln.add %c, %c : (tensor<f32>, tensor<f32>) -> tensor<f32>
    kiln.yield %1 : tensor<f32>
  }
  return %0 : tensor<f32>
}

// CHECK-LABEL: func.func @while(
// CHECK: kiln.while limit(%{{.*}}) carries(%{{.*}}) : (tensor<i64>, tensor<i64>) -> tensor<i64> {
// CHECK: } do {
func.func @while(%n: tensor<i64>, %m: tensor<i64>) -> tensor<i64> {
  %0 = kiln.while limit(%n) carries(%m) : (tensor<i64>, tensor<i64>) -> tensor<i64> {
  ^bb0(%a: tensor<i64>):
    %1 = kiln.lt %a, %n : (tensor<i64>, tensor<i64>) -> tensor<i1>
    kiln.yield %1 : tensor<i1>
  } do {
  ^bb0(%a: tensor<i64>):
    %1 = kiln.add %a, %m : (tensor<i64>, tensor<i64>) -> tensor<i64>
    kiln.yield %1 : tensor<i64>
  }
  return %0 : tensor<i64>
}

// A known branch stands in the block; results without a use go.
// CHECK-LABEL: func.func @if(
// CHECK-NEXT: %[[E:.*]] = kiln.exp
// CHECK-NEXT: %[[I:.*]] = kiln.if %{{.*}} : (tensor<i1>) -> tensor<2xf32> {
// CHECK-NEXT: kiln.yield %[[E]] : tensor<2xf32>
func.func @if(%c: tensor<i1>, %x: tensor<2xf32>) -> tensor<2xf32> {
  %t = kiln.constant dense<true> : tensor<i1>
  %0 = kiln.if %t : (tensor<i1>) -> tensor<2xf32> {
    %2 = kiln.exp %x : (tensor<2xf32>) -> tensor<2xf32>
    kiln.yield %2 : tensor<2xf32>
  } else {
    kiln.yield %x : tensor<2xf32>
  }
  %1:2 = kiln.if %c : (tensor<i1>) -> (tensor<2xf32>, tensor<2xf32>) {
    kiln.yield %x, %0 : tensor<2xf32>, tensor<2xf32>
  } else {
    kiln.yield %0, %x : tensor<2xf32>, tensor<2xf32>
  }
  return %1#1 : tensor<2xf32>
}

// A state that keeps its value is not written.
// CHECK-LABEL: func.func @state(
// CHECK-NOT: kiln.set_state
// CHECK: return
func.func @state() -> tensor<2xf32> {
  %0 = kiln.get_state @s : tensor<2xf32>
  kiln.set_state @s, %0 : tensor<2xf32>
  return %0 : tensor<2xf32>
}
