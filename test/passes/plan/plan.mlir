// kiln-plan: what lives at one time does not overlap, what is dead is reused, and the result goes
// straight to the caller. a and b live together, c takes a's place.
// RUN: %kiln-opt %s --kiln-plan 2>/dev/null | FileCheck %s
// RUN: kiln-opt %s --kiln-plan 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// REMARK: remark: arena of 'f': 128*N bytes for 72*N bytes of values
#d = #kiln.dims<[N, 6]>
kiln.kernel private @k(%x: tensor<?x6xf32, #d>) -> tensor<?x6xf32, #d> attributes {kiln.dims = {N = array<i64: 0, 8>}} {
  %0 = kiln.relu %x : (tensor<?x6xf32, #d>) -> tensor<?x6xf32, #d>
  kiln.return %0 : tensor<?x6xf32, #d>
}
// CHECK-LABEL: func.func @f
// CHECK-SAME: kiln.arena = #kiln.dims<[{{[0-9]+}}*N]>
func.func @f(%x: tensor<?x6xf32, #d>) -> tensor<?x6xf32, #d> attributes {kiln.dims = {N = array<i64: 0, 8>}} {
  // CHECK: kiln.launch @k(%{{.*}}) {offsets = #kiln.dims<[0]>}
  %a = kiln.launch @k(%x) : (tensor<?x6xf32, #d>) -> tensor<?x6xf32, #d>
  // CHECK: kiln.launch @k(%{{.*}}) {offsets = #kiln.dims<[64*N]>}
  %b = kiln.launch @k(%a) : (tensor<?x6xf32, #d>) -> tensor<?x6xf32, #d>
  // CHECK: kiln.launch @k(%{{.*}}) {offsets = #kiln.dims<[0]>}
  %c = kiln.launch @k(%b) : (tensor<?x6xf32, #d>) -> tensor<?x6xf32, #d>
  // CHECK: kiln.launch @k(%{{.*}}) {offsets = #kiln.dims<[-1]>}
  %r = kiln.launch @k(%c) : (tensor<?x6xf32, #d>) -> tensor<?x6xf32, #d>
  return %r : tensor<?x6xf32, #d>
}
