//===- Abi.h - what kernels, host code and the runtime agree on -*- C++ -*-===//
//
// The calling convention of kernels, the head of an instance that generated code reads, the
// descriptor that generated code provides, and the functions it calls. codegen/host emits
// constants of these types by field order; tests compare the layouts.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_RUNTIME_ABI_H
#define KILN_RUNTIME_ABI_H

#include "runtime/kiln.h"

namespace kiln::rt {
struct Instance;
} // namespace kiln::rt

extern "C" {

struct kiln_device_api;

/// The part of an instance that generated code reads; kernels read `round` alone and pass it on.
/// Where a device computes, the addresses are the device's, but of the table of weights itself.
struct kiln_ctx {
  uint8_t *arena;             ///< 64-byte aligned, large enough for every entry at its bounds
  const void *const *weights; ///< by index of Program::weights
  uint8_t *state;             ///< all states, each 64-byte aligned
  /// Non-zero if kiln_rt_attend must be called before each launch (cancelled, or profiling).
  int32_t attention;
  int32_t failedLaunch; ///< set by an entry body when it returns another status than KILN_OK
  /// Of the loop that an entry body runs. Kernels may go through their work forth in even rounds
  /// and back in odd ones, never with another result.
  int32_t round;
};

/// A kernel: `bufs` are operands, results and scratch in spec order; `dims` the spec's symbols in
/// order. Returns a kiln_status.
using kiln_kernel = int32_t(kiln_ctx *ctx, void *const *bufs, const int64_t *dims);

/// The body of an entry point: all its launches. `bufs` are arguments, then results.
using kiln_entry_body = int32_t(kiln_ctx *ctx, void *const *bufs, const int64_t *dims);

using kiln_task = int32_t(kiln_ctx *ctx, int32_t index, void *closure);

/// Runs task(ctx, i, closure) for all i in [0, count) on the instance's threads; the caller works
/// too. Returns KILN_OK or the status of the failing task with the lowest index. A call from
/// within a task runs in that task's thread.
int32_t kiln_parallel_for(kiln_ctx *ctx, kiln_task *task, int32_t count, void *closure);

/// The same for kernels that Halide generated; user_context is the kiln_ctx.
int halide_do_par_for(void *user_context, int (*task)(void *, int, uint8_t *), int min, int size,
                      uint8_t *closure);

/// Called by an entry body before launch `index` (and with the number of launches at its end) if
/// ctx->attention is set. Returns KILN_CANCELLED if the call is to stop, else KILN_OK.
int32_t kiln_rt_attend(kiln_ctx *ctx, int32_t index);
/// Writes the text of a broken late check of the entry point; what the call returns.
int32_t kiln_rt_refuse(kiln_ctx *ctx, int32_t check, int64_t got, int64_t expected);

/// Features of x86-64 processors beyond the baseline, as bits of Target::features.
enum : uint64_t {
#define KILN_CPU_FEATURE(Name, llvmName, bit) KILN_CPU_##Name = uint64_t(1) << bit,
#include "runtime/CpuFeatures.def"
};

/// Version of the kernel ABI: part of the key under which generated kernels are kept.
#define KILN_ABI_VERSION 4

/// What a target on a device has beside its bodies.
struct kiln_device_code {
  int32_t capability;           ///< of the device: 80 for 8.0
  int32_t exact;                ///< non-zero: no later one will do
  const char *image;            ///< PTX, terminated
  const void *cubin;            ///< machine code for the capability; null: none
  const char *const *functions; ///< entry points in the image; bodies know them by position
  const int32_t *shared;        ///< memory that a block of each asks for at its launch, in bytes
  int64_t num_functions;
  int64_t uses_tensors;     ///< non-zero: some launches take tensors
  const kiln_extent *bytes; ///< for each entry: the device's block, at the bounds of the dimensions
};

/// One set of compiled kernels.
struct kiln_target_code {
  uint64_t features;              ///< all must be present
  kiln_entry_body *const *bodies; ///< one for each entry
  const kiln_device_code *device; ///< null: the processor runs all
};

struct kiln_weight_blob {
  const void *data;
  int64_t bytes;
};

struct kiln_state_init {
  int64_t offset; ///< in ctx->state
  int64_t weight; ///< index of the weight it starts as; -1: zeros
};

/// What the generated host module provides; all of it constant.
struct kiln_model_code {
  const kiln_model *model;
  const kiln_target_code *targets; ///< model->num_targets, plainest first
  const void *const *weights;
  const kiln_weight_blob *blobs;
  int64_t numWeights;
  const kiln_state_init *states; ///< model->num_states
  int64_t stateBytes;            ///< with alignment gaps
  const kiln_device_api *device; ///< null: no target is for a device
};

// What bodies for a device call, between the beginning and the end of a call: steps are queued in
// order. The caller's end of an upload or download may lie on the device too.
int32_t kiln_device_upload(kiln_ctx *ctx, void *to, const void *from, int64_t bytes);
int32_t kiln_device_download(kiln_ctx *ctx, void *to, const void *from, int64_t bytes);
int32_t kiln_device_copy(kiln_ctx *ctx, void *to, const void *from, int64_t bytes);
/// The same as download, and waits for it: what decides on a loop or branch.
int32_t kiln_device_fetch(kiln_ctx *ctx, void *to, const void *from, int64_t bytes);
/// KILN_INDEX_OUT_OF_RANGE if the bool at `place` is false; waits for it.
int32_t kiln_device_assert(kiln_ctx *ctx, const void *place);
/// `launch`: position in the entry, for texts. Behind the arguments lie as many kiln_device_tensor
/// as `tensors` says, whose maps the kernel takes as its last arguments.
int32_t kiln_device_launch(kiln_ctx *ctx, int32_t launch, int32_t function, int64_t blocks,
                           int32_t threads, int64_t *arguments, int32_t count, int32_t tensors);

/// A tensor of which a kernel copies boxes, with lines of 128 bytes; the innermost dimension first.
struct kiln_device_tensor {
  int64_t argument;      ///< position of its address
  int64_t element_bytes; ///< 1 or 2
  int64_t rank;          ///< 2 or 3
  int64_t extents[3], box[3];
  int64_t strides[2]; ///< in bytes, of all dimensions but the innermost
};

/// Around steps of an entry that no value decides on, so that equal dimensions give equal steps.
/// KILN_STEPS_DONE: the steps are queued already; else they follow, and then the end.
enum : int32_t { KILN_STEPS_DONE = -1 };
int32_t kiln_device_begin_steps(kiln_ctx *ctx, const int64_t *dims);
int32_t kiln_device_end_steps(kiln_ctx *ctx);

/// The driver of CUDA devices, in libraries with code for one.
extern const kiln_device_api kiln_cuda_api;

// Behind the typed functions of a model. Each checks its arguments.
kiln_status kiln_rt_create(const kiln_model_code *code, const kiln_options *options,
                           void **instance);
kiln_status kiln_rt_call(void *instance, int32_t entry, const int64_t *dims, void *const *bufs);
/// The same without waiting for a device at the end.
kiln_status kiln_rt_enqueue(void *instance, int32_t entry, const int64_t *dims, void *const *bufs);
/// Waits for all that is queued.
kiln_status kiln_rt_wait(void *instance);
const char *kiln_rt_last_error(const void *instance);
kiln_status kiln_rt_reset(void *instance);
void kiln_rt_cancel(void *instance);
void kiln_rt_destroy(void *instance);
kiln_status kiln_rt_state_get(void *instance, void *data, size_t *size);
kiln_status kiln_rt_state_set(void *instance, const void *data, size_t size);
const kiln_profile_row *kiln_rt_profile(const void *instance, int32_t entry);
const char *kiln_rt_target(const void *instance);

} // extern "C"

#endif // KILN_RUNTIME_ABI_H
