/* Extents that values decide, from C: what is found, what happens if there is too little room. */
#include HEADER

#include <stdio.h>
#include <string.h>

static data *model;

static void said(const char *what, kiln_status status) {
  printf("%s: status %d%s%s\n", what, status, status ? ", " : "",
         status ? data_last_error(model) : "");
}

int main(void) {
  data_options options = {.struct_size = sizeof options, .max_N = 8, .max_M = 8};
  if (data_create(&options, &model))
    return 1;
  const float x[6] = {1, -1, 3, -3, 5, 7};
  float y[8] = {0};
  int64_t at[8] = {0}, found = -1;
  said("enough", data_positive(model, 6, 4, &found, x, at, y));
  printf("found %d: %g %g %g %g at %d %d %d %d\n", (int)found, y[0], y[1], y[2], y[3], (int)at[0],
         (int)at[1], (int)at[2], (int)at[3]);
  said("too few", data_positive(model, 6, 3, &found, x, at, y));
  printf("needs %d\n", (int)found);
  said("none", data_positive(model, 0, 0, &found, NULL, NULL, NULL));
  printf("found %d\n", (int)found);
  said("no room", data_positive(model, 6, 0, &found, x, NULL, NULL));
  said("negative", data_positive(model, 6, -1, &found, x, at, y));
  said("null", data_positive(model, 6, 4, NULL, x, at, y));
  said("overlap", data_positive(model, 6, 4, &at[2], x, at, y));
  const float three[3] = {10, 20, 30};
  float z[3];
  const float mixed[6] = {1, -1, 2, -2, 3, -3};
  said("equal", data_add(model, 6, 3, mixed, three, z));
  printf("sum %g %g %g\n", z[0], z[1], z[2]);
  said("unequal", data_add(model, 6, 3, x, three, z));
  said("bound", data_few(model, 6, 8, &found, x, y));
  int64_t calls = -1, kept = 0;
  data_reset(model);
  said("kept", data_keep(model, 3, 8, &kept, x, y, &calls));
  printf("kept %d of %d calls\n", (int)kept, (int)calls);
  said("slice", data_first(model, 6, 8, &found, x, (int64_t[]){4}, y));
  printf("found %d\n", (int)found);
  said("behind", data_first(model, 6, 8, &found, x, (int64_t[]){7}, y));
  data_destroy(model);
}
