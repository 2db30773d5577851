//===- HandModel.h - a small program made by hand ---------------*- C++ -*-===//
//
// y = x * w + state; state += 1; x, y: [N, 4] f32; w: [4]. The kernel is LLVM IR, runs over rows
// with kiln_parallel_for, and refuses x[0] == 99 with KILN_INDEX_OUT_OF_RANGE.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TEST_RUNTIME_HANDMODEL_H
#define KILN_TEST_RUNTIME_HANDMODEL_H

#include "codegen/link/Link.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

namespace kiln::test {

inline constexpr const char *scaleKernel = R"(
%closure = type { ptr, ptr, ptr, ptr }
declare i32 @kiln_parallel_for(ptr, ptr, i32, ptr)
define internal i32 @row(ptr %ctx, i32 %i, ptr %c) {
  %row = sext i32 %i to i64
  %first = mul i64 %row, 4
  %xp = load ptr, ptr %c
  %wpp = getelementptr ptr, ptr %c, i64 1
  %wp = load ptr, ptr %wpp
  %spp = getelementptr ptr, ptr %c, i64 2
  %sp = load ptr, ptr %spp
  %ypp = getelementptr ptr, ptr %c, i64 3
  %yp = load ptr, ptr %ypp
  %xr = getelementptr float, ptr %xp, i64 %first
  %yr = getelementptr float, ptr %yp, i64 %first
  %x = load <4 x float>, ptr %xr, align 4
  %x0 = extractelement <4 x float> %x, i32 0
  %bad = fcmp oeq float %x0, 99.0
  br i1 %bad, label %refuse, label %go
refuse:
  ret i32 6
go:
  %w = load <4 x float>, ptr %wp, align 16
  %s = load float, ptr %sp
  %sv0 = insertelement <4 x float> poison, float %s, i32 0
  %sv = shufflevector <4 x float> %sv0, <4 x float> poison, <4 x i32> zeroinitializer
  %p = fmul <4 x float> %x, %w
  %y = fadd <4 x float> %p, %sv
  store <4 x float> %y, ptr %yr, align 4
  ret i32 0
}
define i32 @scale(ptr %ctx, ptr %bufs, ptr %dims) {
  %n = load i64, ptr %dims
  %count = trunc i64 %n to i32
  %s = call i32 @kiln_parallel_for(ptr %ctx, ptr @row, i32 %count, ptr %bufs)
  ret i32 %s
}
)";

inline constexpr const char *countKernel = R"(
define i32 @count(ptr %ctx, ptr %bufs, ptr %dims) {
  %sp = load ptr, ptr %bufs
  %s = load float, ptr %sp
  %t = fadd float %s, 1.0
  store float %t, ptr %sp
  ret i32 0
}
)";

/// Bitcode of a module in text.
inline std::string assemble(const char *text) {
  llvm::LLVMContext context;
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(text, diagnostic, context);
  if (!module)
    return "";
  std::string bitcode;
  llvm::raw_string_ostream os(bitcode);
  llvm::WriteBitcodeToFile(*module, os);
  return bitcode;
}

/// x goes through the arena first, so that copies and offsets are met too.
inline host::Program handProgram() {
  using host::BufferRef;
  DimExpr n = DimExpr::symbol("N");
  host::Program program;
  program.modelName = "hand";
  program.version = "kiln test";
  program.weights = {{"w", "", 16}};
  program.states = {{"rounds", 4, std::nullopt}};
  host::EntryPoint entry;
  entry.name = "predict";
  entry.dimensions = {{"N", 0, std::nullopt}};
  entry.arguments = {{"x", DType::F32, {n, 4}}};
  entry.results = {{"y", DType::F32, {n, 4}}};
  entry.arenaBytes = n * 16 + 64;
  entry.limits = {n * 16};
  host::Launch copy;
  copy.kind = host::Launch::Kind::Copy;
  copy.buffers = {{BufferRef::Kind::Argument, 0, 0}, {BufferRef::Kind::Arena, 0, 64}};
  copy.dims = {n * 16};
  copy.label = "copy";
  copy.location = "hand.kiln:1";
  host::Launch scale;
  scale.kernel = "scale";
  scale.buffers = {{BufferRef::Kind::Arena, 0, 64},
                   {BufferRef::Kind::Weight, 0, 0},
                   {BufferRef::Kind::State, 0, 0},
                   {BufferRef::Kind::Result, 0, 0}};
  scale.dims = {n};
  scale.label = "scale";
  scale.location = "hand.kiln:2";
  host::Launch count;
  count.kernel = "count";
  count.buffers = {{BufferRef::Kind::State, 0, 0}};
  count.label = "count";
  count.location = "hand.kiln:3";
  entry.launches = {copy, scale, count};
  program.entries = {entry};
  return program;
}

/// Weights 1, 2, 3, 4 in two pieces.
inline llvm::Error handWeights(size_t, llvm::function_ref<void(llvm::ArrayRef<uint8_t>)> sink) {
  static const float values[] = {1, 2, 3, 4};
  llvm::ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(values), sizeof(values));
  sink(bytes.take_front(8));
  sink(bytes.drop_front(8));
  return llvm::Error::success();
}

/// Kernels for baseline x86-64 and one for AVX2.
inline std::vector<link::TargetKernels> handKernels() {
  std::vector<link::KernelCode> kernels = {{"scale", assemble(scaleKernel)},
                                           {"count", assemble(countKernel)}};
  return {{{"x86-64", "x86-64", ""}, kernels}, {{"x86-64-v3", "x86-64-v3", ""}, kernels}};
}

} // namespace kiln::test

#endif // KILN_TEST_RUNTIME_HANDMODEL_H
