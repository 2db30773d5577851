//===- Assemble.cpp - whether ptxas takes the PTX of tested kernels -------===//

#include "test/gpu/Assemble.h"

#include "codegen/cuda/Generate.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

using namespace kiln;
using namespace kiln::test;

namespace {
class Assembler : public testing::Environment {
public:
  void add(const spec::KernelSpec &spec, std::string_view chip);
  void TearDown() override;

private:
  std::map<std::string, std::string, std::less<>> texts; ///< by chip: one module
  size_t count = 0;
};
} // namespace

void Assembler::add(const spec::KernelSpec &spec, std::string_view chip) {
  std::vector<std::string_view> chips = cuda::chips();
  if (chip.empty())
    chip = chips[count % chips.size()];
  auto kernel = cuda::generateCUDA(spec, chip, "k" + std::to_string(count++));
  if (!kernel) {
    ADD_FAILURE() << llvm::toString(kernel.takeError());
    return;
  }
  EXPECT_EQ(kernel->ptx.find("\tcall"), std::string::npos) << print(spec) << kernel->ptx;
  cuda::append(texts[std::string(chip)], kernel->ptx);
}

void Assembler::TearDown() {
  llvm::StringRef program = KILN_PTXAS;
  for (auto &[chip, text] : texts) {
    if (program.empty())
      return;
    llvm::SmallString<128> path;
    int file;
    ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("kiln", "ptx", file, path));
    llvm::raw_fd_ostream(file, true) << text;
    std::string arch = "-arch=" + chip;
    int code = llvm::sys::ExecuteAndWait(program, {program, arch, path, "-o", "/dev/null"});
    EXPECT_EQ(code, 0) << "ptxas " << arch << " " << path.str().str();
    if (code == 0)
      llvm::sys::fs::remove(path);
  }
}

static auto *assembler = static_cast<Assembler *>(testing::AddGlobalTestEnvironment(new Assembler));

void test::assembleLater(const spec::KernelSpec &spec, std::string_view chip) {
  assembler->add(spec, chip);
}
