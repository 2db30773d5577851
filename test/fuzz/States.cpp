//===- States.cpp - random reads and writes of states ---------------------===//

#include "test/fuzz/Maker.h"

using namespace kiln;
using namespace kiln::fuzz;

/// "self." and the state's name.
static std::string nameOf(unsigned state) { return "self.?" + std::to_string(state); }

static bool read(Maker &maker) {
  unsigned state = maker.below(maker.states().size());
  const Type type = maker.states()[state];
  std::string text = nameOf(state);
  if (maker.oneIn(2)) {
    maker.add(text + " + 1", {}, type);
    return true;
  }
  maker.add(text, {}, type);
  return true;
}

static bool write(Maker &maker) {
  unsigned state = maker.below(maker.states().size());
  const Type type = maker.states()[state];
  std::string name = nameOf(state);
  auto value = maker.find([&](const Type &other) { return other == type; });
  unsigned from = value ? *value : maker.fresh(type);
  if (isFloat(type.element) && maker.oneIn(2))
    maker.addSeveral(name + " = 0.5 * " + name + " + tanh($0)", {from}, {});
  else
    maker.addSeveral(name + " = $0", {from}, {});
  return true;
}

/// One row at a position that an argument gives.
static bool writeRow(Maker &maker) {
  unsigned state = maker.below(maker.states().size());
  const Type type = maker.states()[state];
  Type row = type;
  row.shape.erase(row.shape.begin());
  auto value = maker.find([&](const Type &other) { return other == row; });
  unsigned at = maker.fresh({DType::I64, {}}), from = value ? *value : maker.fresh(row);
  std::string place = "[$0 % " + type.shape[0].text + "]";
  if (maker.oneIn(2))
    maker.addSeveral(nameOf(state) + place + " = $1", {at, from}, {});
  else
    maker.add(nameOf(state) + place, {at}, row);
  return true;
}

/// A loop whose rounds make the state anew: a row is pushed onto it, or it is turned.
static bool push(Maker &maker) {
  unsigned state = maker.below(maker.states().size());
  const Type type = maker.states()[state];
  if (type.shape.empty() || type.shape[0].least() < 1)
    return false;
  auto rows = maker.find([&](const Type &other) {
    return other.element == type.element && other.shape.size() == type.shape.size() &&
           std::equal(other.shape.begin() + 1, other.shape.end(), type.shape.begin() + 1);
  });
  unsigned from = rows ? *rows : maker.fresh(type);
  std::string name = nameOf(state), axis = std::to_string(maker.below(type.shape.size()));
  const std::vector<std::string> forms = {"concat([" + name + "[1:], unsqueeze(row, 0)])",
                                          "concat([unsqueeze(row, 0), " + name + "[:-1]])",
                                          "roll(" + name + ", 1, axis = " + axis + ")",
                                          "flip(" + name + ", " + axis + ")"};
  std::string text = "scan row in $0" + std::string(maker.oneIn(3) ? " reverse" : "") +
                     " {\n      " + name + " = " + maker.among(forms) + "\n      yield " + name +
                     "[-1]\n    }";
  maker.addSeveral(text, {from}, {maker.typeOf(from)});
  return true;
}

llvm::ArrayRef<Family> fuzz::stateFamilies() {
  static const Family families[] = {{8, read}, {8, write}, {8, writeRow}, {8, push}};
  return families;
}
