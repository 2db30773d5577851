// RUN: %kiln-opt %s --kiln-require | FileCheck %s
// RUN: not %kiln-opt %S/Inputs/never.mlir --kiln-require 2>&1 | FileCheck %s --check-prefix=ERROR
// What bounds and known requirements prove is not listed; what remains is, once; a position that never
// lies inside is an error.
// CHECK: kiln.requires = [#kiln.require<"'slice': the highest position in dimension 0" <[N + 1, 9]> "<=" {{[^>]*}}>]
// ERROR: error: 'pad': the border before dimension 0: expected at least 0, got -N - 1
func.func @f(%x: tensor<10xf32>, %n: tensor<?xf32, #kiln.dims<[N]>>) -> tensor<2xf32> attributes {kiln.dims = {N = array<i64: 0, 100>}} {
  %0 = kiln.slice %x {starts = #kiln.dims<[N]>, sizes = #kiln.dims<[2]>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<2xf32>
  %1 = kiln.slice %x {starts = #kiln.dims<[N]>, sizes = #kiln.dims<[1]>, steps = array<i64: 1>} : (tensor<10xf32>) -> tensor<1xf32>
  %2 = kiln.slice %n {starts = #kiln.dims<[0]>, sizes = #kiln.dims<["2*(N//2)"]>, steps = array<i64: 1>} : (tensor<?xf32, #kiln.dims<[N]>>) -> tensor<?xf32, #kiln.dims<["2*(N//2)"]>>
  return %0 : tensor<2xf32>
}
