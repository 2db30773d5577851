//===- Primitives.cpp - signatures of the ops of the dialect --------------===//
#include "frontend/emit/Primitives.h"

#include "ir/KilnDialect.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace kiln {

/// Cuts at commas that stand in no bracket.
static SmallVector<StringRef> splitSlots(StringRef text) {
  SmallVector<StringRef> parts;
  int depth = 0;
  size_t start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    depth += (text[i] == '[') - (text[i] == ']');
    if (text[i] == ',' && depth == 0) {
      parts.push_back(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  if (StringRef last = text.substr(start).trim(); !last.empty())
    parts.push_back(last);
  return parts;
}

static Primitive parseSignature(mlir::RegisteredOperationName op, StringRef signature,
                                StringRef summary) {
  Primitive primitive{op, signature.str(), summary.str(), {}};
  StringRef inner = signature.substr(signature.find('(') + 1);
  bool byName = false;
  for (StringRef text : splitSlots(inner.take_front(inner.rfind(')')))) {
    if (text == "*") {
      byName = true;
      continue;
    }
    Primitive::Slot slot;
    slot.byName = byName;
    auto [head, defaultText] = text.split('=');
    auto [name, kind] = head.split(':');
    name = name.trim();
    slot.kind = kind.trim().str();
    slot.defaultText = defaultText.trim().str();
    slot.variadic = name.consume_back("...");
    slot.optional = name.consume_back("?") || !slot.defaultText.empty();
    slot.name = name.str();
    primitive.slots.push_back(std::move(slot));
  }
  return primitive;
}

PrimitiveTable::PrimitiveTable(mlir::MLIRContext &context) {
  for (mlir::RegisteredOperationName op : context.getRegisteredOperationsByDialect("kiln")) {
    auto *concept_ = op.getInterface<ir::Primitive>();
    if (!concept_)
      continue;
    StringRef signature = concept_->getSignature();
    table.try_emplace(signature.take_until([](char c) { return c == '('; }),
                      parseSignature(op, signature, concept_->getSummary()));
  }
}

const Primitive *PrimitiveTable::find(StringRef name) const {
  auto it = table.find(name);
  return it == table.end() ? nullptr : &it->second;
}

const Primitive *PrimitiveTable::find(StringRef family, StringRef name) const {
  return find((family + "." + name).str());
}

SmallVector<StringRef> PrimitiveTable::names() const {
  return SmallVector<StringRef>(table.keys());
}

} // namespace kiln
