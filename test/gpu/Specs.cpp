//===- Specs.cpp - kernel specs in text -----------------------------------===//

#include "test/gpu/Specs.h"

using namespace kiln;
using namespace llvm;

Error test::readSpecs(StringRef rest,
                      function_ref<void(StringRef, const spec::KernelSpec &)> take) {
  while (!rest.trim().empty()) {
    rest = rest.ltrim();
    StringRef name = "kernel";
    if (rest.consume_front("# "))
      std::tie(name, rest) = rest.split('\n');
    size_t end = rest.find("\n# ");
    std::string message;
    auto spec = spec::parse(rest.substr(0, end), message);
    if (!spec)
      return createStringError(name + ": " + message);
    take(name, *spec);
    rest = end == StringRef::npos ? "" : rest.substr(end + 1);
  }
  return Error::success();
}
