//===- DriverCalls.h - how calls of the tests' driver begin -----*- C++ -*-===//

#ifndef KILN_TEST_GPU_DRIVERCALLS_H
#define KILN_TEST_GPU_DRIVERCALLS_H

#include "test/gpu/DriverState.h"

/// Locks, notes the call, and leaves with a result where one is asked for.
#define ENTER(name)                                                                                \
  std::lock_guard lock(driver().mutex);                                                            \
  if (Result wanted = driver().enter(name))                                                        \
  return wanted
/// The same for functions that need a context.
#define ENTER_CONTEXT(name)                                                                        \
  ENTER(name);                                                                                     \
  if (driver().current.empty())                                                                    \
  return driver().fault(llvm::Twine(name) + " without a context"), InvalidContext

namespace kiln::test {

/// The stream; null and a fault if there is none, or it is not of the current context.
FakeStream *findStream(void *stream);

} // namespace kiln::test

#endif // KILN_TEST_GPU_DRIVERCALLS_H
