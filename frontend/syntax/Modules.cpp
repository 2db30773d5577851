//===- Modules.cpp - the files of a model ---------------------------------===//
#include "frontend/syntax/Modules.h"

#include "frontend/syntax/Parser.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace kiln {

const ast::Ident &declaredName(const ast::Stmt *decl) {
  if (auto *constant = dyn_cast<ast::ConstDecl>(decl))
    return constant->name;
  if (auto *fn = dyn_cast<ast::FnDecl>(decl))
    return fn->name;
  if (auto *layer = dyn_cast<ast::LayerDecl>(decl))
    return layer->name;
  if (auto *import = dyn_cast<ast::ImportDecl>(decl))
    return import->name;
  return cast<ast::RecipeDecl>(decl)->name;
}

static bool isPrivate(const ast::Stmt *decl) {
  if (auto *constant = dyn_cast<ast::ConstDecl>(decl))
    return constant->isPrivate;
  if (auto *fn = dyn_cast<ast::FnDecl>(decl))
    return fn->isPrivate;
  auto *layer = dyn_cast<ast::LayerDecl>(decl);
  return layer && layer->isPrivate;
}

const ast::Stmt *Module::exported(StringRef name) const {
  auto it = decls.find(name);
  return it == decls.end() || isPrivate(it->second) ? nullptr : it->second;
}

SmallVector<StringRef> Module::exportedNames() const {
  SmallVector<StringRef> all;
  for (const auto &entry : decls)
    if (!isPrivate(entry.second))
      all.push_back(entry.first());
  return all;
}

SmallVector<StringRef> Module::names() const {
  SmallVector<StringRef> all(decls.keys());
  llvm::append_range(all, imports.keys());
  return all;
}

const Module *Modules::load(StringRef path, SMRange from, const Module *importer) {
  SmallString<128> real;
  if (sys::fs::real_path(path, real))
    real = path;
  auto [entry, isNew] = byPath.try_emplace(real.str().str(), nullptr);
  if (!isNew) {
    if (entry->second && !entry->second->complete) {
      auto &error = diags.error(from, DiagCode::ImportCycle,
                                inQuotes(path) + " imports itself, over other files or directly");
      if (importer && importer != entry->second)
        error.note(importer->imported, "this file is imported here");
    }
    return entry->second;
  }
  std::optional<unsigned> buffer = openSource(path, diags, from);
  if (!buffer)
    return nullptr;
  modules.push_back(std::make_unique<Module>());
  Module &module = *modules.back();
  byPath[real.str().str()] = &module;
  module.path = path.str();
  module.imported = from;
  module.file = parseFile(*buffer, diags, nodes);
  declare(module);
  module.complete = true;
  return &module;
}

void Modules::declare(Module &module) {
  StringMap<SMRange> places;
  for (const ast::Stmt *decl : module.file.decls) {
    const ast::Ident &name = declaredName(decl);
    auto [place, isNew] = places.try_emplace(name.text, name.range);
    if (!isNew) {
      diags.error(name.range, DiagCode::DuplicateName, inQuotes(name.text) + " is declared twice")
          .note(place->second, "first declared here");
      continue;
    }
    if (auto *importDecl = dyn_cast<ast::ImportDecl>(decl))
      import(module, *importDecl);
    else
      module.decls[name.text] = decl;
  }
}

void Modules::import(Module &module, const ast::ImportDecl &decl) {
  SmallString<128> path(stdDir);
  if (decl.isFile) {
    path = sys::path::parent_path(module.path);
    if (sys::path::is_absolute(decl.path.text))
      path.clear();
  }
  sys::path::append(path, decl.path.text);
  if (!decl.isFile)
    path += ".kiln";
  if (!decl.isFile && !sys::fs::exists(path)) {
    std::error_code ignored;
    std::vector<std::string> stems;
    for (sys::fs::directory_iterator it(stdDir, ignored), end; it != end && !ignored;
         it.increment(ignored))
      stems.push_back(sys::path::stem(it->path()).str());
    SmallVector<StringRef> known(stems.begin(), stems.end());
    diags.error(decl.path.range, DiagCode::UnknownName,
                "there is no standard module " + inQuotes(decl.path.text) +
                    didYouMean(decl.path.text, known));
  } else {
    module.imports[decl.name.text] = load(path, decl.path.range, &module);
    return;
  }
  module.imports[decl.name.text] = nullptr;
}

} // namespace kiln
