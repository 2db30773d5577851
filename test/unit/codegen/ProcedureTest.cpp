//===- ProcedureTest.cpp - specs whose code is written --------------------===//

#include "codegen/procedures/Generate.h"
#include "codegen/spec/Evaluate.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"

#include "gtest/gtest.h"

using namespace kiln;
using namespace kiln::spec;

static const char topkText[] = R"(kernel
  symbol N = 1..64
  input in0 : f16 [N, 100] strides [100, 1] align 2
  output out0 : f16 [N, 100] strides [100, 1] align 64
  output out1 : i64 [N, 100] strides [100, 1] align 64
  scratch scratch0 : u8 [1600*min(16, N)] strides [1] align 64
  procedure topk [N, 100, 1, 100] largest=1 wide=0
)";

/// The spec of the text with a part of it replaced.
static KernelSpec topk(llvm::StringRef from = "", llvm::StringRef to = "") {
  llvm::StringRef whole = topkText;
  size_t at = from.empty() ? 0 : whole.find(from);
  std::string error,
      changed = llvm::join_items("", whole.take_front(at), to, whole.drop_front(at + from.size()));
  std::optional<KernelSpec> spec = parse(changed, error);
  EXPECT_TRUE(spec) << error;
  return spec.value_or(KernelSpec());
}

TEST(Procedure, IsTextOfASpec) {
  EXPECT_EQ(print(topk()), topkText);
  EXPECT_EQ(verify(topk()), "");
  EXPECT_NE(hash(topk()), hash(topk("largest=1", "largest=0")));
}

TEST(Procedure, MalformedIsRefused) {
  EXPECT_EQ(verify(topk("procedure topk", "procedure sing")), "procedure 'sing' is not known");
  EXPECT_EQ(verify(topk(", 1, 100]", ", 1]")), "procedure 'topk': expected 4 sizes, got 3");
  EXPECT_EQ(verify(topk("[N, 100, 1,", "[M, 100, 1,")), "procedure 'topk': unknown symbol 'M'");
  EXPECT_EQ(verify(topk("largest=1", "most=1")), "procedure 'topk' lacks 'largest'");
  EXPECT_EQ(verify(topk(" wide=0")), "procedure 'topk' has other constants");
  EXPECT_EQ(verify(topk("output out1", "input out1")),
            "procedure 'topk' has a wrong number of operands");
  EXPECT_EQ(verify(topk("  procedure", "  stage s : f16 anchor []\n    %0 = const 0 : f16\n"
                                       "    body %0\n  procedure")),
            "procedure 'topk' stands beside stages");
  std::string error;
  EXPECT_FALSE(parse((llvm::Twine(topkText) + "  procedure topk [1]\n").str(), error));
  EXPECT_EQ(error, "line 8: expected one 'procedure NAME [SIZES]'");
}

TEST(Procedure, GeneratorsOfStagesRefuseIt) {
  auto llvm = codegen::generateLLVM(topk(), {}, "k", 2);
  EXPECT_EQ(llvm::toString(llvm.takeError()), "procedure 'topk' has no stages to generate");
  EXPECT_EQ(evaluate(topk(), std::vector<void *>(4), {1}),
            "procedure 'topk' has no stages to evaluate");
}

TEST(Procedure, BecomesOneFunctionThatNeedsLittle) {
  auto made = codegen::generateProcedure(topk(), {}, "k");
  ASSERT_TRUE(bool(made)) << llvm::toString(made.takeError());
  auto again = codegen::generateProcedure(topk(), {}, "k");
  ASSERT_TRUE(bool(again));
  EXPECT_EQ(made->bitcode, again->bitcode);
  llvm::LLVMContext context;
  auto module =
      llvm::cantFail(parseBitcodeFile(llvm::MemoryBufferRef(made->bitcode, "k"), context));
  std::vector<std::string> visible, needed;
  for (llvm::Function &function : *module)
    if (!function.hasLocalLinkage() && !function.isIntrinsic())
      (function.isDeclaration() ? needed : visible).push_back(function.getName().str());
  EXPECT_EQ(visible, std::vector<std::string>{"k"});
  EXPECT_EQ(needed, std::vector<std::string>{"kiln_parallel_for"});
}
