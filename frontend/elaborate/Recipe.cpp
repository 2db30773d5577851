//===- Recipe.cpp - what a model wants compressed -------------------------===//
#include "frontend/elaborate/Recipe.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/FileSystem.h"

using namespace llvm;
using namespace kiln;
using namespace kiln::ast;

namespace {
/// The statements of one recipe.
class RecipeReader {
public:
  RecipeReader(mlir::MLIRContext *context, Diagnostics &diags) : builder(context), diags(diags) {}
  /// A dictionary a statement; those with errors are left out.
  mlir::ArrayAttr read(const RecipeDecl &recipe);

private:
  mlir::DictionaryAttr statement();
  mlir::DictionaryAttr budget();
  bool settings();
  bool word(StringRef text, StringRef before);
  std::optional<Token> next(StringRef what);
  std::nullopt_t unexpected(StringRef what);
  void set(StringRef key, StringRef value, const Token &place);
  mlir::Location location(const Token &token) const;

  mlir::Builder builder;
  Diagnostics &diags;
  ArrayRef<Token> tokens; ///< those left of the statement
  Token last;
  mlir::NamedAttrList texts, with, places;
};
} // namespace

mlir::Location RecipeReader::location(const Token &token) const {
  SourceMgr &sources = diags.sourceManager();
  unsigned buffer = sources.FindBufferContainingLoc(token.loc());
  auto [line, column] = sources.getLineAndColumn(token.loc(), buffer);
  return mlir::FileLineColLoc::get(
      builder.getContext(), sources.getMemoryBuffer(buffer)->getBufferIdentifier(), line, column);
}

std::nullopt_t RecipeReader::unexpected(StringRef what) {
  const Token &at = tokens.empty() ? last : tokens.front();
  diags.error(at.range(), DiagCode::UnexpectedToken,
              "expected " + what + (tokens.empty() ? " after " : ", got ") + inQuotes(at.text));
  return std::nullopt;
}

std::optional<Token> RecipeReader::next(StringRef what) {
  if (tokens.empty())
    return unexpected(what);
  last = tokens.front();
  tokens = tokens.drop_front();
  return last;
}

bool RecipeReader::word(StringRef text, StringRef before) {
  if (!tokens.empty() && tokens.front().text == text)
    return next(text).has_value();
  unexpected((inQuotes(text) + " " + before).str());
  return false;
}

void RecipeReader::set(StringRef key, StringRef value, const Token &place) {
  texts.set(key, builder.getStringAttr(value));
  places.set(key, location(place));
}

/// with name = value, …
bool RecipeReader::settings() {
  if (tokens.empty())
    return true;
  if (!word("with", "before settings"))
    return false;
  while (true) {
    std::optional<Token> name = next("the name of a setting");
    if (!name || !word("=", "before the setting's value"))
      return false;
    std::optional<Token> value = next("the setting's value");
    if (!value)
      return false;
    if (with.get(name->text)) {
      diags.error(name->range(), DiagCode::DuplicateName, inQuotes(name->text) + " is set twice");
      return false;
    }
    with.set(name->text, builder.getStringAttr(value->text));
    places.set(name->text, location(*name));
    if (tokens.empty())
      return true;
    if (!word(",", "between settings"))
      return false;
  }
}

/// error < number, behind 'require'
mlir::DictionaryAttr RecipeReader::budget() {
  if (!word("error", "behind 'require'") || !word("<", "behind 'error'"))
    return nullptr;
  std::optional<Token> limit = next("the error that is too much");
  if (!limit)
    return nullptr;
  set("to", limit->text, *limit);
  if (!tokens.empty()) {
    diags.error(tokens.front().range(), DiagCode::UnexpectedToken,
                "expected the end of the statement, got " + inQuotes(tokens.front().text));
    return nullptr;
  }
  texts.set("places", places.getDictionary(builder.getContext()));
  return texts.getDictionary(builder.getContext());
}

mlir::DictionaryAttr RecipeReader::statement() {
  texts.clear();
  with.clear();
  places.clear();
  Token action = *next("a statement");
  if (action.text == "require") {
    set("action", action.text, action);
    return budget();
  }
  bool isKeep = action.text == "keep", isPrune = action.text == "prune";
  if (!isKeep && !isPrune && action.text != "quantize") {
    diags.error(action.range(), DiagCode::UnexpectedToken,
                "expected 'quantize', 'keep', 'prune' or 'require', got " + inQuotes(action.text));
    return nullptr;
  }
  set("action", action.text, action);
  std::optional<Token> pattern = next("a pattern of layers in quotes");
  if (pattern && !pattern->text.starts_with("\"")) {
    diags.error(pattern->range(), DiagCode::UnexpectedToken,
                "expected a pattern of layers in quotes, got " + inQuotes(pattern->text));
    return nullptr;
  }
  if (!pattern || !word(isKeep ? "as" : "to", "behind the pattern"))
    return nullptr;
  set("pattern", pattern->text.drop_front().drop_back(), *pattern);
  std::optional<Token> to = next("a format");
  if (!to)
    return nullptr;
  std::string format = to->text.str();
  if (isPrune && !tokens.empty() && tokens.front().text == ":") { // 2:4, block16x1:0.75
    next(":");
    std::optional<Token> of = next("a number behind ':'");
    if (!of)
      return nullptr;
    format += ":" + of->text.str();
  }
  set("to", format, *to);
  if (!settings())
    return nullptr;
  texts.set("with", with.getDictionary(builder.getContext()));
  texts.set("places", places.getDictionary(builder.getContext()));
  return texts.getDictionary(builder.getContext());
}

mlir::ArrayAttr RecipeReader::read(const RecipeDecl &recipe) {
  SmallVector<mlir::Attribute> rules;
  for (ArrayRef<Token> line : recipe.statements) {
    tokens = line;
    if (mlir::DictionaryAttr rule = statement())
      rules.push_back(rule);
  }
  return builder.getArrayAttr(rules);
}

static SmallVector<const RecipeDecl *> recipesOf(const Module &file) {
  SmallVector<const RecipeDecl *> recipes;
  for (const Stmt *decl : file.file.decls)
    if (auto *recipe = dyn_cast<RecipeDecl>(decl))
      recipes.push_back(recipe);
  return recipes;
}

/// The recipe of that name, or the only one of the file of that name.
static const RecipeDecl *findRecipe(Modules &modules, const Module &file, StringRef wanted,
                                    Diagnostics &diags) {
  bool isFile = wanted.ends_with(".kiln");
  const Module *holder = isFile ? modules.load(wanted) : &file;
  if (!holder)
    return nullptr;
  SmallVector<const RecipeDecl *> recipes = recipesOf(*holder);
  if (isFile && recipes.size() == 1)
    return recipes[0];
  auto names = map_to_vector(recipes, [](auto *recipe) { return recipe->name.text; });
  if (isFile)
    diags.error(SMRange(), DiagCode::UnknownName,
                "expected one recipe in " + inQuotes(wanted) + ", got " + Twine(recipes.size()));
  else if (auto *found = find(names, wanted); found != names.end())
    return recipes[found - names.begin()];
  else
    diags.error(SMRange(), DiagCode::UnknownName,
                inQuotes(file.path) + " has no recipe " + inQuotes(wanted) +
                    didYouMean(wanted, names));
  return nullptr;
}

bool kiln::applyRecipe(Modules &modules, const Module &file, StringRef wanted,
                       const LayerDecl &model, mlir::ModuleOp module, Diagnostics &diags) {
  const RecipeDecl *chosen = wanted.empty() ? nullptr : findRecipe(modules, file, wanted, diags);
  if (chosen && !chosen->model.text.empty() && chosen->model.text != model.name.text)
    diags.error(chosen->model.range, DiagCode::UnknownName,
                "the recipe is for " + inQuotes(chosen->model.text) + ", but the model is " +
                    inQuotes(model.name.text));
  for (const std::unique_ptr<Module> &each : modules.all())
    for (const RecipeDecl *recipe : recipesOf(*each)) {
      mlir::ArrayAttr rules = RecipeReader(module.getContext(), diags).read(*recipe);
      if (recipe == chosen)
        module->setAttr("kiln.compress", rules);
    }
  return !diags.hasErrors();
}
