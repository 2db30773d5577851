/* Calls a compiled mlp.kiln: once rightly, once with more images than the bound allows. */
#include "mlp.h"

#include <stdio.h>

int main(void) {
  static float images[2 * 784], logits[2 * 10];
  char error[200] = "";
  mlp_options options = {0};
  mlp *model = NULL;
  options.struct_size = sizeof options;
  options.threads = 1;
  options.error = error;
  options.error_size = sizeof error;
  if (mlp_create(&options, &model)) {
    printf("create: %s\n", error);
    return 1;
  }
  if (mlp_logits(model, 2, images, logits))
    return 1;
  if (mlp_logits(model, 5000, images, logits) == KILN_OK)
    return 1;
  printf("logits of 2 images; too many: %s\n", mlp_last_error(model));
  mlp_destroy(model);
  return 0;
}
