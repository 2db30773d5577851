//===- Elaboration.h - where elaboration stands -----------------*- C++ -*-===//
//
// The call in progress, the code being emitted, what is known of its dimensions, and how to report
// what is wrong there.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_ELABORATE_ELABORATION_H
#define KILN_FRONTEND_ELABORATE_ELABORATION_H

#include "frontend/elaborate/Frame.h"
#include "ir/DataDimensions.h"
#include "ir/build/TensorBuilder.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"

namespace kiln {

using Args = std::vector<Arg>;
/// The arguments of a call by the slots of the function; null where none is given.
using Bound = llvm::ArrayRef<const Arg *>;

class Elaboration {
protected:
  template <typename T> using ArrayRef = llvm::ArrayRef<T>;
  template <typename T> using SmallVectorImpl = llvm::SmallVectorImpl<T>;
  using SMRange = llvm::SMRange;
  using StringRef = llvm::StringRef;

  Elaboration(mlir::MLIRContext &context, Diagnostics &diags)
      : context(context), diags(diags), builder(&context) {}

  /// All report at `place`, with a note for each call by which the code there is inlined.
  Value fail(SMRange place, DiagCode code, const llvm::Twine &message);
  Value failAt(SMRange place, DiagCode code, const llvm::Twine &message, SMRange other,
               const llvm::Twine &note);
  using Note = Diagnostics::Note;
  Value failWith(SMRange place, DiagCode code, const llvm::Twine &message, ArrayRef<Note> notes);
  Value missingReturn(const ast::FnDecl *fn);
  static std::string whyEntry(const ast::FnDecl *fn);
  void bindLocal(const ast::Ident &name, const Value &value);
  /// What the argument that comes first says of `...`.
  std::string leadingText() const;
  /// Which other arguments told the dimensions that an equation expects.
  llvm::SmallVector<Note> reasonsOf(const Equation &equation, ArrayRef<Equation> all,
                                    const Solution &solved) const;
  /// Remembers what stands at a place of the source, for notes: an expression before and after it
  /// is evaluated.
  void remember(const ast::Expr *expr, const Value &value);
  /// An error of a subscript is about what is indexed, too.
  void rememberSubscripts(const ast::IndexExpr *expr);
  /// Where a name of the frame comes from, and how messages say it.
  std::pair<SMRange, StringRef> boundAt(const Frame &at, StringRef name) const;
  mlir::Location location(SMRange place);
  /// Builds ops for the code at the place; what goes wrong is an error there.
  ir::TensorBuilder at(SMRange place);

  mlir::MLIRContext &context;
  Diagnostics &diags;
  mlir::OpBuilder builder;
  Frame *frame = nullptr;
  // Of the entry point being emitted:
  ir::DimScope scope;
  ir::BoundDimensions decided; ///< dimensions that values decide, of the code so far
  llvm::DenseMap<const Weight *, mlir::Value> loaded;
  llvm::MapVector<const Weight *, mlir::Value> stateValues; ///< as of the code being emitted
  /// The rows of a mask's true elements, with the block in which they were found.
  llvm::DenseMap<mlir::Value, std::pair<mlir::Block *, mlir::Value>> found;

private:
  struct Seen {
    const ast::Expr *expr;
    mlir::Type type; ///< of the tensor that it is, if it is one
  };
  using Place = std::pair<const char *, const char *>;
  llvm::DenseMap<Place, Seen> seen;                ///< by range
  llvm::DenseMap<Place, const ast::Expr *> owners; ///< what subscripts belong to, by range

  const Frame *frameOf(SMRange place) const;
  void noteCallers(Diagnostics::Error &error, SMRange place);
  void noteInstance(Diagnostics::Error &error, SMRange place);
  void noteParts(Diagnostics::Error &error, SMRange place);
  void notePart(Diagnostics::Error &error, const Frame &at, const ast::Expr *part);
};

} // namespace kiln

#endif // KILN_FRONTEND_ELABORATE_ELABORATION_H
