//===- Pickle.h - a Python pickle as plain data ----------------*- C++ -*-===//
//
// Private to frontend/weights. Runs the instructions of a pickle on data alone: nothing is
// imported, called or executed. The few globals that PyTorch's files need are built in, every other
// is refused.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_FRONTEND_WEIGHTS_PICKLE_H
#define KILN_FRONTEND_WEIGHTS_PICKLE_H

#include "frontend/weights/Bytes.h"

#include <deque>

namespace kiln::weights {

/// What the names in a pickle stand for.
enum class PickleGlobal : uint8_t { Storage, OrderedDict, RebuildTensor, RebuildParameter, Size };

struct PickleValue {
  enum class Kind : uint8_t {
    Mark,
    None,
    Bool,
    Int, ///< integers beyond 64 bits keep their bytes in `text`
    Float,
    Text,
    Tuple,
    List,
    Dict, ///< items: key, value, key, value, …
    Global,
    Storage, ///< text: key
    Tensor,  ///< items: storage, tuple of extents, tuple of strides in elements
  };
  Kind kind = Kind::None;
  PickleGlobal global = PickleGlobal::Size;
  DType type = DType::F32; ///< Global and Storage
  int64_t number = 0;      ///< Bool, Int; Storage: elements; Tensor: first element
  llvm::StringRef text;    ///< points into the pickle
  std::vector<PickleValue *> items;

  bool is(Kind other) const { return kind == other; }
};

/// Owns values; they may share parts and even contain themselves.
class Pickle {
public:
  /// Runs the pickle at the front of `input` and drops it from there.
  llvm::Expected<PickleValue *> load(llvm::ArrayRef<uint8_t> &input);
  /// Every value made so far.
  const std::deque<PickleValue> &all() const { return values; }

private:
  std::deque<PickleValue> values;
};

} // namespace kiln::weights

#endif // KILN_FRONTEND_WEIGHTS_PICKLE_H
