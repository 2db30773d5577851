//===- MemberName.cpp - names of members with numbers in them -------------===//

#include "frontend/syntax/MemberName.h"

using namespace kiln;
using namespace kiln::ast;
using namespace llvm;

std::string kiln::withNumbers(const Ident &name, function_ref<std::string(const Ident &)> number) {
  std::string result;
  StringRef rest = name.text;
  while (!rest.empty()) {
    auto [plain, behind] = rest.split('{');
    result += plain;
    auto [counter, next] = behind.split('}');
    if (!counter.empty())
      result += number({counter, SMRange(SMLoc::getFromPointer(counter.begin()),
                                         SMLoc::getFromPointer(counter.end()))});
    rest = next;
  }
  return result;
}

std::string kiln::formOfName(const Ident &name) {
  return withNumbers(name, [](const Ident &) { return "{}"; });
}
