//===- KilnOps.cpp - generated op classes ---------------------------------===//
// Alone in its file: it takes half a minute to compile.

#include "ir/KilnOps.h"

#define GET_OP_CLASSES
#include "ir/KilnOps.cpp.inc"
