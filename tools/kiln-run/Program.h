//===- Program.h - what kiln-run can run -----------------------*- C++ -*-===//
#ifndef KILN_TOOLS_KILN_RUN_PROGRAM_H
#define KILN_TOOLS_KILN_RUN_PROGRAM_H

#include "ir/DType.h"
#include "ir/DimExpr.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kiln::run {

using Shape = llvm::SmallVector<int64_t, 4>;
using Dims = std::map<std::string, int64_t, std::less<>>;

/// A dense row-major tensor in the type's own format.
struct Value {
  DType type = DType::F32;
  Shape shape;
  std::vector<uint8_t> bytes;
};

/// An argument or result of an entry point.
struct TensorSpec {
  std::string name;
  DType type;
  std::vector<DimExpr> shape;
};

struct Dimension {
  std::string name;
  int64_t lower;
  std::optional<int64_t> upper; ///< inclusive
  std::optional<DimExpr> most;  ///< of one that values decide: never exceeded
};

struct Entry {
  std::string name;
  std::vector<Dimension> dimensions;
  std::vector<TensorSpec> arguments, results;
};

/// One kernel of a profile; all figures are per call.
struct ProfileRow {
  std::string label, location;
  double flops, bytes, milliseconds;
};

/// A compiled library, or a module under the interpreter.
class Program {
public:
  virtual ~Program() = default;
  const std::vector<Entry> &entries() const { return entryList; }
  /// Writes name, version and sizes, one a line.
  virtual void describe(llvm::raw_ostream &os) const = 0;
  /// Must precede calls: readies an entry point for these values of its dimensions.
  virtual llvm::Error prepare(unsigned entry, const Dims &dims) = 0;
  /// Runs the prepared entry point once. Results have their shapes and sizes already, but those
  /// with a dimension that values decide, which are made anew.
  virtual llvm::Error call(llvm::ArrayRef<Value> arguments,
                           llvm::MutableArrayRef<Value> results) = 0;
  /// What the prepared entry point's kernels were compiled for; empty if nothing was compiled.
  virtual std::string target() const { return ""; }
  /// Time per kernel since `prepare`; empty if it is not counted.
  virtual std::vector<ProfileRow> profile() const { return {}; }

protected:
  std::vector<Entry> entryList;
};

struct LibraryOptions {
  int threads = 1; ///< 0: all that the process may use
  bool profile = false;
};
/// Opens a shared library made by kilnc.
llvm::Expected<std::unique_ptr<Program>> openLibrary(llvm::StringRef path,
                                                     const LibraryOptions &options);

struct ModuleOptions {
  std::string modelName;                                 ///< empty: the only model of the file
  std::vector<std::pair<std::string, std::string>> sets; ///< arguments of the model: name, text
  std::vector<std::string> weights;                      ///< files, "zeros" or "random:SEED"
  std::string weightsPrefix;
  std::vector<std::pair<std::string, std::string>> renames; ///< BindOptions::renames
};
/// Reads a model (.kiln) or IR (.mlir, with the .kwts file beside it) for the interpreter. Errors
/// in the file are printed as they are found; the error returned then only sums up.
llvm::Expected<std::unique_ptr<Program>> openModule(llvm::StringRef path,
                                                    const ModuleOptions &options);

/// "f32[N, 10]", as the language writes it.
std::string typeText(const TensorSpec &spec);
/// "[1, 10]".
std::string shapeText(llvm::ArrayRef<int64_t> shape);
/// The shape at these dimensions; an error that names the dimension if one is not known, or the
/// tensor if an extent is negative or the tensor is too large.
llvm::Expected<Shape> shapeOf(const TensorSpec &spec, const Dims &dims);
/// Zeros. The shape's byte count has been checked by shapeOf.
Value makeValue(DType type, llvm::ArrayRef<int64_t> shape);
int64_t numElements(llvm::ArrayRef<int64_t> shape);
llvm::Error failure(const llvm::Twine &message);

} // namespace kiln::run

#endif // KILN_TOOLS_KILN_RUN_PROGRAM_H
