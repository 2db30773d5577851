//===- KernelSpec.h - what one kernel computes, as plain data --*- C++ -*-===//
//
// A KernelSpec states a kernel completely: its operands with their memory facts, its symbolic
// dimensions with bounds, and an ordered list of stages. It is the wall between the compiler and
// the kernel generators (Halide, LLVM): no MLIR or LLVM type crosses it. It prints, parses and
// hashes; equal text means an equal kernel.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_SPEC_KERNELSPEC_H
#define KILN_CODEGEN_SPEC_KERNELSPEC_H

#include "ir/DType.h"
#include "ir/DimExpr.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace kiln::spec {

/// A dimension known at run time only; passed to the kernel in `dims`, in the spec's order.
struct Symbol {
  std::string name;
  int64_t lower = 0;
  std::optional<int64_t> upper;
};

/// How a packed weight of logical shape [N, …, K] lies in memory: n in panel n / width, lane
/// n % width, and `group` neighbours along K side by side, for instructions that take as many.
/// Memory is dense [ceil(N / width)][…][ceil(K / group)][width][group]; what lies behind N or K is
/// zero.
struct Panel {
  int64_t width = 16, group = 1; ///< powers of two
  bool operator==(const Panel &) const = default;
};

/// What the generator may assume of a buffer, and how the kernel uses it. Element (i0, i1, …) lies
/// at sum(i_k * strides[k]) where there is no `panel`.
struct Operand {
  enum class Use : uint8_t { Input, Output, Scratch };
  std::string name;
  DType type = DType::F32;
  std::vector<DimExpr> shape;
  std::vector<DimExpr> strides; ///< in elements, one per dimension; empty beside a panel
  std::optional<Panel> panel;   ///< of inputs only
  int64_t alignment = 1;        ///< of the first element, in bytes
  Use use = Use::Input;
  /// An output that may be the same memory as this input, element for element (pointwise only).
  std::string mayAlias;

  /// The extents of a panel's dense memory.
  std::vector<DimExpr> packedShape() const;
};

struct Expr;
using ExprPtr = std::shared_ptr<const Expr>;

/// sum(coefficient * d[dim]) + offset, where d are the stage's dimensions: first its domain, then
/// its reduction. With `indirect`, that i64 expression (clamped into the extent) is added instead.
struct Index {
  std::vector<std::pair<int, int64_t>> terms; ///< sorted by dimension, no zero coefficient
  DimExpr offset;
  ExprPtr indirect;
};

/// Reads an operand or an earlier stage. With `outside` set, a coordinate outside of the source's
/// shape gives that value (zero padding: 0; max pooling: -inf) instead of being out of bounds.
struct Read {
  std::string source;
  std::vector<Index> indices;
  std::optional<double> outside;
};

/// Operations of a body. Transcendental functions stand in specs as themselves and are expanded by
/// expandMath() (Math.def) into arithmetic before a generator sees them, so that
/// generators with the same MathSupport compute the same bits. Arithmetic takes f64, f32 and
/// integers; narrower floats are only read, selected, cast and bitcast (verify() refuses others).
/// Both arms of Select are evaluated.
enum class Op : uint8_t {
#define KILN_SPEC_OP(Name, text, arity) Name,
#include "codegen/spec/Ops.def"
};

/// A node of a body. `type` is the type of its value. Integer constants are held exactly.
struct Expr {
  Op op;
  DType type;
  std::vector<ExprPtr> args;
  std::variant<std::monostate, double, int64_t> constant; ///< of Const
  Read read;                                              ///< of Read
  int dim = 0;                                            ///< of Dim: the index d[dim] as i64
  DimExpr extent;                                         ///< of Extent: its value as i64
  /// Whether IEEE semantics hold exactly (no reassociation, contraction, nnan). Only the
  /// multiply-accumulate of a contraction's anchor is relaxed.
  bool strict = true;
};

/// How values along the reduction are combined. The order is the generator's, but the same in each
/// run and for each number of threads; Add may fuse with a product that is not strict.
/// ArgMax/ArgMin give the i64 linear position in the reduction domain of the first extreme (a NaN
/// is the extreme); Max/Min propagate NaN.
enum class Combiner : uint8_t { None, Add, Mul, Max, Min, And, Or, ArgMax, ArgMin };

enum class Role : uint8_t { Prologue, Anchor, Epilogue };

/// One loop nest: for each point of `domain`, combine `body` over `reduction`, starting at `init`.
/// A stage whose name is an Output or Scratch operand writes it, at `store` (the identity if
/// empty); any other is an intermediate value that later stages read under its name.
struct Stage {
  std::string name;
  Role role = Role::Anchor;
  DType type = DType::F32; ///< of the value kept; also of the accumulator
  std::vector<DimExpr> domain;
  std::vector<DimExpr> reduction;
  Combiner combiner = Combiner::None;
  ExprPtr init; ///< constant; absent for None
  ExprPtr body;
  std::vector<Index> store;
};

/// The template and tile that `choose` picked; part of the hash. Unknown parameters are an error of
/// the generator.
struct Schedule {
  std::string templateName; ///< a row of ir/target/Templates.def
  std::map<std::string, int64_t> parameters;
};

/// Code that stages cannot state, in place of them: a row of codegen/procedures/Procedures.def. It
/// reads the inputs and writes all of each output; what an element is, is the first input's type.
struct Procedure {
  std::string name;
  std::map<std::string, int64_t> constants; ///< by the names of the row; the code is made for them
  std::vector<DimExpr> sizes;               ///< in the order of the row; given to the code
};

struct KernelSpec {
  std::vector<Symbol> symbols;
  std::vector<Operand> operands; ///< inputs, outputs, scratch: the order of the kernel's `bufs`
  std::vector<Stage> stages;     ///< none beside a procedure
  std::optional<Procedure> procedure;
  Schedule schedule;

  const Operand *findOperand(std::string_view name) const;
  const Stage *findStage(std::string_view name) const;
  const Stage *anchor() const; ///< the stage with role Anchor, if any
};

/// Canonical text; parse(print(s)) prints the same.
std::string print(const KernelSpec &spec);
/// Reads what print() writes. On failure gives nothing and a message with its line.
std::optional<KernelSpec> parse(std::string_view text, std::string &error);
/// Checks names, ranks, types, dimension numbers and order of stages. Empty if well formed, else
/// what is wrong.
std::string verify(const KernelSpec &spec);
/// 32 hexadecimal digits (first half of SHA-256) of the printed text: the kernel's symbol name.
std::string hash(const KernelSpec &spec);
/// Instructions beyond plain arithmetic that a target has: functions may be made of them.
struct MathSupport {
  bool hasMulAdd = false, hasLdexp = false;
};
/// Replaces transcendental functions by arithmetic from Math.def, in every stage.
void expandMath(KernelSpec &spec, MathSupport support = {});

/// Visits every node reachable from `root` once, arguments and indirect coordinates before their
/// users. `seen` may be shared between calls.
void visitPostOrder(const ExprPtr &root, std::set<const Expr *> &seen,
                    const std::function<void(const ExprPtr &)> &visit);

/// Spelling of an operation, combiner and role in spec text, and how many arguments an operation
/// has.
std::string_view text(Op op);
int arity(Op op);
std::string_view text(Combiner combiner);
std::string_view text(Role role);

/// Builders. Types of results follow the operands' (comparisons give Bool).
ExprPtr constant(double value, DType type);
ExprPtr constant(int64_t value, DType type);
ExprPtr read(std::string source, std::vector<Index> indices, DType type,
             std::optional<double> outside = std::nullopt);
ExprPtr dim(int number);
ExprPtr extent(DimExpr value);
ExprPtr apply(Op op, std::vector<ExprPtr> args);
ExprPtr cast(ExprPtr value, DType type);
ExprPtr bitcast(ExprPtr value, DType type);
/// The same node without its strict bit: only for the product of a contraction's anchor.
ExprPtr relaxed(const ExprPtr &value);
Index index(int dim, int64_t coefficient = 1, DimExpr offset = 0);

} // namespace kiln::spec

#endif // KILN_CODEGEN_SPEC_KERNELSPEC_H
