//===- ASTDump.cpp - the tree as s-expressions -----------------------------===//
#include "frontend/syntax/AST.h"

#include "llvm/ADT/StringExtras.h"

#include <charconv>
#include <iterator>

using namespace llvm;

namespace kiln::ast {

namespace {

class Dumper {
public:
  Dumper(raw_ostream &os, unsigned indent) : os(os), indent(indent) {}
  void write(const Expr *expr);
  void write(const Type *type);
  void write(const Stmt *stmt);
  void writeBody(Block body);

private:
  raw_ostream &os;
  unsigned indent;

  template <typename List> void writeAll(const List &list) {
    for (const auto *item : list) {
      os << ' ';
      write(item);
    }
  }
  /// An optional part with its keyword.
  void writePart(StringRef word, const Expr *expr) {
    if (!expr)
      return;
    os << ' ' << word << ' ';
    write(expr);
  }
  void writeQuoted(StringRef text) {
    os << '"';
    os.write_escaped(text) << '"';
  }
  void writeNames(ArrayRef<Ident> names) {
    os << '(';
    interleave(names, os, [&](const Ident &name) { os << name.text; }, " ");
    os << ')';
  }
  void writeCarried(ArrayRef<Carried> carried) {
    for (const Carried &entry : carried) {
      os << " (with " << entry.name.text << ' ';
      write(entry.initial);
      os << ')';
    }
  }
  void writeClause(const ForClause &clause) {
    writeNames(clause.names);
    os << " in ";
    write(clause.range);
  }
  void writeParameters(ArrayRef<Parameter> parameters);
  void writeFn(const FnDecl *fn);
  void writeRecipe(const RecipeDecl *recipe);
  void writeCompound(const Expr *expr);
};

StringRef operatorText(TokenKind kind) {
  StringRef text = spelling(kind);
  return text.drop_front().drop_back();
}

void Dumper::write(const Expr *expr) {
  switch (expr->kind) {
  case Expr::Kind::Int:
    os << cast<IntExpr>(expr)->value;
    return;
  case Expr::Kind::Float: {
    char buffer[32]; // the shortest text that reads back as the value
    auto end = std::to_chars(buffer, std::end(buffer), cast<FloatExpr>(expr)->value).ptr;
    StringRef text(buffer, end - buffer);
    os << text << (text.find_first_of(".e") == StringRef::npos ? ".0" : "");
    return;
  }
  case Expr::Kind::String:
    return writeQuoted(cast<StringExpr>(expr)->value);
  case Expr::Kind::Bool:
    os << (cast<BoolExpr>(expr)->value ? "true" : "false");
    return;
  case Expr::Kind::Name:
    os << cast<NameExpr>(expr)->name;
    return;
  case Expr::Kind::Self:
    os << "self";
    return;
  case Expr::Kind::Wildcard:
    os << '_';
    return;
  case Expr::Kind::Ellipsis:
    os << (cast<EllipsisExpr>(expr)->isOwn ? "_..." : "...");
    return;
  default:
    os << '(';
    writeCompound(expr);
    os << ')';
  }
}

void Dumper::writeCompound(const Expr *expr) {
  if (auto *unary = dyn_cast<UnaryExpr>(expr)) {
    os << (unary->op == UnaryOp::Not ? "not " : "- ");
    write(unary->operand);
  } else if (auto *binary = dyn_cast<BinaryExpr>(expr)) {
    os << operatorText(binary->op);
    writeAll(ArrayRef{binary->lhs, binary->rhs});
  } else if (auto *conditional = dyn_cast<ConditionalExpr>(expr)) {
    os << "if";
    writeAll(ArrayRef{conditional->condition, conditional->thenValue, conditional->elseValue});
  } else if (auto *cast = dyn_cast<CastExpr>(expr)) {
    os << "as ";
    write(cast->operand);
    os << ' ' << cast->type.text;
  } else if (auto *call = dyn_cast<CallExpr>(expr)) {
    os << "call ";
    write(call->callee);
    for (const Argument &argument : call->arguments) {
      os << ' ' << argument.name.text << (argument.name.text.empty() ? "" : "=");
      write(argument.value);
    }
  } else if (auto *member = dyn_cast<MemberExpr>(expr)) {
    os << ". ";
    write(member->base);
    os << ' ' << member->name.text;
  } else if (auto *index = dyn_cast<IndexExpr>(expr)) {
    os << "index ";
    write(index->base);
    writeAll(index->subscripts);
  } else if (auto *slice = dyn_cast<SliceExpr>(expr)) {
    os << "slice";
    for (const Expr *part : {slice->start, slice->stop, slice->step})
      part ? writeAll(ArrayRef{part}) : void(os << " nil");
  } else if (auto *list = dyn_cast<ListExpr>(expr)) {
    os << "list";
    writeAll(list->elements);
  } else if (auto *comprehension = dyn_cast<ComprehensionExpr>(expr)) {
    os << "comprehension ";
    write(comprehension->element);
    for (const ForClause &clause : comprehension->clauses) {
      os << " for ";
      writeClause(clause);
    }
  } else if (auto *scan = dyn_cast<ScanExpr>(expr)) {
    os << "scan ";
    writeNames(scan->elements);
    writeAll(scan->sequences);
    writePart("axis", scan->axis);
    os << (scan->reverse ? " reverse" : "");
    writeCarried(scan->carried);
    writeBody(scan->body);
  } else {
    auto *loop = llvm::cast<WhileExpr>(expr);
    os << "while ";
    write(loop->condition);
    writePart("limit", loop->limit);
    writeCarried(loop->carried);
    writeBody(loop->body);
  }
}

void Dumper::write(const Type *type) {
  if (type->kind == Type::Kind::Named) {
    os << type->name.text;
    if (!type->hasShape)
      return;
    os << '[';
    interleaveComma(type->dims, os, [&](const Expr *dim) { write(dim); });
    os << ']';
    return;
  }
  os << (type->kind == Type::Kind::List ? "(list" : "(|");
  writeAll(type->members);
  os << ')';
}

/// One statement a line, deeper than its owner.
void Dumper::writeBody(Block body) {
  indent += 2;
  for (const Stmt *stmt : body) {
    os << '\n';
    os.indent(indent);
    write(stmt);
  }
  indent -= 2;
}

void Dumper::writeParameters(ArrayRef<Parameter> parameters) {
  for (const Parameter &parameter : parameters) {
    os << " (" << parameter.name.text << ": ";
    write(parameter.type);
    writePart("=", parameter.defaultValue);
    os << ')';
  }
}

void Dumper::writeFn(const FnDecl *fn) {
  os << (fn->isPrivate ? "private-fn " : "fn ") << fn->name.text;
  for (const Generic &generic : fn->generics) {
    os << " [" << generic.name.text;
    if (!generic.dtypeClass.text.empty())
      os << ": " << generic.dtypeClass.text;
    writePart(">=", generic.least);
    writePart("<=", generic.bound);
    os << ']';
  }
  writeParameters(fn->parameters);
  os << (fn->results.empty() ? "" : " ->");
  for (const Result &result : fn->results) {
    os << ' ' << result.name.text << (result.name.text.empty() ? "" : ": ");
    write(result.type);
  }
  writeBody(fn->body);
}

void Dumper::write(const Stmt *stmt) {
  os << '(';
  if (auto *assign = dyn_cast<AssignStmt>(stmt)) {
    os << '=';
    writeAll(assign->targets);
    os << ' ';
    write(assign->value);
  } else if (auto *branch = dyn_cast<IfStmt>(stmt)) {
    os << "if ";
    write(branch->condition);
    writeBody(branch->thenBody);
    if (!branch->elseBody.empty()) {
      os << '\n';
      os.indent(indent + 1) << "else";
      writeBody(branch->elseBody);
    }
  } else if (auto *loop = dyn_cast<ForStmt>(stmt)) {
    os << "for ";
    writeClause(loop->clause);
    writeBody(loop->body);
  } else if (auto *ret = dyn_cast<ReturnStmt>(stmt)) {
    os << "return";
    writeAll(ret->values);
  } else if (auto *yield = dyn_cast<YieldStmt>(stmt)) {
    os << "yield";
    writeAll(yield->values);
  } else if (auto *member = dyn_cast<MemberDecl>(stmt)) {
    static constexpr const char *words[] = {"param ", "buffer ", "state "};
    os << words[static_cast<int>(member->member)] << member->name.text << ' ';
    write(member->type);
    writePart("=", member->initial);
  } else if (auto *ignore = dyn_cast<IgnoreDecl>(stmt)) {
    os << "ignore";
    writeAll(ignore->patterns);
  } else if (auto *tie = dyn_cast<TieDecl>(stmt)) {
    os << "tie " << tie->alias.text << ' ' << tie->stored.text;
  } else if (auto *import = dyn_cast<ImportDecl>(stmt)) {
    os << "import ";
    import->isFile ? writeQuoted(import->path.text) : void(os << import->path.text);
    os << " as " << import->name.text;
  } else if (auto *constant = dyn_cast<ConstDecl>(stmt)) {
    os << (constant->isPrivate ? "private-const " : "const ") << constant->name.text << ' ';
    write(constant->value);
  } else if (auto *fn = dyn_cast<FnDecl>(stmt)) {
    writeFn(fn);
  } else if (auto *layer = dyn_cast<LayerDecl>(stmt)) {
    os << (layer->isPrivate ? "private-" : "") << (layer->isModel ? "model " : "layer ")
       << layer->name.text;
    writeParameters(layer->parameters);
    writeBody(layer->body);
  } else {
    writeRecipe(cast<RecipeDecl>(stmt));
  }
  os << ')';
}

void Dumper::writeRecipe(const RecipeDecl *recipe) {
  os << "recipe " << recipe->name.text;
  if (!recipe->model.text.empty())
    os << " for " << recipe->model.text;
  for (ArrayRef<Token> line : recipe->statements) {
    os << '\n';
    os.indent(indent + 2) << '(';
    interleave(line, os, [&](const Token &token) { os << token.text; }, " ");
    os << ')';
  }
}

} // namespace

void dump(const Expr *expr, raw_ostream &os) { Dumper(os, 0).write(expr); }
void dump(const Type *type, raw_ostream &os) { Dumper(os, 0).write(type); }
void dump(const Stmt *stmt, raw_ostream &os, unsigned indent) { Dumper(os, indent).write(stmt); }

void File::dump(raw_ostream &os) const {
  for (const Stmt *decl : decls) {
    ast::dump(decl, os);
    os << '\n';
  }
}

} // namespace kiln::ast
