// Images are cropped and resized exactly as Pillow does it.
// RUN: mkdir -p %t
// RUN: %python-tests %S/Inputs/noise.py %t/noise.png %t/rgb.npy
// RUN: %python-tests %S/Inputs/noise.py %t/noise.png %t/gray.npy gray
// RUN: kiln-run %s rgb --interpret --input %t/noise.png --crop 0.8 --resize 24 --compare %t/rgb.npy --rtol 0
// RUN: kiln-run %s gray --interpret --input %t/noise.png --crop 0.8 --resize 24 --compare %t/gray.npy --rtol 0
// RUN: kiln-run %s rgb --interpret --input %t/noise.png --crop 0.8 --resize 24 --mean 1,2,3 --std 2 --output %t/out.npy
// RUN: not kiln-run %s rgb --interpret --input %t/out.npy --compare %t/rgb.npy 2>&1 | FileCheck %s --check-prefix=FAR
// RUN: not kiln-run %s rgb --interpret --input %t/noise.png 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not kiln-run %s rgb --interpret --input %t/noise.png --crop 2 2>&1 | FileCheck %s --check-prefix=CROP
// RUN: head -c 3000 %t/noise.png > %t/cut.png
// RUN: not kiln-run %s rgb --interpret --input %t/cut.png 2>&1 | FileCheck %s --check-prefix=CUT
// FAR: error: result 'y' differs from '{{.*}}rgb.npy': expected max|a-b| / max|b| of at most 0.0001, got
// SIZE: error: input 'image': expected f32[1, 3, 24, 24], got f32[1, 3, 61, 83] from '{{.*}}noise.png'; '--resize N'
// CROP: error: '--crop': expected a fraction above 0 and at most 1
// CUT: error: cannot read image '{{.*}}cut.png'
func.func @rgb(%x: tensor<1x3x24x24xf32> {kiln.name = "image"}) -> (tensor<1x3x24x24xf32> {kiln.name = "y"}) {
  return %x : tensor<1x3x24x24xf32>
}
func.func @gray(%x: tensor<1x1x24x24xf32> {kiln.name = "image"}) -> (tensor<1x1x24x24xf32> {kiln.name = "y"}) {
  return %x : tensor<1x1x24x24xf32>
}
