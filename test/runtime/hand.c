/* Calls the hand-made model as a user's C99 program does: right calls, wrong calls, many instances.
 */
#include "hand.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(condition)                                                                          \
  do                                                                                               \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                      \
      exit(1);                                                                                     \
    }                                                                                              \
  while (0)

static hand_options options(int threads, char *error, size_t size) {
  hand_options o = {0};
  o.struct_size = sizeof(o);
  o.threads = threads;
  o.error = error;
  o.error_size = size;
  o.max_N = 64;
  return o;
}

static hand *create(int threads) {
  hand_options o = options(threads, NULL, 0);
  hand *m = NULL;
  EXPECT(hand_create(&o, &m) == KILN_OK);
  return m;
}

static void rightCalls(int threads) {
  float x[64 * 4], y[64 * 4], state = -1;
  size_t size = sizeof(state);
  hand *m = create(threads);
  for (int i = 0; i < 64 * 4; ++i)
    x[i] = (float)i;
  for (int64_t n = 0; n <= 64; ++n) {
    memset(y, 0, sizeof(y));
    EXPECT(hand_predict(m, n, x, y) == KILN_OK);
    for (int i = 0; i < 64 * 4; ++i)
      EXPECT(y[i] == (i < n * 4 ? x[i] * (float)(i % 4 + 1) + (float)n : 0));
  }
  EXPECT(hand_state_get(m, &state, &size) == KILN_OK && state == 65);
  EXPECT(hand_reset(m) == KILN_OK);
  EXPECT(hand_state_get(m, &state, &size) == KILN_OK && state == 0);
  state = 7;
  EXPECT(hand_state_set(m, &state, sizeof(state)) == KILN_OK);
  EXPECT(hand_predict(m, 1, x, y) == KILN_OK && y[0] == 7);
  hand_destroy(m);
}

static void expectError(hand *m, kiln_status got, kiln_status want, const char *text) {
  if (got != want || !strstr(hand_last_error(m), text)) {
    fprintf(stderr, "expected %d, \"%s\"; got %d, \"%s\"\n", want, text, got, hand_last_error(m));
    exit(1);
  }
}

static void wrongCalls(void) {
  float x[65 * 4] = {0}, y[65 * 4];
  hand *m = create(1);
  expectError(m, hand_predict(m, 65, x, y), KILN_TOO_LARGE,
              "dimension 'N' of 'predict': expected at most 64, got 65");
  expectError(m, hand_predict(m, -1, x, y), KILN_INVALID_ARGUMENT, "expected at least 0, got -1");
  expectError(m, hand_predict(m, 1, NULL, y), KILN_INVALID_ARGUMENT,
              "argument 'x' of 'predict' is null");
  expectError(m, hand_predict(m, 1, x, NULL), KILN_INVALID_ARGUMENT,
              "result 'y' of 'predict' is null");
  expectError(m, hand_predict(m, 1, (float *)((char *)x + 2), y), KILN_INVALID_ARGUMENT,
              "'x' of 'predict' is misaligned");
  expectError(m, hand_predict(m, 2, x, x + 4), KILN_INVALID_ARGUMENT, "overlaps 'x'");
  EXPECT(hand_predict(m, 0, NULL, NULL) == KILN_OK);
  x[4] = 99;
  expectError(m, hand_predict(m, 2, x, y), KILN_INDEX_OUT_OF_RANGE, "'scale' (hand.kiln:2)");
  x[4] = 0;
  hand_cancel(m);
  expectError(m, hand_predict(m, 2, x, y), KILN_CANCELLED, "cancelled");
  EXPECT(hand_predict(m, 2, x, y) == KILN_OK && hand_last_error(m)[0] == 0);
  EXPECT(hand_predict(NULL, 2, x, y) == KILN_INVALID_ARGUMENT);
  hand_destroy(m);
  hand_destroy(NULL);
}

static void wrongOptions(void) {
  char error[256];
  hand *m = NULL;
  hand_options o = options(1, error, sizeof(error));
  o.max_N = 0;
  EXPECT(hand_create(&o, &m) == KILN_INVALID_ARGUMENT && !m && strstr(error, "set 'max_N'"));
  o.max_N = -5;
  EXPECT(hand_create(&o, &m) == KILN_INVALID_ARGUMENT && strstr(error, "got -5"));
  o.max_N = (int64_t)1 << 28;
  EXPECT(hand_create(&o, &m) == KILN_TOO_LARGE && strstr(error, "less than 2147483648"));
  o.max_N = INT64_MAX;
  EXPECT(hand_create(&o, &m) == KILN_TOO_LARGE);
  o = options(1, error, sizeof(error));
  o.struct_size = 1000;
  EXPECT(hand_create(&o, &m) == KILN_INVALID_ARGUMENT && strstr(error, "'struct_size'"));
  EXPECT(hand_create(NULL, &m) == KILN_INVALID_ARGUMENT && !m);
}

static void growing(void) {
  float x[1000 * 4] = {0}, y[1000 * 4];
  hand_options o = options(1, NULL, 0);
  hand *m = NULL;
  o.grow = 1;
  EXPECT(hand_create(&o, &m) == KILN_OK);
  EXPECT(hand_predict(m, 1000, x, y) == KILN_OK);
  hand_destroy(m);
}

static int live;
static void *countedAllocate(void *context, size_t bytes, size_t alignment) {
  void *data = NULL;
  (void)context;
  ++live;
  return posix_memalign(&data, alignment, bytes) ? NULL : data;
}
static void countedFree(void *context, void *data, size_t bytes) {
  (void)context;
  (void)bytes;
  --live;
  free(data);
}

static int mapLines(void) {
  int lines = 0, c;
  FILE *maps = fopen("/proc/self/maps", "r");
  while ((c = fgetc(maps)) != EOF)
    lines += c == '\n';
  fclose(maps);
  return lines;
}

static void noLeaks(void) {
  float x[8] = {0}, y[8];
  int before;
  hand_destroy(create(0));
  before = mapLines();
  for (int i = 0; i < 1000; ++i) {
    hand_options o = options(0, NULL, 0);
    hand *m = NULL;
    if (i % 2) {
      o.allocate = countedAllocate;
      o.deallocate = countedFree;
    }
    EXPECT(hand_create(&o, &m) == KILN_OK);
    EXPECT(hand_predict(m, 2, x, y) == KILN_OK);
    hand_destroy(m);
  }
  EXPECT(live == 0);
  EXPECT(mapLines() <= before + 4);
}

static void *manyCalls(void *unused) {
  (void)unused;
  for (int i = 0; i < 20; ++i)
    rightCalls(2);
  return NULL;
}

int main(void) {
  pthread_t other;
  rightCalls(1);
  rightCalls(0);
  wrongCalls();
  wrongOptions();
  growing();
  noLeaks();
  pthread_create(&other, NULL, manyCalls, NULL);
  manyCalls(NULL);
  pthread_join(other, NULL);
  return 0;
}
