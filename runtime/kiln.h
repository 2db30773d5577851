/*===- kiln.h - C interface of every compiled model ----------------------===*\
|*
|* Status codes, options and reflection types that all models compiled by
|* Kiln share. Plain C99, needs nothing. The header written for a model
|* contains this text, so a user of one model never has to include it.
|*
\*===----------------------------------------------------------------------===*/
#ifndef KILN_H
#define KILN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a call came to. A text with names is in last_error() of the model; where creation failed, in
 * options->error and in last_error(NULL), which tells of the last creation by any thread. */
enum {
  KILN_OK = 0,
  KILN_INVALID_ARGUMENT = 1, /* null, misaligned, overlapping, wrong extent */
  KILN_TOO_LARGE = 2,        /* a dimension above its bound */
  KILN_OUT_OF_MEMORY = 3,
  KILN_UNSUPPORTED_CPU = 4, /* no kernels for this machine in the library */
  KILN_CANCELLED = 5,
  KILN_INDEX_OUT_OF_RANGE = 6, /* a gather or scatter met a bad index */
  KILN_BUSY = 7,               /* the model is in use by another thread */
  KILN_THREADS_FAILED = 8,     /* worker threads could not be started */
  KILN_BUFFER_TOO_SMALL = 9,   /* the size needed was written */
  KILN_NO_DEVICE = 10,         /* no GPU or driver that the library can use */
  KILN_DEVICE_FAILED = 11      /* the GPU or its driver reports an error */
};
typedef int32_t kiln_status;

/* Element types. bool is one byte 0/1; f16 and bf16 are bit patterns in uint16_t. */
enum {
  KILN_F64,
  KILN_F32,
  KILN_F16,
  KILN_BF16,
  KILN_F8E4M3,
  KILN_F8E5M2,
  KILN_I64,
  KILN_I32,
  KILN_I16,
  KILN_I8,
  KILN_U8,
  KILN_BOOL
};

/* Runs task(closure, i) for every i in [0, count), in any order, on any threads, and returns when
 * all are done: 0, or a non-zero result of a task. */
typedef int32_t (*kiln_executor)(void *executor_context,
                                 int32_t (*task)(void *closure, int32_t index), void *closure,
                                 int32_t count);

/* Options of creation; zero means the default. The options of a model have these fields, followed
 * by one int64_t max_NAME for each of its dimensions (0: the bound declared in the model, which a
 * max_NAME may lower), followed by those of kiln_device_options. */
typedef struct kiln_options {
  uint32_t struct_size; /* sizeof the model's options type */
  int32_t threads;   /* 0: all that affinity and cgroup allow, never more; 1: the caller's alone */
  char *error;       /* receives the reason of a failed creation, always terminated */
  size_t error_size; /* bytes at error */
  int32_t grow;      /* let a call above a max_NAME reallocate, and keep that */
  int32_t prefault;  /* read the weights' pages at creation */
  int32_t pin;       /* bind each worker thread to one processor */
  int32_t profile;   /* count time per launch */
  kiln_executor executor; /* replaces the threads of the model; threads is then how many it has */
  void *executor_context;
  void *(*allocate)(void *context, size_t bytes, size_t alignment); /* replaces mmap; null: none */
  void (*deallocate)(void *context, void *data, size_t bytes);
  void *allocator_context;
} kiln_options;

enum {
  KILN_DEVICE_ANY = 0,  /* a GPU if one can be used, else the processor if there is code for it */
  KILN_DEVICE_CPU = -1, /* the driver is not touched */
  KILN_DEVICE_GPU = -2  /* none that can be used is an error */
};
#define KILN_DEVICE_GPU_NUMBER(ordinal) ((ordinal) + 1) /* from 0: that GPU, or an error */
/* Options that follow the max_NAMEs; those that struct_size leaves out are 0. With a context or a
 * stream, which the caller keeps until destroy(), a GPU that cannot be used is an error. */
typedef struct kiln_device_options {
  int32_t device;     /* KILN_DEVICE_... */
  int32_t no_graphs;  /* launch kernels one by one, also for dimensions that come again */
  void *cuda_context; /* CUcontext; null: the primary one of the GPU */
  void *cuda_stream;  /* CUstream of that context for all work; null: one of our own */
} kiln_device_options;

/* An extent: a number (formula is null), or a formula over the dimensions of its entry point.
 * Formulas give INT64_MIN where the value does not fit. */
typedef struct kiln_extent {
  int64_t value;
  int64_t (*formula)(const int64_t *dims);
  const char *text; /* "2*H + 1" */
} kiln_extent;

typedef struct kiln_tensor {
  const char *name;
  int32_t dtype;
  int32_t rank;
  const kiln_extent *shape;
} kiln_tensor;

/* One that values decide is given to a call as a capacity of the results that have it; what it is,
 * the call writes behind the results. */
typedef struct kiln_dimension {
  const char *name;
  int64_t lower;
  int64_t upper;     /* declared bound, inclusive; -1: none */
  int32_t max_index; /* position of its max_NAME behind kiln_options; -1: values decide it */
  int32_t is_data;   /* whether values decide it */
  kiln_extent most;  /* if so: no call gives more */
} kiln_dimension;

/* One step of an entry point, for profiles. */
typedef struct kiln_launch {
  const char *label;
  const char *location;
  kiln_extent flops;
  kiln_extent bytes;
} kiln_launch;

/* What the dimensions of a call must satisfy: `got` is equal to `expected`, or at least or at most
 * that. */
enum { KILN_EQUAL, KILN_AT_LEAST, KILN_AT_MOST };
typedef struct kiln_check {
  kiln_extent got;
  kiln_extent expected;
  const char *subject; /* what `got` is: "the index 'N - 3' (model.kiln:4)" */
  int32_t relation;
  int32_t late; /* 0: checked before anything runs; else what a call returns that finds it broken
                 * while it runs, and the extents have no formulas */
} kiln_check;

typedef struct kiln_entry {
  const char *name;
  int32_t num_dimensions, num_arguments, num_results, num_checks, num_launches, num_limits;
  const kiln_dimension *dimensions;
  const kiln_tensor *arguments;
  const kiln_tensor *results;
  const kiln_check *checks;
  const kiln_launch *launches;
  /* These two take the largest dimensions of calls, not those of one call. */
  kiln_extent arena_bytes;
  const kiln_extent *limits; /* byte counts of tensors that must stay below 2^31 */
} kiln_entry;

/* A tensor kept between calls. */
typedef struct kiln_state {
  const char *name;
  int64_t bytes;
} kiln_state;

/* Time spent in one launch since creation. */
typedef struct kiln_profile_row {
  int64_t calls;
  int64_t nanoseconds;
} kiln_profile_row;

/* The description of a model: the symbol kiln_model_v1 of its shared library (MODEL_kiln_model_v1
 * in a static one). An instance is created by create() and used through these pointers, which do
 * the same as the model's own typed functions. */
typedef struct kiln_model {
  uint32_t struct_size; /* of kiln_model, as the compiler of the library knew it */
  uint32_t abi_version; /* 1 */
  const char *name;
  const char *version; /* of the compiler and its generators */
  int32_t num_entries, num_maxima, num_states, num_targets;
  const kiln_entry *entries;
  const char *const *maxima; /* names of the max_NAME options, in order */
  const kiln_state *states;
  const char *const *targets; /* what kernels were compiled for, plainest first */
  int64_t weight_bytes;
  kiln_status (*create)(const kiln_options *options, void **instance);
  /* bufs: arguments, results, then an int64_t for each dimension that values decide; dims in the
   * order of the entry's dimensions. */
  kiln_status (*call)(void *instance, int32_t entry, const int64_t *dims, void *const *bufs);
  const char *(*last_error)(const void *instance);
  kiln_status (*reset)(void *instance);
  void (*cancel)(void *instance);
  void (*destroy)(void *instance);
  /* All states, in order and without gaps; data null: only *size is written. */
  kiln_status (*state_get)(void *instance, void *data, size_t *size);
  kiln_status (*state_set)(void *instance, const void *data, size_t size);
  /* One row for each launch of the entry; null without options->profile. */
  const kiln_profile_row *(*profile)(const void *instance, int32_t entry);
  /* That of `targets` whose kernels the instance runs. */
  const char *(*target)(const void *instance);
  kiln_status (*enqueue)(void *instance, int32_t entry, const int64_t *dims, void *const *bufs);
  kiln_status (*wait)(void *instance); /* enqueue is call, but leaves the end on a GPU to this */
} kiln_model;

#ifdef __cplusplus
}
#endif

#endif /* KILN_H */
