/*===- Plugin.h - the C interface of libkiln-halide ----------------------------===//
//
// The only thing that crosses between the compiler and Halide: text in, LLVM bitcode out.
//
//===----------------------------------------------------------------------===*/
#ifndef KILN_CODEGEN_HALIDE_PLUGIN_H
#define KILN_CODEGEN_HALIDE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define KILN_HALIDE_EXPORT __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  uint8_t *bitcode;
  size_t bitcode_bytes;
  /* The arguments of the function after its user context, one a line, in order:
     "symbol NUMBER" (int32), "zero" (int32 0) or "buffer OPERAND {OFFSET} [EXTENTS] [STRIDES]"
     (halide_buffer_t *), where OFFSET is in elements from the operand's start, and dimensions stand
     innermost first. */
  char *arguments;
  double milliseconds; /* that generation took */
} kiln_halide_result;

/* Generates the kernel of a spec (text without transcendental functions) as function `symbol` for
   `target`, a name of ir/target/Target.h. 0: `out` is filled and is freed by kiln_halide_free. 1:
   the template does not take this spec; 2: an error of Halide or a malformed spec; 3: what may pass
   the next time (the child was killed, no memory). Then `error` holds a message. Thread-safe. */
KILN_HALIDE_EXPORT int32_t kiln_halide_generate(const char *spec_text, size_t spec_bytes,
                                                const char *symbol, const char *target,
                                                kiln_halide_result *out, char *error,
                                                size_t error_bytes);
KILN_HALIDE_EXPORT void kiln_halide_free(kiln_halide_result *result);
/* "halide 21.0.0": part of the key of a kernel cache. */
KILN_HALIDE_EXPORT const char *kiln_halide_version(void);

#ifdef __cplusplus
}
#endif

#endif /* KILN_CODEGEN_HALIDE_PLUGIN_H */
