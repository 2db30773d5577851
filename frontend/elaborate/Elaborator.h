//===- Elaborator.h - evaluates a model and emits its IR --------*- C++ -*-===//
//
// Runs the layers of one model and emits the bodies of its entry points, every call inlined. Errors
// are reported once; the empty Value then flows on silently, so that one run finds several.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_ELABORATE_ELABORATOR_H
#define KILN_FRONTEND_ELABORATE_ELABORATOR_H

#include "frontend/Import.h"
#include "frontend/elaborate/Elaboration.h"
#include "frontend/emit/Primitives.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"

#include <deque>

namespace kiln::ir {
class IfOp;
class ScanOp;
} // namespace kiln::ir

namespace kiln {

class Elaborator : Elaboration {
public:
  Elaborator(mlir::MLIRContext &context, Diagnostics &diags, Modules &modules,
             const PrimitiveTable &primitives)
      : Elaboration(context, diags), modules(modules), primitives(primitives) {}

  mlir::OwningOpRef<mlir::ModuleOp> run(const ast::LayerDecl *model, const Module &module,
                                        const ImportOptions &options);

private:
  Modules &modules;
  const PrimitiveTable &primitives;
  std::deque<Instance> instances;
  std::deque<Weight> weights;
  std::set<std::string> madeNames; ///< of members with numbers
  llvm::DenseMap<const ast::ConstDecl *, Value> constants;
  std::set<const ast::ConstDecl *> pendingConstants;
  int64_t steps = 0;
  unsigned depth = 0;
  // Model and entry points (Elaborator.cpp)
  bool bindModelArguments(const ast::LayerDecl *model, const ImportOptions &options, Args &args);
  Value parseSet(StringRef name, StringRef text);
  void nameMembers(Instance &instance, const std::string &path);
  void nameValue(const Value &value, const std::string &path);
  void emitWeights(mlir::ModuleOp module);
  void emitEntry(mlir::ModuleOp module, Instance &model, const ast::FnDecl *fn);
  bool declareDims(const ast::FnDecl *fn);
  std::optional<DimExpr> inputExtent(const ast::FnDecl *fn, const ast::Expr *expr);
  void finishEntry(mlir::Operation *func, const ast::FnDecl *fn, const Value &result);
  // Statements (ElaborateStmt.cpp)
  void exec(ast::Block block);
  void assign(const ast::AssignStmt *stmt);
  void bind(const ast::Expr *target, Value value);
  StringRef memberName(const ast::Ident &name);
  void declareMember(StringRef name, SMRange place, Value value);
  void declareWeight(const ast::MemberDecl *decl);
  std::optional<ir::Number> firstValue(const ast::Expr *expr, DType dtype);
  void yieldValues(const ast::YieldStmt *stmt);
  void forEach(const ast::ForClause &clause, llvm::function_ref<bool()> body);
  std::optional<bool> condition(const ast::Expr *expr);
  // Expressions (ElaborateExpr.cpp)
  Value eval(const ast::Expr *expr);
  Value evalKind(const ast::Expr *expr);
  Value evalName(StringRef name, SMRange place);
  Value evalConstant(const ast::ConstDecl *decl, const Module *module, SMRange place);
  Value evalMember(const ast::MemberExpr *expr);
  Value evalUnary(const ast::UnaryExpr *expr);
  Value evalCast(const ast::CastExpr *expr);
  Value evalComprehension(const ast::ComprehensionExpr *expr);
  void comprehend(const ast::ComprehensionExpr *expr, size_t clause, std::vector<Value> &into);
  Value evalIndex(const ast::IndexExpr *expr);
  Value indexList(const ast::IndexExpr *expr, const ListPtr &list);
  std::optional<int64_t> constantIndex(const ast::Expr *expr, int64_t fallback, int64_t size);
  // Subscripts of tensors (ElaborateIndex.cpp, ElaborateAssign.cpp)
  Value indexTensor(const ast::IndexExpr *expr, mlir::Value tensor);
  Value assignSlice(const ast::IndexExpr *target, mlir::Value tensor, const Value &value);
  std::optional<llvm::SmallVector<Subscript>>
  subscripts(const ast::IndexExpr *expr, mlir::Value tensor, SmallVectorImpl<size_t> &newAxes);
  mlir::Value addAxes(mlir::Value x, ArrayRef<Subscript> parts, ArrayRef<size_t> axes, SMRange p);
  std::optional<Subscript> subscript(const ast::Expr *expr, const Value &value, const DimExpr &n);
  std::optional<Subscript> listed(ArrayRef<DimExpr> list, const DimExpr &extent, SMRange place);
  std::optional<Subscript> computedSlice(const ast::SliceExpr *slice, const DimExpr &extent,
                                         const Value &start, const Value &stop);
  std::optional<Subscript> computedRange(const ast::SliceExpr *slice, const DimExpr &extent,
                                         const Value &start, const Value &stop);
  mlir::Value gatherAt(mlir::Value tensor, ArrayRef<std::pair<int64_t, mlir::Value>> where,
                       SMRange place);
  mlir::Value moveAxes(mlir::Value value, int64_t from, int64_t count, int64_t to, SMRange place);
  mlir::Value multiples(int64_t step, const DimExpr &count, SMRange place);
  mlir::Value positions(const Subscript &subscript, SMRange place);
  mlir::Value writeParts(mlir::Value into, ArrayRef<Subscript> parts, size_t axis,
                         mlir::Value value, SMRange place);
  mlir::Value writeTogether(mlir::Value tensor, llvm::SmallVector<Subscript> parts,
                            mlir::Value value, SMRange place);
  mlir::Value stretched(mlir::Value value, ArrayRef<DimExpr> dims, SMRange place);
  // Extents that values decide (ElaborateData.cpp)
  DimExpr bindExtent(mlir::Value count, const DimExpr &most, const std::string &name,
                     const std::string &subject, SMRange place);
  Value countedResults(mlir::Operation *op, SMRange place);
  mlir::Value positionsOf(mlir::Value mask, SMRange place);
  bool maskSubscripts(mlir::Value mask, ArrayRef<DimExpr> dims, SMRange place,
                      SmallVectorImpl<Subscript> &parts);
  std::optional<Subscript> openSlice(const Value &start, mlir::Value from, mlir::Value to,
                                     const DimExpr &extent, SMRange place);
  bool staysWithin(mlir::ValueRange values, mlir::Operation *op, SMRange place);
  bool leaveOpen(const ast::FnDecl *fn, ArrayRef<DimExpr> extents);
  bool closeDimensions(std::vector<Equation> &equations);
  Value asDeclared(const ast::Type *type, const Value &value, SMRange place);
  void attachDataDimensions(mlir::Operation *func, const ast::FnDecl *fn, mlir::TypeRange results);
  // Loops, branches, state (ElaborateControl.cpp)
  Value evalScan(const ast::ScanExpr *expr);
  Value evalWhile(const ast::WhileExpr *expr);
  Value evalConditional(const ast::ConditionalExpr *expr);
  /// The value as a tensor of the type; extents that may differ are compared at entry.
  mlir::Value conform(const Value &given, mlir::Type type, SMRange place, const std::string &what,
                      ArrayRef<Note> notes = {});
  bool carry(ArrayRef<ast::Carried> carried, SmallVectorImpl<mlir::Value> &initial);
  void openRegion(mlir::Region &region, ArrayRef<ast::Carried> carried, mlir::ValueRange arguments);
  bool runRound(ast::Block body, ArrayRef<ast::Carried> carried, mlir::TypeRange types,
                SmallVectorImpl<mlir::Value> &next);
  mlir::Value sequence(const ast::Expr *expr, int64_t axis, std::optional<DimExpr> &rounds,
                       SMRange first);
  mlir::Value decision(const Value &value, SMRange place);
  bool unite(ir::IfOp op, const Value &yes, const Value &no, const ast::Expr *const branches[2],
             llvm::SmallVector<mlir::Value> yields[2]);
  ir::ScanOp finishScan(ir::ScanOp unfinished, ArrayRef<mlir::Value> stacked,
                        ArrayRef<mlir::Value> next);
  ir::IfOp finishBranches(ir::IfOp unfinished, const llvm::SmallVector<mlir::Value> yields[2]);
  Value finish(ArrayRef<ast::Carried> carried, mlir::ValueRange finals, std::vector<Value> values);
  Value abandon(mlir::Operation *op);
  void emitState(mlir::ModuleOp module, const Weight &state);
  void readStates();
  void writeStates();
  bool setState(const ast::MemberExpr *member, const Value &value);
  // Calls (ElaborateCall.cpp)
  Value evalCall(const ast::CallExpr *expr);
  Value callNamed(StringRef name, const ast::CallExpr *expr, Args &args);
  Value callBuiltin(StringRef name, const Args &args, SMRange place, bool &known);
  Value callValue(const Value &callee, SMRange name, Args &args, SMRange place);
  Value callDecl(const ast::Stmt *decl, const Module *module, Args &args, SMRange place);
  Value callFn(const ast::FnDecl *fn, const Module *module, Instance *self, Args &args,
               SMRange place);
  Value makeLayer(const ast::LayerDecl *decl, const Module *module, Args &args, SMRange place);
  const ast::FnDecl *method(const Instance &instance, StringRef name);
  bool enter(Frame &callee, SMRange place, StringRef name);
  bool bindArguments(ArrayRef<Formal> formals, Args &args, SMRange place, const Callee &callee,
                     std::vector<const Arg *> &bound);
  bool bindParameters(ArrayRef<ast::Parameter> parameters, ArrayRef<const Arg *> bound,
                      Frame &callee, std::vector<Equation> &equations, SMRange place);
  // Types (ElaborateType.cpp)
  std::optional<DimExpr> evalDim(const ast::Expr *expr);
  std::optional<DType> evalDType(const ast::Ident &name);
  bool isCompileTime(const ast::Type *type);
  bool coerce(const ast::Type *type, Value &value);
  bool matchTensor(const ast::Type *type, Value &value, SMRange place, const std::string &what,
                   std::vector<Equation> &equations);
  bool matchDType(const ast::Ident &name, DType actual, SMRange place, const std::string &what);
  Value evalDefault(const ast::Parameter &parameter, std::vector<Equation> equations);
  bool unify(ArrayRef<ast::Generic> generics, std::vector<Equation> &equations, SMRange place);
  bool requireBounds(const ast::Generic &generic, const DimExpr &value, SMRange place);
  bool require(const Requirement &requirement, SMRange place, SMRange declared = {},
               ArrayRef<Note> reasons = {});
  bool requireEqual(const Equation &equation, ArrayRef<Note> reasons = {});
  Value checkResults(const ast::FnDecl *fn, const Value &value);
  // Operators on tensors (ElaborateOperator.cpp)
  Value binary(TokenKind op, const Value &lhs, const Value &rhs, SMRange place);
  Value foldNumbers(TokenKind op, const Value &lhs, const Value &rhs, SMRange place);
  Value foldDims(TokenKind op, const DimExpr &lhs, const DimExpr &rhs, SMRange place);
  mlir::Value join(const Value &list, std::optional<DType> beside, SMRange place);
  std::optional<ir::Operand> operand(const Value &value, std::optional<DType> like, SMRange place);
  mlir::Value toTensor(const Value &value, std::optional<DType> like, SMRange place);
  mlir::Value get(const Weight *weight, SMRange place);
  // Primitive functions (ElaboratePrimitive.cpp)
  Value callPrimitive(const Primitive &primitive, Args &args, SMRange place);
  bool gatherOperands(const Primitive &primitive, ArrayRef<const Arg *> bound, SMRange place,
                      SmallVectorImpl<mlir::Value> &operands, SmallVectorImpl<int32_t> &segments);
  struct Forms; // ElaborateForms.cpp
  std::optional<Value> respelled(const Primitive &primitive, Args &args, SMRange place);
  std::optional<Value> widerForm(const Primitive &primitive, Bound bound, SMRange place);
  Value defaultValue(const Primitive::Slot &slot);
  std::optional<Dims> equalParts(int64_t count, SMRange place, mlir::ValueRange operands,
                                 const mlir::NamedAttrList &others);
  mlir::Attribute attribute(const Primitive::Slot &slot, const Value &value, SMRange place,
                            mlir::ValueRange operands, const mlir::NamedAttrList &others);
  mlir::Attribute axisAttribute(const Primitive::Slot &slot, const Value &value,
                                mlir::ValueRange operands);
  std::optional<Dims> paddingOf(const Value &value, mlir::ValueRange operands,
                                const mlir::NamedAttrList &others);
  std::optional<Dims> samePadding(mlir::ValueRange operands, const mlir::NamedAttrList &others);
  mlir::Attribute dimsAttr(ArrayRef<DimExpr> dims);
};

} // namespace kiln

#endif // KILN_FRONTEND_ELABORATE_ELABORATOR_H
