// kiln 0.1.0, LLVM 22.1.8
// command: build/release/bin/kilnc /tmp/s/p.kiln --weights random:1 -O2 --emit=simplify
// fails in: simplify
// The weights are not contained; --weights random:1 gives others.
#loc2 = loc("/tmp/s/p.kiln":3:6)
#loc3 = loc("/tmp/s/p.kiln":4:25)
#loc4 = loc("/tmp/s/p.kiln":4:16)
#loc5 = loc("/tmp/s/p.kiln":5:12)
#loc6 = loc("/tmp/s/p.kiln":5:25)
module attributes {kiln.model = "C"} {
  kiln.weight @p : tensor<17x33xf32> {hash = "fa73c40f6abc03bb19d6b21df1ea9499", kind = "param"} loc(#loc1)
  func.func @f(%arg0: tensor<?xui8, #kiln.dims<[N]>> {kiln.name = "ofn"} loc("/tmp/s/p.kiln":3:6), %arg1: tensor<7x17xf32> {kiln.name = "a1"} loc("/tmp/s/p.kiln":3:6), %arg2: tensor<7x17xf32> {kiln.name = "a4"} loc("/tmp/s/p.kiln":3:6)) -> (tensor<7x33xf32> {kiln.name = "a"}, tensor<7x7xf32> {kiln.name = "b"}) attributes {kiln.dims = {N = array<i64: 0, 33>}, kiln.requires = [#kiln.require<"the bound 'N' of a slice" <[N, 17]> "<=" #loc3>, #kiln.require<"the start of a slice" <["N//2", N]> "<=" #loc4>, #kiln.require<"the inner extents of [7, N - N//2] @ [17, 33]" <[17, "N - N//2"]> "==" #loc5>, #kiln.require<"'reshape': the number of elements" <["33*N - 33*(N//2)", 561]> "==" #loc5>, #kiln.require<"the inner extents of [7, N - N//2] @ [17, 7]" <[17, "N - N//2"]> "==" #loc6>, #kiln.require<"'reshape': the number of elements" <["7*N - 7*(N//2)", 119]> "==" #loc6>]} {
    %0 = kiln.slice %arg1 {sizes = #kiln.dims<[7, "N - N//2"]>, starts = #kiln.dims<[0, "N//2"]>, steps = array<i64: 1, 1>} : (tensor<7x17xf32>) -> tensor<7x?xf32, #kiln.dims<[7, "N - N//2"]>> loc(#loc7)
    %1 = kiln.get @p : tensor<17x33xf32> loc(#loc8)
    %2 = kiln.reshape %1 {shape = #kiln.dims<["N - N//2", 33]>} : (tensor<17x33xf32>) -> tensor<?x33xf32, #kiln.dims<["N - N//2", 33]>> loc(#loc5)
    %3 = kiln.matmul %0, %2 : (tensor<7x?xf32, #kiln.dims<[7, "N - N//2"]>>, tensor<?x33xf32, #kiln.dims<["N - N//2", 33]>>) -> tensor<7x33xf32> loc(#loc5)
    %4 = kiln.transpose %arg2 : (tensor<7x17xf32>) -> tensor<17x7xf32> loc(#loc9)
    %5 = kiln.reshape %4 {shape = #kiln.dims<["N - N//2", 7]>} : (tensor<17x7xf32>) -> tensor<?x7xf32, #kiln.dims<["N - N//2", 7]>> loc(#loc6)
    %6 = kiln.matmul %0, %5 : (tensor<7x?xf32, #kiln.dims<[7, "N - N//2"]>>, tensor<?x7xf32, #kiln.dims<["N - N//2", 7]>>) -> tensor<7x7xf32> loc(#loc6)
    return %3, %6 : tensor<7x33xf32>, tensor<7x7xf32> loc(#loc10)
  } loc(#loc2)
} loc(#loc)
#loc = loc("/tmp/s/p.kiln":1:7)
#loc1 = loc("/tmp/s/p.kiln":2:9)
#loc7 = loc("/tmp/s/p.kiln":4:10)
#loc8 = loc("/tmp/s/p.kiln":5:17)
#loc9 = loc("/tmp/s/p.kiln":5:30)
#loc10 = loc("/tmp/s/p.kiln":5:5)
