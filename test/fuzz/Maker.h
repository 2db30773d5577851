//===- Maker.h - makes random programs -------------------------*- C++ -*-===//
#ifndef KILN_TEST_FUZZ_MAKER_H
#define KILN_TEST_FUZZ_MAKER_H

#include "test/fuzz/Program.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <optional>
#include <random>

namespace kiln::fuzz {

/// A function of the language that takes tensors of one shape and element type, and nothing else
/// that has no default, and gives a tensor of that shape.
struct Pointwise {
  std::string op;
  unsigned arity;
  DType type, result;
  bool takesScalars; ///< or needs an axis
};

/// Every such function for every element type, found by asking the front end.
std::vector<Pointwise> findPointwise(const std::string &stdDir);

/// The program under construction, and the dice.
class Maker {
public:
  Maker(uint64_t seed, llvm::ArrayRef<Pointwise> pointwise);
  Program make(unsigned id);

  // For the families of ops:
  unsigned below(unsigned count) { return random() % count; }
  bool oneIn(unsigned count) { return below(count) == 0; }
  template <typename T> const T &among(const std::vector<T> &all) { return all[below(all.size())]; }
  const Type &typeOf(unsigned value) const { return entry->values[value]; }
  DType floatType() const { return mainFloat; }
  /// A value that fits, rather one that was made lately; nothing if there is none.
  std::optional<unsigned> find(llvm::function_ref<bool(const Type &)> fits);
  /// A new argument, or a weight where the type allows and the dice want it.
  unsigned fresh(Type type);
  /// A new weight; its values are finite.
  unsigned weight(Type type);
  Shape anyShape(unsigned rank);
  Shape anyFixedShape(unsigned rank); ///< of numbers above 0
  /// Adds a step with one result, and says which.
  unsigned add(std::string text, std::vector<unsigned> operands, Type result);
  /// Adds a step with several results.
  void addSeveral(std::string text, std::vector<unsigned> operands, std::vector<Type> results);
  /// The step's result is one of the entry point's: what computes it may fail the call.
  void pin(unsigned value) { entry->pinned.push_back(value); }
  llvm::ArrayRef<Type> states() const { return program.states; }
  llvm::ArrayRef<Pointwise> pointwise;

private:
  void makeEntry();
  void chooseResults();
  std::mt19937_64 random;
  DType mainFloat = DType::F32;
  Program program;
  Entry *entry = nullptr;
};

/// A family of ops: adds steps, or says that it found no operands.
struct Family {
  unsigned weight;
  bool (*apply)(Maker &maker);
};
llvm::ArrayRef<Family> elementwiseFamilies();
llvm::ArrayRef<Family> shapeFamilies();
llvm::ArrayRef<Family> networkFamilies();
llvm::ArrayRef<Family> compressedFamilies();
llvm::ArrayRef<Family> sequenceFamilies();
llvm::ArrayRef<Family> controlFamilies();
llvm::ArrayRef<Family> stateFamilies();

/// Elements of a value at the largest call.
inline constexpr int64_t elementLimit = 20000;

} // namespace kiln::fuzz

#endif // KILN_TEST_FUZZ_MAKER_H
