//===- ElaborateNotes.cpp - reporting, with the other places involved -----===//
//
// An error of an expression tells of each name in it what it is and where it was declared or bound,
// so that no report has to do so itself; one in code that is inlined tells of the calls.
//
//===----------------------------------------------------------------------===//
#include "frontend/elaborate/Elaboration.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

std::string kiln::describe(const Value &value) {
  if (auto number = value.asNumber())
    return ir::describe(*number);
  if (auto *text = value.as<std::string>())
    return "the string " + inQuotes(*text);
  if (value.as<None>())
    return "None";
  if (auto *dtype = value.as<DType>())
    return "the element type " + std::string(name(*dtype));
  if (auto *dim = value.as<DimExpr>())
    return "the dimension " + inQuotes(dimText(*dim));
  if (auto *list = value.as<ListPtr>())
    return "a list of " + std::to_string((*list)->size());
  if (auto *results = value.as<Results>())
    return std::to_string(results->values->size()) + " results";
  if (auto *instance = value.as<Instance *>())
    return "the layer " + inQuotes((*instance)->decl->name.text);
  if (auto *tensor = value.as<mlir::Value>())
    return ir::typeText(tensor->getType());
  return value.as<Weight *>() ? "a parameter" : "nothing";
}

//===----------------------------------------------------------------------===//
// Notes
//===----------------------------------------------------------------------===//

static bool contains(SMRange range, SMRange place) {
  const char *start = place.Start.getPointer();
  return range.Start.getPointer() <= start && start < range.End.getPointer();
}

/// The frame in whose text the place lies: arguments are checked in the callee's frame.
const Frame *Elaboration::frameOf(SMRange place) const {
  const Frame *at = frame;
  while (at && at->caller && contains(at->callPlace, place))
    at = at->caller;
  return at;
}

/// Where the code at `place` is inlined; a call whose own text is at fault is no news.
void Elaboration::noteCallers(Diagnostics::Error &error, SMRange place) {
  int notes = 0;
  for (Frame *at = frame; at && at->caller && notes < 4; at = at->caller) {
    if (contains(at->callPlace, place))
      continue;
    error.note(at->callPlace, at->title() + " is used here");
    ++notes;
  }
}

/// A compile-time value as the language writes it; empty if it has no short form.
static std::string spelled(const Value &value) {
  if (auto *flag = value.as<bool>())
    return *flag ? "true" : "false";
  if (auto *integer = value.as<int64_t>())
    return std::to_string(*integer);
  if (auto *text = value.as<std::string>())
    return text->size() < 20 ? "\"" + *text + "\"" : "";
  if (auto *dtype = value.as<DType>())
    return std::string(name(*dtype));
  if (auto *list = value.as<ListPtr>(); list && (*list)->size() <= 4) {
    SmallVector<std::string> parts =
        map_to_vector(**list, [](const Value &element) { return spelled(element); });
    return is_contained(parts, "") ? "" : "[" + join(parts, ", ") + "]";
  }
  return "";
}

/// The layer whose function is concerned: where it is made, with what arguments.
void Elaboration::noteInstance(Diagnostics::Error &error, SMRange place) {
  for (const Frame *at = frame; at; at = at->caller) {
    const Instance *self = at->self;
    if (at->inLayer || !self || self->decl->isModel || !self->made.isValid())
      continue;
    SmallVector<std::string> given;
    for (const Parameter &parameter : self->decl->parameters)
      if (auto it = self->arguments.find(parameter.name.text); it != self->arguments.end())
        if (std::string text = spelled(it->second); !text.empty() && given.size() < 6)
          given.push_back((parameter.name.text + " = " + text).str());
    error.note(self->made, "this " + inQuotes(self->decl->name.text) + " is made here" +
                               (given.empty() ? "" : ", with " + join(given, ", ")));
    return;
  }
}

/// Where a name of the frame comes from, and how messages say it.
std::pair<SMRange, StringRef> Elaboration::boundAt(const Frame &at, StringRef name) const {
  auto among = [&](const auto &list) -> SMRange {
    for (const auto &each : list)
      if (each.name.text == name)
        return each.name.range;
    return {};
  };
  if (at.locals.contains(name)) {
    if (auto it = at.bound.find(name); it != at.bound.end())
      return {it->second, "bound"};
    if (auto *fn = dyn_cast_or_null<FnDecl>(at.decl)) {
      if (SMRange place = among(fn->parameters); place.isValid())
        return {place, "declared"};
      return {among(fn->generics), "declared"};
    }
  }
  if (at.self)
    if (SMRange place = among(at.self->decl->parameters); place.isValid())
      return {place, "declared"};
  if (auto it = at.module->decls.find(name); it != at.module->decls.end())
    return {declaredName(it->second).range, "declared"};
  return {};
}

/// What a part of an expression is, and where a name in it comes from.
void Elaboration::notePart(Diagnostics::Error &error, const Frame &at, const Expr *part) {
  SMRange place;
  StringRef verb = "declared";
  std::string what;
  auto found = seen.find({part->range.Start.getPointer(), part->range.End.getPointer()});
  mlir::Type type = found == seen.end() ? mlir::Type() : found->second.type;
  StringRef text(part->range.Start.getPointer(),
                 part->range.End.getPointer() - part->range.Start.getPointer());
  if (auto *name = dyn_cast<NameExpr>(part)) {
    std::tie(place, verb) = boundAt(at, name->name);
    const Value *value = nullptr;
    if (auto it = at.locals.find(name->name); it != at.locals.end())
      value = &it->second;
    else if (at.self && at.self->arguments.contains(name->name)) {
      if (!at.self->decl->isModel && !at.inLayer)
        return; // noteInstance() tells what the layer was given
      value = &at.self->arguments.find(name->name)->second;
    }
    if (value && value->isError())
      return;
    if (value && value->as<DimExpr>())
      what = describe(*value) == "the dimension " + inQuotes(text)
                 ? "the dimension " + inQuotes(text)
                 : inQuotes(text) + ", " + describe(*value) + ",";
    else
      what = inQuotes(text) + (value ? ", " + describe(*value) + "," : std::string());
  } else if (auto *member = dyn_cast<MemberExpr>(part);
             member && isa<SelfExpr>(member->base) && at.self) {
    if (auto it = at.self->places.find(member->name.text); it != at.self->places.end())
      place = it->second;
    what = inQuotes(text) + (type ? ", " + ir::typeText(type) + "," : std::string());
  } else if (type && error.code != DiagCode::NotCompileTime &&
             !StringRef(error.message).contains(ir::typeText(type))) {
    return void(error.note(part->range, "this is " + ir::typeText(type)));
  }
  if (!place.isValid() || place.Start == error.range.Start ||
      any_of(error.notes, [&](const Note &note) { return note.range.Start == place.Start; }))
    return;
  error.note(place, what + " is " + verb + " here");
}

/// The parts that a message about the expression may mean.
static void collectParts(const Expr *expr, SmallVectorImpl<const Expr *> &parts) {
  if (!expr)
    return;
  if (auto *list = dyn_cast<ListExpr>(expr)) {
    for (const Expr *element : list->elements)
      collectParts(element, parts);
  } else if (auto *unary = dyn_cast<UnaryExpr>(expr)) {
    collectParts(unary->operand, parts);
  } else if (auto *castExpr = dyn_cast<CastExpr>(expr)) {
    collectParts(castExpr->operand, parts);
  } else if (auto *slice = dyn_cast<SliceExpr>(expr)) {
    for (const Expr *bound : {slice->start, slice->stop, slice->step})
      collectParts(bound, parts);
  } else {
    parts.push_back(expr);
  }
}

void Elaboration::noteParts(Diagnostics::Error &error, SMRange place) {
  constexpr size_t most = 5;
  const Frame *at = frameOf(place);
  if (!at || !place.isValid() || !error.range.isValid())
    return;
  SmallVector<const Expr *> parts;
  auto found = seen.find({place.Start.getPointer(), place.End.getPointer()});
  if (at->resultPlace.isValid() && at->resultPlace.Start == place.Start) {
    for (const Expr *value : at->returned)
      collectParts(value, parts);
  } else if (auto value = find_if(at->returned,
                                  [&](const Expr *each) {
                                    return each->range.Start == place.Start &&
                                           each->range.End == place.End;
                                  });
             value != at->returned.end()) {
    collectParts(*value, parts);
  } else if (found != seen.end()) {
    const Expr *expr = found->second.expr;
    if (auto *binary = dyn_cast<BinaryExpr>(expr)) {
      collectParts(binary->lhs, parts);
      collectParts(binary->rhs, parts);
    } else if (auto *call = dyn_cast<CallExpr>(expr)) {
      for (const Argument &argument : call->arguments)
        collectParts(argument.value, parts);
    } else if (auto *index = dyn_cast<IndexExpr>(expr)) {
      collectParts(index->base, parts);
      for (const Expr *subscript : index->subscripts)
        collectParts(subscript, parts);
    } else if (auto *member = dyn_cast<MemberExpr>(expr)) {
      parts.push_back(expr);
      parts.push_back(member->base);
    } else if (!isa<ScanExpr, WhileExpr, ConditionalExpr>(expr)) {
      collectParts(expr, parts);
    }
  }
  if (auto owner = owners.find({place.Start.getPointer(), place.End.getPointer()});
      owner != owners.end())
    parts.push_back(owner->second);
  for (const Expr *part : parts)
    if (error.notes.size() < most && part->range.Start != SMLoc())
      notePart(error, *at, part);
}

void Elaboration::rememberSubscripts(const IndexExpr *expr) {
  auto belongs = [&](const Expr *part) {
    if (part)
      owners[{part->range.Start.getPointer(), part->range.End.getPointer()}] = expr->base;
  };
  for (const Expr *subscript : expr->subscripts) {
    belongs(subscript);
    if (auto *slice = dyn_cast<SliceExpr>(subscript))
      for (const Expr *bound : {slice->start, slice->stop, slice->step})
        belongs(bound);
  }
}

void Elaboration::remember(const Expr *expr, const Value &value) {
  auto *tensor = value.as<mlir::Value>();
  seen[{expr->range.Start.getPointer(), expr->range.End.getPointer()}] = {
      expr, tensor && *tensor ? tensor->getType() : mlir::Type()};
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

Value Elaboration::failWith(SMRange place, DiagCode code, const Twine &message,
                            ArrayRef<Note> notes) {
  Diagnostics::Error &error = diags.error(place, code, message);
  for (const Note &note : notes)
    if (note.range.isValid() || !note.message.empty())
      error.notes.push_back(note);
  switch (code) {
  case DiagCode::TypeMismatch:
  case DiagCode::ShapeMismatch:
  case DiagCode::InvalidValue:
  case DiagCode::OpError:
  case DiagCode::NotCompileTime:
    noteParts(error, place);
    noteInstance(error, place);
    break;
  default:
    break;
  }
  noteCallers(error, place);
  return Value();
}

Value Elaboration::fail(SMRange place, DiagCode code, const Twine &message) {
  return failWith(place, code, message, {});
}

Value Elaboration::failAt(SMRange place, DiagCode code, const Twine &message, SMRange other,
                          const Twine &note) {
  if (!other.isValid())
    return failWith(place, code, message, {});
  return failWith(place, code, message, Note{other, note.str()});
}

std::string Elaboration::whyEntry(const FnDecl *fn) {
  return inQuotes(fn->name.text) + " is an entry point: it stands in a model and is not 'private'";
}

Value Elaboration::missingReturn(const FnDecl *fn) {
  std::string when; // what decides between branches, most often
  for (const Parameter &parameter : fn->parameters)
    if (Value value = frame->locals.lookup(parameter.name.text); value.as<std::string>())
      when += (when.empty() ? " where " : " and ") + inQuotes(parameter.name.text) + " is " +
              describe(value);
  return failAt(fn->name.range, DiagCode::MissingReturn,
                inQuotes(fn->name.text) + " ends without 'return'" + when,
                fn->results.empty() ? SMRange() : fn->results[0].type->range,
                "what it is to return is declared here");
}

void Elaboration::bindLocal(const Ident &name, const Value &value) {
  frame->locals[name.text] = value;
  frame->bound[name.text] = name.range;
}

std::string Elaboration::leadingText() const {
  std::string text;
  for (const DimExpr &dim : *frame->leading)
    text += (text.empty() ? "" : ", ") + dimText(dim);
  return "'...' stands for [" + text + "] by this argument";
}

SmallVector<Diagnostics::Note> Elaboration::reasonsOf(const Equation &equation,
                                                      ArrayRef<Equation> all,
                                                      const Solution &solved) const {
  SmallVector<Note> notes;
  if (equation.told == "..." && frame->leadingPlace.isValid())
    notes.push_back({frame->leadingPlace, leadingText()});
  for (const Equation &other : all)
    if (&other != &equation && equation.unknowns.count(other.told))
      notes.push_back({other.place, inQuotes(StringRef(other.told).drop_front()) + " is " +
                                        dimText(solved.find(other.told)->second) + " by " +
                                        other.what});
  return notes;
}

static DiagCode codeOf(ir::BuildError error) {
  switch (error) {
  case ir::BuildError::Type:
    return DiagCode::TypeMismatch;
  case ir::BuildError::Shape:
    return DiagCode::ShapeMismatch;
  case ir::BuildError::Value:
    return DiagCode::InvalidValue;
  case ir::BuildError::Op:
    return DiagCode::OpError;
  }
  llvm_unreachable("all kinds are handled");
}

ir::TensorBuilder Elaboration::at(SMRange place) {
  return {builder, location(place), scope,
          [this, place](ir::BuildError error, const std::string &message) {
            fail(place, codeOf(error), message);
          }};
}
