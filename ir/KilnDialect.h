//===- KilnDialect.h - the kiln dialect ------------------------*- C++ -*-===//
#ifndef KILN_IR_KILNDIALECT_H
#define KILN_IR_KILNDIALECT_H

#include "ir/KilnTypes.h"
#include "ir/Ledger.h"
#include "ir/Requirement.h"
#include "ir/Tensor.h"
#include "ir/WeightStore.h"

#include "mlir/IR/Attributes.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/Location.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/TensorEncoding.h"

#include "ir/KilnDialect.h.inc"
#include "ir/KilnInterfaces.h.inc"
#define GET_ATTRDEF_CLASSES
#include "ir/KilnAttrs.h.inc"

#endif // KILN_IR_KILNDIALECT_H
