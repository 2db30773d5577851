//===- Device.h - what an instance asks of a device -------------*- C++ -*-===//
//
// The rest of the runtime reaches a device only through this table, so that libraries without code
// for one hold nothing of it.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_RUNTIME_DEVICE_H
#define KILN_RUNTIME_DEVICE_H

#include "runtime/Abi.h"
#include "runtime/Status.h"

// Each function writes the text of a failure, and leaves nothing behind that `close` does not give
// back. `open` comes first; all but `open` may be called from any thread, one at a time.
struct kiln_device_api {
  /// Finds a device, loads the code of the best target for it and moves the weights there; sets the
  /// instance's bodies, weights and state. KILN_NO_DEVICE if a processor could take over.
  kiln_status (*open)(kiln::rt::Instance &instance, const kiln_device_options &options,
                      kiln::rt::TextWriter &text);
  void (*close)(kiln::rt::Instance &instance);
  /// Makes the device's block large enough for an entry at these dimensions.
  kiln_status (*reserve)(kiln::rt::Instance &instance, int32_t entry, const int64_t *dims,
                         kiln::rt::TextWriter &text);
  /// Before and after a call. `end` waits for all that was queued, whatever came of it; a call
  /// that succeeds and `isQueued` does not.
  kiln_status (*begin)(kiln::rt::Instance &instance);
  kiln_status (*end)(kiln::rt::Instance &instance, kiln_status status, bool isQueued);
  /// Within a call that is profiled, before launch `index`: waits for the one before, and counts
  /// its time.
  kiln_status (*tick)(kiln::rt::Instance &instance, int32_t index);
  /// Waits for all calls that were queued.
  kiln_status (*wait)(kiln::rt::Instance &instance);
  /// Between the host and the state, outside of calls; `from` null: zeros.
  kiln_status (*setState)(kiln::rt::Instance &instance, int64_t offset, const void *from,
                          size_t bytes);
  kiln_status (*getState)(kiln::rt::Instance &instance, void *to, int64_t offset, size_t bytes);
};

#endif // KILN_RUNTIME_DEVICE_H
