//===- Descriptor.h - constants that describe a model -----------*- C++ -*-===//
#ifndef KILN_CODEGEN_HOST_DESCRIPTOR_H
#define KILN_CODEGEN_HOST_DESCRIPTOR_H

#include "codegen/host/Host.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

namespace kiln::host {

/// Emits constants of the types in runtime/kiln.h and runtime/Abi.h, field by field in order.
class Descriptor {
public:
  Descriptor(llvm::Module &module, const Program &program) : module(module), program(program) {}

  /// The exported kiln_model, the kiln_model_code behind it, and the internal function model_create
  /// that binds the two. `bodies` has the entry bodies of each target.
  void emit(llvm::ArrayRef<Target> targets, llvm::ArrayRef<std::vector<llvm::Function *>> bodies,
            llvm::StringRef reflection);

  /// A constant array behind a pointer; null for none.
  llvm::Constant *array(llvm::ArrayRef<llvm::Constant *> elements, const llvm::Twine &name);

private:
  llvm::Constant *i32(int64_t value);
  llvm::Constant *i64(int64_t value);
  llvm::Constant *null();
  llvm::Constant *text(llvm::StringRef value);
  llvm::Constant *record(llvm::ArrayRef<llvm::Constant *> fields);
  llvm::Constant *extent(const EntryPoint &entry, const DimExpr &expr);
  llvm::Constant *upperBound(const EntryPoint &entry, const DimExpr &expr);
  llvm::Function *formula(const EntryPoint &entry, const DimExpr &expr, bool isBound);
  llvm::Function *sideWhere(const EntryPoint &entry, const Requirement &check);
  llvm::Constant *check(const EntryPoint &entry, const Requirement &check);
  llvm::Constant *tensors(const EntryPoint &entry, llvm::ArrayRef<TensorInfo> tensors);
  llvm::Constant *dimensions(const EntryPoint &entry);
  llvm::Constant *entry(const EntryPoint &entry);
  llvm::Constant *cubin(llvm::StringRef code);
  llvm::Constant *device(const Target &target);
  llvm::Constant *model(llvm::ArrayRef<Target> targets, llvm::Constant *code);
  llvm::Function *createFunction(llvm::Constant *code);

  llvm::Module &module;
  const Program &program;
  llvm::StringMap<llvm::Constant *> texts;
  llvm::StringMap<llvm::Function *> formulas;
};

} // namespace kiln::host

#endif // KILN_CODEGEN_HOST_DESCRIPTOR_H
