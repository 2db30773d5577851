//===- Model.h - one instance of a compiled model ---------------*- C++ -*-===//
#ifndef KILN_RUNTIME_MODEL_H
#define KILN_RUNTIME_MODEL_H

#include "runtime/Abi.h"
#include "runtime/Arena.h"
#include "runtime/Device.h"
#include "runtime/Profile.h"
#include "runtime/Status.h"
#include "runtime/ThreadPool.h"

namespace kiln::rt {

/// Begins with the context that generated code reads, so that a kiln_ctx * is an Instance *. Lies
/// in one block with its tables; the arena is a block of its own since it can grow.
struct Instance {
  static constexpr size_t errorBytes = 512;

  kiln_ctx ctx = {};
  const kiln_model_code *code = nullptr;
  kiln_entry_body *const *bodies = nullptr; ///< of the target chosen
  int32_t target = -1;                      ///< its position
  Allocator allocator;
  size_t blockBytes = 0;
  Arena arena;
  void *device = nullptr;    ///< what code->device holds; null: the processor computes
  int64_t *bounds = nullptr; ///< of all dimensions of all entries, in order
  int64_t *wanted = nullptr; ///< room for the dimensions of one entry, used while growing
  ThreadPool pool;
  kiln_executor executor = nullptr;
  void *executorContext = nullptr;
  Profile profile;
  int processId = 0; ///< of the creator: its threads do not exist in a forked child
  bool grow = false;
  int32_t busy = 0;    ///< an entry point is running
  int32_t stop = 0;    ///< a cancel is asked for
  int32_t current = 0; ///< entry that runs
  char error[errorBytes] = {};

  /// Starts a new error text.
  TextWriter fail() { return TextWriter(error, errorBytes); }
  /// Bounds of the dimensions of one entry.
  int64_t *boundsOf(int32_t entry) const;
};

/// The value of an extent under an entry's dimensions; INT64_MIN if it does not fit.
inline int64_t evaluate(const kiln_extent &extent, const int64_t *dims) {
  return extent.formula ? extent.formula(dims) : extent.value;
}

/// Bytes of a tensor; -1 if an extent is negative or the product does not fit.
int64_t tensorBytes(const kiln_tensor &tensor, const int64_t *dims);

/// Size of an element of a KILN_* type.
int64_t elementBytes(int32_t dtype);

/// Makes the arena large enough for an entry at these dimensions and checks the limits of its
/// tensors. The text of a failure goes to `text`.
kiln_status reserveFor(Instance &instance, int32_t number, const int64_t *dims, TextWriter text);

} // namespace kiln::rt

#endif // KILN_RUNTIME_MODEL_H
