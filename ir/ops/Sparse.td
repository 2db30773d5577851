//===- Sparse.td - products with weights of many zeros --------------------===//
#ifndef KILN_IR_OPS_SPARSE_TD
#define KILN_IR_OPS_SPARSE_TD

include "ir/ops/Base.td"

def Kiln_SparseMatmulOp : Kiln_PrimitiveOp<"sparse_matmul",
    "sparse_matmul(x, weight, positions, *, block: int = 1, columns: bool = false)", "Contraction", "flops()",
    [Kiln_Indexing, DeclareOpInterfaceMethods<Kiln_Aligning>]> {
  let summary = "the product with a matrix of which each block of rows has few columns that are not zero";
  let description = [{
    Of a matrix [N, K], each `block` successive rows keep the same columns: `positions` [ceil(N / block), k]
    says which of K, and `weight` [N, k] holds their values. For x [..., K] the result is [..., N]:
    y[..., n] = sum over r of x[..., positions[n // block, r]] * weight[n, r]. With `columns` x is [K, M], and
    the result [N, M]: y[n, m] = sum over r of weight[n, r] * x[positions[n // block, r], m]. A column may stand
    several times. The balanced blocks of Cao et al. (FPGA 2019, doi 10.1145/3289602.3293898); with `block` = 1
    the ELLPACK format (Kincaid et al., ITPACKV 2D, 1989). Negative positions count from the end; one out of
    range ends the call with the status KILN_INDEX_OUT_OF_RANGE.

    Constraints:
    - sparse_matmul-c1: x and weight are numbers of one type, and positions integers
    - sparse_matmul-c2: weight and positions are matrices, and x has a dimension at least, with `columns` two
    - sparse_matmul-c3: `block` is at least 1
    - sparse_matmul-c4: weight has as many columns as positions, and positions ceil(N / block) rows

    Example: `%y = kiln.sparse_matmul %x, %w, %p {block = 2 : i64} : (tensor<4x9xf32>, tensor<6x3xf32>, tensor<3x3xi32>) -> tensor<4x6xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$weight, Kiln_Tensor:$positions,
    DefaultValuedAttr<I64Attr, "1">:$block, DefaultValuedAttr<BoolAttr, "false">:$columns, UnitAttr:$guarded);
  let extraClassDeclaration = primitiveDeclarations # [{
    ::kiln::DimExpr flops();
    ::mlir::Value getIndices() { return getPositions(); }
    ::kiln::DimExpr getIndexedExtent() {
      auto dims = dimsOf(getX().getType());
      return getColumns() ? dims.front() : dims.back();
    }
  }];
}

#endif // KILN_IR_OPS_SPARSE_TD
