//===- Export.cpp - cases for others to compute ---------------------------===//

#include "test/conformance/Batch.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <unistd.h>

using namespace kiln;
using namespace kiln::conformance;

static llvm::json::Value json(const ir::Tensor &tensor) {
  std::vector<uint8_t> bytes(tensor.numElements() * byteSize(tensor.type));
  tensor.toBytes(bytes.data());
  return llvm::json::Object{{"type", std::string(name(tensor.type))},
                            {"shape", llvm::json::Array(tensor.shape)},
                            {"hex", llvm::toHex(bytes)}};
}

static llvm::json::Array json(llvm::ArrayRef<ir::Tensor> tensors) {
  llvm::json::Array array;
  for (const ir::Tensor &tensor : tensors)
    array.push_back(json(tensor));
  return array;
}

std::string conformance::exportCall(const std::string &dir, const Case &one, const Call &call) {
  if (!call.expected)
    return "";
  std::string file = dir + "/" + one.op + "." + std::to_string(getpid()) + ".jsonl";
  std::error_code error;
  llvm::raw_fd_ostream os(file, error, llvm::sys::fs::OF_Append);
  if (error)
    return "cannot write '" + file + "': " + error.message();
  llvm::json::Object dims;
  for (const auto &[dim, size] : call.dims)
    dims[dim] = size;
  os << llvm::json::Value(llvm::json::Object{{"case", one.id},
                                             {"op", one.op},
                                             {"type", std::string(name(one.type))},
                                             {"members", one.members},
                                             {"dims", std::move(dims)},
                                             {"arguments", json(call.arguments)},
                                             {"results", json(*call.expected)}})
     << "\n";
  return "";
}
