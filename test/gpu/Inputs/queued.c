/* Calls a compiled mlp.kiln on a GPU in all ways that its header offers: with memory of the host
 * and of the device, on streams of the caller, queued. Each way gives the bits of a plain call. */
#include "mlp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The driver's functions that a caller uses. */
int cuInit(unsigned flags);
int cuCtxCreate_v2(void **context, unsigned flags, int device);
int cuCtxDestroy_v2(void *context);
int cuCtxPopCurrent_v2(void **context);
int cuMemAlloc_v2(uint64_t *address, size_t bytes);
int cuMemFree_v2(uint64_t address);
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream);
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream);
int cuStreamCreate(void **stream, unsigned flags);
int cuStreamDestroy_v2(void *stream);
int cuStreamSynchronize(void *stream);

#define EXPECT(condition)                                                                          \
  do                                                                                               \
    if (!(condition)) {                                                                            \
      printf("line %d: %s; %s\n", __LINE__, #condition, error);                                    \
      exit(1);                                                                                     \
    }                                                                                              \
  while (0)

enum { most = 6, in = 784, out = 10 };
static float images[most * in], want[most][most * out];
static char error[512];

static mlp_options plain(void) {
  mlp_options options = {0};
  options.struct_size = sizeof options;
  options.threads = 1;
  options.error = error;
  options.error_size = sizeof error;
  options.max_N = most;
  return options;
}

static mlp *create(mlp_options options) {
  mlp *model = NULL;
  mlp_create(&options, &model);
  EXPECT(model);
  return model;
}

/* What is wrong with options, and what the library says. */
static void refuse(mlp_options options) {
  mlp *model = NULL;
  kiln_status status = mlp_create(&options, &model);
  EXPECT(status != KILN_OK && !model);
  printf("%d: %s\n", (int)status, error);
}

static void expectAll(int n, const float *got) {
  EXPECT(!memcmp(got, want[n - 1], (size_t)n * out * sizeof(float)));
}

/* More numbers of images than graphs are kept for; some twice in a row, some again later. */
static void graphs(int isOff) {
  mlp_options options = plain();
  mlp *model;
  float got[most * out];
  options.no_graphs = isOff;
  options.device = KILN_DEVICE_GPU;
  model = create(options);
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 2 * most; ++i) {
      int n = i / 2 + 1;
      EXPECT(mlp_logits(model, n, images, got) == KILN_OK);
      expectAll(n, got);
    }
  mlp_destroy(model);
}

/* A context and two streams of the caller, an instance on each, memory of the device: of a number's
 * alignment and no more. */
static void foreign(void) {
  void *context, *streams[2], *other;
  uint64_t memory[3], x, y[2];
  float got[most * out];
  mlp *models[2];
  EXPECT(!cuInit(0) && !cuCtxCreate_v2(&context, 0, 0));
  EXPECT(!cuMemAlloc_v2(&memory[2], sizeof images + sizeof(float)));
  x = memory[2] + sizeof(float);
  for (int i = 0; i < 2; ++i) {
    mlp_options options = plain();
    EXPECT(!cuStreamCreate(&streams[i], 1) &&
           !cuMemAlloc_v2(&memory[i], sizeof got + sizeof(float)));
    y[i] = memory[i] + sizeof(float);
    options.cuda_context = context;
    options.cuda_stream = streams[i];
    models[i] = create(options);
  }
  for (int round = 0; round < 3; ++round) {
    EXPECT(!cuMemcpyHtoDAsync_v2(x, images, sizeof images, streams[0]) &&
           !cuStreamSynchronize(streams[0]));
    EXPECT(mlp_logits_enqueue(models[0], 3, (float *)x, (float *)y[0]) == KILN_OK);
    EXPECT(mlp_logits_enqueue(models[1], 2, (float *)x, (float *)y[1]) == KILN_OK);
    for (int i = 0; i < 2; ++i) {
      memset(got, 0, sizeof got);
      EXPECT(!cuMemcpyDtoHAsync_v2(got, y[i], sizeof got, streams[i]) &&
             !cuStreamSynchronize(streams[i]));
      expectAll(3 - i, got);
    }
    EXPECT(mlp_logits(models[0], 3, (float *)x, got) == KILN_OK);
    expectAll(3, got);
    EXPECT(mlp_logits(models[0], 3, (float *)(x + 2), got) == KILN_INVALID_ARGUMENT);
    EXPECT(strstr(mlp_last_error(models[0]), "is misaligned: expected a multiple of 4 bytes"));
  }
  for (int i = 0; i < 2; ++i)
    mlp_destroy(models[i]);
  for (int i = 0; i < 3; ++i)
    EXPECT(!cuMemFree_v2(memory[i]));
  EXPECT(!cuStreamDestroy_v2(streams[0]) && !cuStreamDestroy_v2(streams[1]));
  EXPECT(!cuCtxPopCurrent_v2(&other) && other == context && !cuCtxDestroy_v2(context));
}

/* Queued calls with memory of the host: this driver does nothing before it must. */
static void queued(void) {
  mlp *model = create(plain());
  static float got[4][most * out];
  EXPECT(mlp_wait(model) == KILN_OK);
  for (int i = 0; i < 4; ++i)
    EXPECT(mlp_logits_enqueue(model, i + 1, images, got[i]) == KILN_OK);
  EXPECT(got[3][0] == 0);
  EXPECT(mlp_wait(model) == KILN_OK);
  for (int i = 0; i < 4; ++i)
    expectAll(i + 1, got[i]);
  EXPECT(mlp_logits_enqueue(model, most + 1, images, got[0]) == KILN_TOO_LARGE);
  EXPECT(mlp_logits_enqueue(model, 5, images, got[0]) == KILN_OK);
  EXPECT(mlp_logits(model, 6, images, got[1]) == KILN_OK);
  expectAll(5, got[0]);
  expectAll(6, got[1]);
  mlp_destroy(model);
}

/* Memory that grows, and an end, while calls are queued. */
static void growing(void) {
  mlp_options options = plain();
  static float got[5][most * out];
  mlp *model;
  options.max_N = 1;
  options.grow = 1;
  model = create(options);
  for (int i = 0; i < 3; ++i)
    EXPECT(mlp_logits_enqueue(model, 1, images, got[i]) == KILN_OK);
  for (int i = 3; i < 5; ++i)
    EXPECT(mlp_logits_enqueue(model, most, images, got[i]) == KILN_OK);
  mlp_destroy(model);
  for (int i = 0; i < 3; ++i)
    expectAll(1, got[i]);
  expectAll(most, got[3]);
  expectAll(most, got[4]);
}

static void refused(void) {
  void *contexts[2];
  mlp_options options = plain();
  options.device = KILN_DEVICE_GPU_NUMBER(3);
  refuse(options);
  options.device = -7;
  refuse(options);
  EXPECT(!cuInit(0) && !cuCtxCreate_v2(&contexts[0], 0, 0) && !cuCtxCreate_v2(&contexts[1], 0, 0));
  options.cuda_context = contexts[0];
  options.device = KILN_DEVICE_CPU;
  refuse(options);
  EXPECT(!cuCtxDestroy_v2(contexts[1]) && !cuCtxDestroy_v2(contexts[0]));
}

int main(int count, char **words) {
  const char *what = count > 1 ? words[1] : "";
  mlp *model;
  mlp_options options = plain();
  for (int i = 0; i < most * in; ++i)
    images[i] = (float)(i * 37 % 101) / 101.0f - 0.5f;
  if (!strcmp(what, "refused"))
    return refused(), 0;
  /* A caller from before there were options of devices. */
  options.struct_size = (uint32_t)offsetof(mlp_options, device);
  options.device = -7;
  model = create(options);
  for (int n = 1; n <= most; ++n)
    EXPECT(mlp_logits(model, n, images, want[n - 1]) == KILN_OK);
  mlp_destroy(model);
  options = plain();
  options.device = KILN_DEVICE_CPU;
  model = create(options);
  for (int n = 1; n <= most; ++n) {
    float got[most * out];
    EXPECT(mlp_logits_enqueue(model, n, images, got) == KILN_OK && mlp_wait(model) == KILN_OK);
    for (int i = 0; i < n * out; ++i) {
      float difference = got[i] - want[n - 1][i];
      EXPECT(difference < 1e-4f && difference > -1e-4f);
    }
  }
  mlp_destroy(model);
  if (!strcmp(what, "graphs"))
    graphs(0);
  else if (!strcmp(what, "launches"))
    graphs(1);
  else if (!strcmp(what, "foreign"))
    foreign();
  else if (!strcmp(what, "queued"))
    queued();
  else if (!strcmp(what, "growing"))
    growing();
  else
    return 1;
  printf("%s: as by plain calls\n", what);
  return 0;
}
