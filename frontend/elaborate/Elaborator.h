//===- Elaborator.h - evaluates a model and emits its IR --------*- C++ -*-===//
//
// Runs the layers of one model with compile-time values and emits the body of each entry point,
// every call inlined. Errors are reported once; the empty Value then flows on silently, so that one
// run finds several.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_ELABORATE_ELABORATOR_H
#define KILN_FRONTEND_ELABORATE_ELABORATOR_H

#include "frontend/Import.h"
#include "frontend/elaborate/Frame.h"
#include "frontend/emit/Primitives.h"
#include "ir/build/TensorBuilder.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"

#include <deque>
#include <set>

namespace kiln {

class Elaborator {
public:
  Elaborator(mlir::MLIRContext &context, Diagnostics &diags, Modules &modules,
             const PrimitiveTable &primitives)
      : context(context), diags(diags), modules(modules), primitives(primitives),
        builder(&context) {}

  mlir::OwningOpRef<mlir::ModuleOp> run(const ast::LayerDecl *model, const Module &module,
                                        const ImportOptions &options);

private:
  mlir::MLIRContext &context;
  Diagnostics &diags;
  Modules &modules;
  const PrimitiveTable &primitives;
  mlir::OpBuilder builder;
  Frame *frame = nullptr;
  std::deque<Instance> instances;
  std::deque<Weight> weights;
  llvm::DenseMap<const ast::ConstDecl *, Value> constants;
  std::set<const ast::ConstDecl *> pendingConstants;
  int64_t steps = 0;
  unsigned depth = 0;
  // Of the entry point being emitted:
  llvm::DenseMap<const Weight *, mlir::Value> loaded;
  ir::DimScope scope;

  // Reporting (Elaborator.cpp)
  Value fail(llvm::SMRange place, DiagCode code, const llvm::Twine &message);
  Value failAt(llvm::SMRange place, DiagCode code, const llvm::Twine &message, llvm::SMRange other,
               const llvm::Twine &note);
  void noteCallers(Diagnostics::Error &error, llvm::SMRange place);
  Value unsupported(llvm::SMRange place, llvm::StringRef what);
  mlir::Location location(llvm::SMRange place);
  /// Builds ops for the code at the place; what goes wrong is an error there.
  ir::TensorBuilder at(llvm::SMRange place);

  // Model and entry points (Elaborator.cpp)
  bool bindModelArguments(const ast::LayerDecl *model, const ImportOptions &options,
                          std::vector<Arg> &args);
  Value parseSet(llvm::StringRef name, llvm::StringRef text);
  void nameMembers(Instance &instance, const std::string &path);
  void nameValue(const Value &value, const std::string &path);
  void emitWeights(mlir::ModuleOp module);
  void emitEntry(mlir::ModuleOp module, Instance &model, const ast::FnDecl *fn);
  bool declareDims(const ast::FnDecl *fn);
  void finishEntry(mlir::Operation *func, const ast::FnDecl *fn, const Value &result);

  // Statements (ElaborateStmt.cpp)
  void exec(ast::Block block);
  void assign(const ast::AssignStmt *stmt);
  void bind(const ast::Expr *target, Value value);
  void declareMember(llvm::StringRef name, llvm::SMRange place, Value value);
  void declareWeight(const ast::MemberDecl *decl);
  void forEach(const ast::ForClause &clause, llvm::function_ref<bool()> body);
  std::optional<bool> condition(const ast::Expr *expr);

  // Expressions (ElaborateExpr.cpp)
  Value eval(const ast::Expr *expr);
  Value evalKind(const ast::Expr *expr);
  Value evalName(llvm::StringRef name, llvm::SMRange place);
  Value evalConstant(const ast::ConstDecl *decl, const Module *module);
  Value evalMember(const ast::MemberExpr *expr);
  Value evalUnary(const ast::UnaryExpr *expr);
  Value evalCast(const ast::CastExpr *expr);
  Value evalComprehension(const ast::ComprehensionExpr *expr);
  void comprehend(const ast::ComprehensionExpr *expr, size_t clause, std::vector<Value> &into);
  Value evalIndex(const ast::IndexExpr *expr);
  Value indexList(const ast::IndexExpr *expr, const ListPtr &list);
  Value indexTensor(const ast::IndexExpr *expr, mlir::Value tensor);
  std::optional<int64_t> constantIndex(const ast::Expr *expr, int64_t fallback, int64_t size);
  std::optional<ir::AxisPart> partOf(const ast::Expr *subscript, const DimExpr &extent);
  std::optional<ir::AxisPart> sliceOf(const ast::SliceExpr *slice, const DimExpr &extent);
  std::optional<DimExpr> position(const ast::Expr *expr);

  // Calls (ElaborateCall.cpp)
  Value evalCall(const ast::CallExpr *expr);
  Value callNamed(llvm::StringRef name, const ast::CallExpr *expr, std::vector<Arg> &args);
  Value callBuiltin(llvm::StringRef name, const std::vector<Arg> &args, llvm::SMRange place,
                    bool &known);
  Value callDecl(const ast::Stmt *decl, const Module *module, std::vector<Arg> &args,
                 llvm::SMRange place);
  Value callFn(const ast::FnDecl *fn, const Module *module, Instance *self, std::vector<Arg> &args,
               llvm::SMRange place);
  Value makeLayer(const ast::LayerDecl *decl, const Module *module, std::vector<Arg> &args,
                  llvm::SMRange place);
  const ast::FnDecl *method(const Instance &instance, llvm::StringRef name);
  bool enter(Frame &callee, llvm::SMRange place, llvm::StringRef name);
  bool bindArguments(llvm::ArrayRef<Formal> formals, std::vector<Arg> &args, llvm::SMRange place,
                     const llvm::Twine &callee, std::vector<const Arg *> &bound);
  bool bindParameters(llvm::ArrayRef<ast::Parameter> parameters, llvm::ArrayRef<const Arg *> bound,
                      Frame &callee, std::vector<Equation> &equations, llvm::SMRange place);

  // Types (ElaborateType.cpp)
  std::optional<DimExpr> evalDim(const ast::Expr *expr);
  std::optional<DType> evalDType(const ast::Ident &name);
  bool isCompileTime(const ast::Type *type);
  bool coerce(const ast::Type *type, Value &value);
  bool matchTensor(const ast::Type *type, Value &value, llvm::SMRange place,
                   const std::string &what, std::vector<Equation> &equations);
  bool matchDType(const ast::Ident &name, DType actual, llvm::SMRange place,
                  const std::string &what);
  Value evalDefault(const ast::Parameter &parameter, std::vector<Equation> equations);
  bool unify(llvm::ArrayRef<ast::Generic> generics, std::vector<Equation> &equations,
             llvm::SMRange place);
  bool require(const Requirement &requirement, llvm::SMRange place, llvm::SMRange declared = {},
               DiagCode code = DiagCode::ShapeMismatch);
  bool requireEqual(const Equation &equation);
  Value checkResults(const ast::FnDecl *fn, const Value &value);

  // Operators on tensors (ElaborateOperator.cpp)
  Value binary(TokenKind op, const Value &lhs, const Value &rhs, llvm::SMRange place);
  Value foldNumbers(TokenKind op, const Value &lhs, const Value &rhs, llvm::SMRange place);
  Value foldDims(TokenKind op, const DimExpr &lhs, const DimExpr &rhs, llvm::SMRange place);
  std::optional<ir::Operand> operand(const Value &value, llvm::SMRange place);
  mlir::Value toTensor(const Value &value, std::optional<DType> like, llvm::SMRange place);
  mlir::Value get(const Weight *weight, llvm::SMRange place);

  // Primitive functions (ElaboratePrimitive.cpp)
  Value callPrimitive(const Primitive &primitive, std::vector<Arg> &args, llvm::SMRange place);
  bool gatherOperands(const Primitive &primitive, llvm::ArrayRef<const Arg *> bound,
                      llvm::SMRange place, llvm::SmallVectorImpl<mlir::Value> &operands,
                      llvm::SmallVectorImpl<int32_t> &segments);
  Value defaultValue(const Primitive::Slot &slot);
  std::optional<Dims> equalParts(int64_t count, llvm::SMRange place, mlir::ValueRange operands,
                                 const mlir::NamedAttrList &others);
  mlir::Attribute attribute(const Primitive::Slot &slot, const Value &value, llvm::SMRange place,
                            mlir::ValueRange operands, const mlir::NamedAttrList &others);
  mlir::Attribute axisAttribute(const Primitive::Slot &slot, const Value &value,
                                mlir::ValueRange operands);
  std::optional<Dims> paddingOf(const Value &value, mlir::ValueRange operands,
                                const mlir::NamedAttrList &others);
  std::optional<Dims> samePadding(mlir::ValueRange operands, const mlir::NamedAttrList &others);
  mlir::Attribute dimsAttr(llvm::ArrayRef<DimExpr> dims);
};

/// Largest number of iterations of one function, elements of a range, and steps of a whole model.
inline constexpr int64_t maxRounds = 100000, maxSteps = 10000000;
/// Deepest nesting of calls, and of expressions over all of them.
inline constexpr unsigned maxCalls = 100, maxEvalDepth = 1500;

/// A polynomial as messages write it.
std::string dimText(const DimExpr &expr);
/// An unknown dimension of a signature while it is being solved; no name of the language has '$'.
DimExpr unknownDim(llvm::StringRef name);
/// The list behind a value, if it is one of integers and dimensions (a single one counts).
std::optional<Dims> dimList(const Value &value);

} // namespace kiln

#endif // KILN_FRONTEND_ELABORATE_ELABORATOR_H
