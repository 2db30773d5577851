// RUN: kiln-opt %s --kiln-choose | FileCheck %s
// RUN: kiln-opt %s --kiln-choose=generator=llvm | FileCheck %s --check-prefix=LLVM
// RUN: kiln-opt %s --kiln-choose --kiln-pack --remarks-filter=choose 2>&1 | FileCheck %s --check-prefix=REMARK

// CHECK: @images{{.*}}kiln.generator = "llvm"
// CHECK: @softmax{{.*}}kiln.generator = "halide", kiln.template = "rowwise"
// CHECK: @product{{.*}}kiln.generator = "halide", kiln.template = "matmul"
// CHECK: @pool{{.*}}kiln.generator = "halide", kiln.template = "pool"
// CHECK: @sum{{.*}}kiln.generator = "halide", kiln.template = "pointwise"
// LLVM: @softmax{{.*}}kiln.generator = "llvm", kiln.template = "rowwise"
// REMARK-DAG: 'images': no template, the channels are not last
// REMARK-DAG: 'product': template 'matmul' of halide, nothing launches the kernel
kiln.kernel private @images(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<1x4x6x6xf32> {
  %y = kiln.conv2d %x, %w {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x6x6xf32>
  kiln.return %y : tensor<1x4x6x6xf32>
}
kiln.kernel private @softmax(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = kiln.softmax %x {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  kiln.return %y : tensor<4x8xf32>
}
kiln.kernel private @product(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>) -> tensor<2x4xf32> {
  %y = kiln.matmul %a, %b : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  kiln.return %y : tensor<2x4xf32>
}
kiln.kernel private @pool(%x: tensor<1x4x4x3xf32>) -> tensor<1x2x2x3xf32> {
  %y = kiln.max_pool2d %x {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = array<i64: 1, 1>, ceil_mode = false, channels_last} : (tensor<1x4x4x3xf32>) -> tensor<1x2x2x3xf32>
  kiln.return %y : tensor<1x2x2x3xf32>
}
kiln.kernel private @sum(%a: tensor<4xf32>) -> tensor<4xf32> {
  %y = kiln.add %a, %a : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  kiln.return %y : tensor<4xf32>
}
