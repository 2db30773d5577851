func.func @f(%n: tensor<?xf32, #kiln.dims<[N]>>) -> tensor<?xf32, #kiln.dims<[2*N + 3]>> attributes {kiln.dims = {N = array<i64: 0, 100>}} {
  %0 = kiln.pad %n {padding = #kiln.dims<["-N - 1", 2*N + 4]>, value = 0.0 : f64} : (tensor<?xf32, #kiln.dims<[N]>>) -> tensor<?xf32, #kiln.dims<[2*N + 3]>>
  return %0 : tensor<?xf32, #kiln.dims<[2*N + 3]>>
}
