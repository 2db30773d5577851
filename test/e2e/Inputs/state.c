// Calls the entry points of state.kiln and prints what they give.
#include HEADER

#include <stdio.h>
#include <stdlib.h>

static void check(memory *m, kiln_status status) {
  if (status) {
    printf("status %d: %s\n", (int)status, memory_last_error(m));
    exit(1);
  }
}

static void push(memory *m, const char *label, float x, float y) {
  int64_t count;
  float value[2] = {x, y}, ring[8];
  check(m, memory_push(m, value, &count, ring));
  printf("%s: count %d, ring", label, (int)count);
  for (int i = 0; i < 8; ++i)
    printf(" %g", ring[i]);
  printf("\n");
}

static void swap(memory *m) {
  float old[2], a[2], b[2];
  check(m, memory_swap(m, old));
  printf("swap: old %g %g\n", old[0], old[1]);
  check(m, memory_pair(m, a, b));
  printf("pair: %g %g, %g %g\n", a[0], a[1], b[0], b[1]);
}

static void sum(memory *m) {
  float x[3] = {1, 10, 100}, total, a[2], b[2];
  int64_t rounds;
  check(m, memory_sum(m, x, &total, &rounds));
  check(m, memory_pair(m, a, b));
  printf("sum: %g after %d rounds, a %g %g\n", total, (int)rounds, a[0], a[1]);
}

static void choose(memory *m, uint8_t c) {
  float y[2];
  check(m, memory_choose(m, &c, y));
  printf("choose: %d gives %g %g\n", c, y[0], y[1]);
}

static void put(memory *m, int64_t i) {
  float y, ring[8] = {0}, all[16];
  size_t size = sizeof all;
  kiln_status status = memory_put(m, &i, &y);
  check(m, memory_state_get(m, all, &size));
  for (int k = 0; k < 8; ++k)
    ring[k] = all[2 + k]; // behind the counter
  printf("put: status %d (%s), then ring", (int)status,
         status == KILN_INDEX_OUT_OF_RANGE ? "index out of range" : "ok");
  for (int k = 0; k < 8; ++k)
    printf(" %g", ring[k]);
  printf("\n");
}

int main(void) {
  memory *m, *other, *resumed;
  if (memory_create(NULL, &m) || memory_create(NULL, &other) || memory_create(NULL, &resumed))
    return 1;
  push(m, "push", 1, 2);
  push(m, "push", 3, 4);
  push(other, "other", 9, 9);
  push(m, "push", 5, 6);
  swap(m);
  swap(m);
  sum(m);
  sum(m);
  choose(m, 0);
  choose(m, 1);
  choose(m, 0);
  put(m, 9);
  put(m, -1);
  check(m, memory_reset(m));
  push(m, "reset", 1, 2);
  char bytes[256];
  size_t size = sizeof bytes;
  check(m, memory_state_get(m, bytes, &size));
  check(resumed, memory_state_set(resumed, bytes, size));
  push(resumed, "resumed", 3, 4);
  memory_destroy(m);
  memory_destroy(other);
  memory_destroy(resumed);
  return 0;
}
