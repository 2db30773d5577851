//===- SingleLanes.h - masked stores of one known lane ---------*- C++ -*-===//
//
// Where AVX-512 can store a truncated vector, LLVM 22 turns a masked store of a truncated value
// whose constant mask has one lane into a scalar store of the value before it was truncated: bytes
// behind the element are overwritten.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_LLVM_SINGLELANES_H
#define KILN_CODEGEN_LLVM_SINGLELANES_H

namespace llvm {
class Module;
}

namespace kiln::codegen {

/// Makes scalar stores of all masked stores of one known lane. To be run behind the last pass that
/// can find out what a mask is.
void storeSingleLanes(llvm::Module &module);

} // namespace kiln::codegen

#endif // KILN_CODEGEN_LLVM_SINGLELANES_H
