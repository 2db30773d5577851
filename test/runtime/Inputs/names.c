/* Two models in one program; creation says why it fails, with options or without. */
#include "one.h"
#include "two.h"
#include <stdio.h>

int main(void) {
  float x[2] = {1, 1}, y[2], z[2], image[1] = {2};
  char error[200];
  alpha_options a = {0};
  beta_options b = {0};
  alpha *first;
  beta *second;
  a.struct_size = sizeof a;
  a.error = error;
  a.error_size = sizeof error;
  a.max_N = 99;
  b.struct_size = sizeof b;
  b.max_K = 2;
  if (alpha_create(NULL, &first) || beta_create(&b, &second))
    return 1;
  if (alpha_order(first, 1, 1, 1, 1, image, y) || beta_open(second, 2, x, z))
    return 2;
  printf("%g %g\n", y[0], z[1]);
  alpha *none;
  if (alpha_create(&a, &none) != KILN_INVALID_ARGUMENT || none)
    return 3;
  printf("create: %s\n", error);
  a.struct_size = 0;
  if (alpha_create(&a, &none) != KILN_INVALID_ARGUMENT)
    return 4;
  printf("create: %s\n", alpha_last_error(NULL));
  beta *other;
  if (beta_create(NULL, &other) != KILN_INVALID_ARGUMENT)
    return 5;
  printf("create: %s\n", beta_last_error(NULL));
  if (alpha_order(first, 9, 1, 1, 1, image, y) != KILN_TOO_LARGE)
    return 6;
  printf("call: %s\n", alpha_last_error(first));
  if (alpha_reset(first))
    return 7;
  printf("after success: '%s'\n", alpha_last_error(first));
  alpha_destroy(first);
  beta_destroy(second);
  return 0;
}
