//===- Program.h - a planned model as plain data ---------------*- C++ -*-===//
//
// What `plan` decided, free of MLIR: entry points with their dimensions, one arena, and the
// steps as a tree. codegen/host turns a Program into the host module of the library and its C
// header.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_CODEGEN_HOST_PROGRAM_H
#define KILN_CODEGEN_HOST_PROGRAM_H

#include "ir/DType.h"
#include "ir/DimExpr.h"
#include "ir/Requirement.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kiln::host {

/// A dynamic dimension of an entry point: an argument of its C function. One that values decide
/// stands in results only: the caller gives a capacity and a place for the number.
struct Dimension {
  std::string name;
  int64_t lower = 0;
  std::optional<int64_t> upper; ///< declared bound; absent: the user gives max_NAME at creation
  bool isData = false;
  DimExpr most{};  ///< of isData: never exceeded, over the other dimensions
  DimExpr value{}; ///< of isData: over symbols that Bind steps give a value
};

/// A named tensor of an entry point's signature; its extents are over the entry's dimensions.
struct TensorInfo {
  std::string name;
  DType type = DType::F32;
  std::vector<DimExpr> shape;
};

/// Where a launch's buffer lives.
struct BufferRef {
  enum class Kind : uint8_t { Argument, Result, Arena, Weight, State };
  Kind kind = Kind::Arena;
  unsigned index = 0; ///< of the argument, result, weight or state
  DimExpr offset;     ///< bytes from the start of that tensor, or of the arena
};

/// One step: a call of a kernel by its symbol (KernelSpec hash), a plain copy of bytes, a look at a
/// bool that ends the call with KILN_INDEX_OUT_OF_RANGE if it is false, or steps that run several
/// times or not at all.
struct Launch {
  enum class Kind : uint8_t {
    Kernel,
    Copy,
    Assert,
    Loop,  ///< `body`, dims[0] times; `symbol` is the round's number in formulas of offsets
    While, ///< `condition`, then `body` if buffers[0] holds; at most as often as buffers[1] says
    If,    ///< `body` if buffers[0] holds, else `otherwise`
    Bind,  ///< `symbol` is the i64 in buffers[0] from here on, if `checks` hold
  };
  Kind kind = Kind::Kernel;
  std::string
      kernel; ///< for Kernel: the symbol int32_t NAME(kiln_ctx*, void*const*, const int64_t*)
  std::vector<BufferRef>
      buffers; ///< in the spec's operand order; for Copy: source, destination; for Assert: it
  std::vector<DimExpr> dims; ///< values of the spec's symbols; for Copy: the byte count
  std::string label;         ///< "conv2d + relu" for the profile
  std::string location;      ///< "resnet.kiln:12" for the profile
  DimExpr flops, bytes;      ///< cost formulas for the profile
  std::string symbol;
  std::vector<unsigned> checks;    ///< of Bind: among the entry's late checks
  std::vector<unsigned> announced; ///< of Bind: dimensions whose value is known now
  std::vector<Launch> condition, body, otherwise;

  bool isControl() const { return kind == Kind::Loop || kind == Kind::While || kind == Kind::If; }
};

/// Calls `visit` with each step but control steps, in the order of the program's text: the order of
/// their numbers.
template <typename Visit>
void forEachLaunch(const std::vector<Launch> &launches, const Visit &visit) {
  for (const Launch &launch : launches) {
    if (!launch.isControl())
      visit(launch);
    forEachLaunch(launch.condition, visit);
    forEachLaunch(launch.body, visit);
    forEachLaunch(launch.otherwise, visit);
  }
}

/// What must hold of values that Bind steps bind.
struct LateCheck {
  Requirement requirement;
  int32_t status; ///< what the call returns otherwise
};

struct EntryPoint {
  std::string name; ///< "predict"
  std::vector<Dimension> dimensions;
  std::vector<TensorInfo> arguments, results;
  std::vector<Requirement> checks; ///< before anything runs; subjects name the place
  std::vector<LateCheck> lateChecks;
  std::map<std::string, DimExpr, std::less<>> bound; ///< symbols of Bind steps: never exceeded
  std::vector<Launch> launches;                      ///< steps, in order
  DimExpr arenaBytes;                                ///< over the entry's dimensions, in any way
  /// Byte counts of tensors that kernels address with 32 bits although a dimension has no declared
  /// bound; creation refuses bounds at which one reaches 2^31.
  std::vector<DimExpr> limits;
};

/// A packed weight as it lies in the library. The bytes come from the WeightStore by hash.
struct WeightInfo {
  std::string name;        ///< "layer1.0.conv1.weight"
  std::string contentHash; ///< key in the WeightStore
  int64_t bytes = 0;
};

/// A tensor kept between calls, of constant size.
struct StateInfo {
  std::string name;
  int64_t bytes = 0;
  std::optional<unsigned> initialWeight; ///< index of the weight it starts as; absent: zeros
};

struct Program {
  std::string modelName; ///< snake case, prefix of C symbols
  std::string version;   ///< "kiln 0.1.0; halide, llvm"
  std::vector<EntryPoint> entries;
  std::vector<WeightInfo> weights;
  std::vector<StateInfo> states;
};

} // namespace kiln::host

#endif // KILN_CODEGEN_HOST_PROGRAM_H
