/* y = 2 * x over [N, 4], as a library made by hand. */
#include "kiln.h"
#include <stdio.h>
static char *text;
static int64_t bound, calls;
static int64_t rows(const int64_t *dims) { return dims[0]; }
static int64_t flops(const int64_t *dims) { return dims[0] * 4; }
static const kiln_extent shape[] = {{0, rows, "N"}, {4, 0, "4"}};
static const kiln_tensor x = {"x", KILN_F32, 2, shape}, y = {"y", KILN_F32, 2, shape};
static const kiln_dimension dimension = {"N", 1, -1, 0, 0};
static const kiln_launch launch = {"twice", "double.kiln:3", {0, flops, "4*N"}, {64, 0, "64"}};
static const kiln_entry entry = {"f",        1,  1,  1, 0,       1,           0,
                                 &dimension, &x, &y, 0, &launch, {0, 0, "0"}, 0};
static const char *const maxima[] = {"N"}, *const targets[] = {"x86-64"};
static kiln_status create(const kiln_options *options, void **instance) {
  bound = ((const int64_t *)(options + 1))[0];
  if (options->threads == 9) {
    snprintf(options->error, options->error_size, "nine threads are too many");
    return KILN_THREADS_FAILED;
  }
  text = "";
  *instance = &bound;
  return KILN_OK;
}
static kiln_status call(void *instance, int32_t number, const int64_t *dims, void *const *bufs) {
  ++calls;
#ifdef KILN_TEST_CRASH
  __builtin_trap();
#endif
  if (dims[0] > bound) {
    text = "dimension 'N' is too large";
    return KILN_TOO_LARGE;
  }
  for (int64_t i = 0; i < dims[0] * 4; ++i)
    ((float *)bufs[1])[i] = 2 * ((const float *)bufs[0])[i];
  return KILN_OK;
}
static const char *lastError(const void *instance) { return text; }
static void destroy(void *instance) {}
static const kiln_profile_row *profile(const void *instance, int32_t number) {
  static kiln_profile_row row;
  row.calls = calls;
  row.nanoseconds = calls * 2000000 + 5000000; /* the first call is slow */
  return &row;
}
const kiln_model kiln_model_v1 = {sizeof(kiln_model),
                                  1,
                                  "double",
                                  "by hand",
                                  1,
                                  1,
                                  0,
                                  1,
                                  &entry,
                                  maxima,
                                  0,
                                  targets,
                                  16,
                                  create,
                                  call,
                                  lastError,
                                  0,
                                  0,
                                  destroy,
                                  0,
                                  0,
                                  profile};
