//===- Library.h - a built library, called between guard pages --*- C++ -*-===//
#ifndef KILN_TEST_CONFORMANCE_LIBRARY_H
#define KILN_TEST_CONFORMANCE_LIBRARY_H

#include "ir/Tensor.h"
#include "test/conformance/Case.h"

#include "runtime/kiln.h"

namespace kiln::conformance {

/// Memory beside a page that nobody may touch: behind it, or before it.
class Guarded {
public:
  Guarded(size_t bytes, size_t alignment, bool guardInFront);
  Guarded(Guarded &&other) noexcept;
  ~Guarded();
  uint8_t *data() const { return place; }

private:
  uint8_t *pages = nullptr, *place = nullptr;
  size_t mapped = 0;
};

/// One instance of a loaded model.
class Instance {
public:
  /// Null and a reason if the model cannot be created. All maxima are the declared bounds.
  static std::unique_ptr<Instance> create(const kiln_model &model, int threads, std::string &why);
  ~Instance();
  /// Results get types and shapes from `results`, their values are written. Empty, or the error.
  std::string call(llvm::StringRef entry, const Dims &dims, llvm::ArrayRef<ir::Tensor> arguments,
                   llvm::MutableArrayRef<ir::Tensor> results, bool guardInFront);

private:
  explicit Instance(const kiln_model &model) : model(model) {}
  static void *allocate(void *self, size_t bytes, size_t alignment);
  static void deallocate(void *self, void *data, size_t bytes);
  const kiln_model &model;
  void *handle = nullptr;
  std::vector<Guarded> arenas; ///< live until the instance dies
};

} // namespace kiln::conformance

#endif // KILN_TEST_CONFORMANCE_LIBRARY_H
