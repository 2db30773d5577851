//===- Elaboration.h - where elaboration stands -----------------*- C++ -*-===//
//
// The call in progress, the code being emitted, what is known of its dimensions, and how to report
// what is wrong there.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_ELABORATE_ELABORATION_H
#define KILN_FRONTEND_ELABORATE_ELABORATION_H

#include "frontend/elaborate/Frame.h"
#include "ir/build/TensorBuilder.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"

namespace kiln {

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
  Value unsupported(SMRange place, StringRef what);
  mlir::Location location(SMRange place);
  /// Builds ops for the code at the place; what goes wrong is an error there.
  ir::TensorBuilder at(SMRange place);

  mlir::MLIRContext &context;
  Diagnostics &diags;
  mlir::OpBuilder builder;
  Frame *frame = nullptr;
  // Of the entry point being emitted:
  ir::DimScope scope;
  llvm::DenseMap<const Weight *, mlir::Value> loaded;
  llvm::MapVector<const Weight *, mlir::Value> stateValues; ///< as of the code being emitted
  /// The rows of a mask's true elements, with the block in which they were found.
  llvm::DenseMap<mlir::Value, std::pair<mlir::Block *, mlir::Value>> found;

private:
  void noteCallers(Diagnostics::Error &error, SMRange place);
};

} // namespace kiln

#endif // KILN_FRONTEND_ELABORATE_ELABORATION_H
