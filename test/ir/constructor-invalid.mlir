// What the verifiers of the constructor ops refuse, case by case; each names its constraint.
// RUN: not %kiln-opt %s --split-input-file 2>&1 | FileCheck %s

// full-c2
// CHECK: error: {{.*}}'full' expected extents of at least 0, got -1
func.func @f() {
  %0 = kiln.full {shape = #kiln.dims<[-1]>, value = 1.0 : f64, dtype = f32} : () -> tensor<1xf32>
  return
}

// -----

// full-c1
// CHECK: error: {{.*}}expected a value that is exact in i8, got 3.000000e+02
func.func @f() {
  %0 = kiln.full {shape = #kiln.dims<[1]>, value = 300 : i64, dtype = i8} : () -> tensor<1xi8>
  return
}

// -----

// filled-c1
// CHECK: error: {{.*}}'zeros' expected extents of at least 0, got -2
func.func @f() {
  %0 = kiln.zeros {shape = #kiln.dims<[-2]>, dtype = f32} : () -> tensor<2xf32>
  return
}

// -----

// arange-c1
// CHECK: error: {{.*}}'arange' expected a tensor of numbers, got bool[2]
func.func @f() {
  %0 = kiln.arange {count = #kiln.dims<[2]>, start = 0 : i64, step = 1 : i64, dtype = i1} : () -> tensor<2xi1>
  return
}

// -----

// arange-c2
// CHECK: error: {{.*}}'arange' expected extents of at least 0, got -2
func.func @f() {
  %0 = kiln.arange {count = #kiln.dims<[-2]>, start = 0 : i64, step = 1 : i64, dtype = i64} : () -> tensor<2xi64>
  return
}

// -----

// eye-c1
// CHECK: error: {{.*}}'eye' expected a tensor of numbers, got bool[2, 2]
func.func @f() {
  %0 = kiln.eye {count = #kiln.dims<[2]>, dtype = i1} : () -> tensor<2x2xi1>
  return
}

// -----

// extent-c1
// CHECK: error: {{.*}}'extent' expected one polynomial, got 2
func.func @f() {
  %0 = kiln.extent {value = #kiln.dims<[2, 3]>} : () -> tensor<i64>
  return
}
