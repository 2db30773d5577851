//===- SharedTest.cpp - faults that the emulator tells in shared memory ---===//

#include "test/gpu/Emulator.h"
#include "test/unit/kernels/Specs.h"
#include "test/unit/llvm/Harness.h"

#include "codegen/cuda/Plan.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"

using namespace kiln;
using namespace kiln::test;

/// Rows of sums, a block each.
static KernelSpec sums() {
  KernelSpec spec;
  spec.operands = {operand("x", DType::F32, {5, 1500}), output("y", DType::F32, {5})};
  spec.stages = {reducing("y", DType::F32, {5}, {1500}, Combiner::Add, constant(0.0, DType::F32),
                          readAt("x", DType::F32, {0, 1}))};
  return spec;
}

/// Products by tiles, more of them than there are blocks that run.
static KernelSpec products(DType type) {
  KernelSpec spec;
  spec.operands = {operand("x", type, {4, 32, 160}), operand("w", type, {4, 160, 32}),
                   output("y", DType::F32, {4, 32, 32})};
  ExprPtr x = readAt("x", type, {0, 1, 3}), w = readAt("w", type, {0, 3, 2});
  if (type != DType::F32) {
    x = cast(x, DType::F32);
    w = cast(w, DType::F32);
  }
  spec.stages = {reducing("y", DType::F32, {4, 32, 32}, {160}, Combiner::Add,
                          constant(0.0, DType::F32), relaxed(apply(Op::Mul, {x, w})))};
  return spec;
}

/// Plain loads or stores of shared memory.
static std::vector<llvm::Instruction *> touches(llvm::Module &module, bool isStore) {
  std::vector<llvm::Instruction *> found;
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function))
      if (const llvm::Value *at = llvm::getLoadStorePointerOperand(&instruction))
        if (at->getType()->getPointerAddressSpace() == 3 &&
            llvm::isa<llvm::StoreInst>(instruction) == isStore)
          found.push_back(&instruction);
  return found;
}

static void move(llvm::Instruction *instruction, unsigned argument, int64_t bytes) {
  llvm::IRBuilder<> b(instruction);
  llvm::Value *at = instruction->getOperand(argument);
  instruction->setOperand(argument, b.CreateGEP(b.getInt8Ty(), at, b.getInt64(bytes)));
}

/// What the emulator says of the spec's kernel, changed by `change`, on random numbers: of what is
/// known here, that alone.
static std::string said(const KernelSpec &spec, const Emulated::Change &change) {
  std::string text = compareEmulated(spec, {}, 1e-4, change);
  for (const char *known : {"outside shared memory", "a read of shared memory that nobody wrote",
                            "a race in shared memory: a copy is under way",
                            "a race in shared memory: two writes", "a race in shared memory"})
    if (text.find(known) != std::string::npos)
      return known;
  return text;
}

TEST(GPUShared, LackOfABarrierIsARace) {
  for (auto [spec, barriers] :
       {std::pair(sums(), 2u), {products(DType::F32), 4u}, {products(DType::F16), 4u}}) {
    EXPECT_EQ(said(spec, {}), "");
    size_t found = 0;
    for (size_t i = 0; i < barriers; ++i) {
      std::string text = said(spec, [&](llvm::Module &module) {
        std::vector<llvm::CallInst *> calls = callsOf(module, "llvm.nvvm.barrier");
        found = calls.size();
        if (i < found)
          calls[i]->eraseFromParent();
      });
      EXPECT_NE(text.find("a race in shared memory"), std::string::npos) << i << ": " << text;
    }
    EXPECT_EQ(found, barriers);
  }
}

TEST(GPUShared, WritesOfOnePlaceAreARace) {
  auto toOne = [](llvm::Module &module) {
    llvm::Instruction *store = touches(module, true)[0];
    llvm::Value *base = &*module.globals().begin();
    ASSERT_EQ(base->getType()->getPointerAddressSpace(), 3u);
    store->setOperand(llvm::StoreInst::getPointerOperandIndex(), base);
  };
  EXPECT_EQ(said(sums(), toOne), "a race in shared memory: two writes");
}

TEST(GPUShared, WhoReadsBeforeACopyIsThereIsToldOf) {
  auto longer = [](llvm::Module &module) {
    llvm::CallInst *call = callsOf(module, "llvm.nvvm.cp.async.wait")[0];
    call->setArgOperand(0, llvm::ConstantInt::get(call->getArgOperand(0)->getType(), 3));
  };
  EXPECT_EQ(said(products(DType::F16), longer), "a race in shared memory: a copy is under way");
}

TEST(GPUShared, WhatNobodyWroteIsNotRead) {
  auto drop = [](llvm::Module &module) { touches(module, true).back()->eraseFromParent(); };
  for (const KernelSpec &spec : {sums(), products(DType::F32)})
    EXPECT_EQ(said(spec, drop), "a read of shared memory that nobody wrote");
  auto dropCopy = [](llvm::Module &module) {
    callsOf(module, "llvm.nvvm.cp.async.cg")[0]->eraseFromParent();
  };
  EXPECT_EQ(said(products(DType::F16), dropCopy), "a read of shared memory that nobody wrote");
}

/// In each way in which shared memory is touched, at both ends.
TEST(GPUShared, BoundsAreChecked) {
  for (int64_t bytes : {-(1 << 16), 1 << 16}) {
    for (bool isStore : {false, true})
      for (const KernelSpec &spec : {sums(), products(DType::F32)}) {
        auto away = [&](llvm::Module &module) { // the last one
          move(touches(module, isStore).back(), isStore, bytes);
        };
        EXPECT_EQ(said(spec, away), "outside shared memory") << isStore << " " << bytes;
      }
    for (const char *name : {"llvm.nvvm.ldmatrix", "llvm.nvvm.cp.async.cg"}) {
      auto away = [&](llvm::Module &module) { move(callsOf(module, name).back(), 0, bytes); };
      EXPECT_EQ(said(products(DType::F16), away), "outside shared memory") << name << " " << bytes;
    }
  }
  // By one element.
  auto behind = [](llvm::Module &module) {
    for (llvm::Instruction *load : touches(module, false))
      move(load, 0, 4);
  };
  EXPECT_EQ(said(sums(), behind), "outside shared memory");
}
