//===- Compile.h - a model file to a library -------------------*- C++ -*-===//
#ifndef KILN_TOOLS_KILNC_COMPILE_H
#define KILN_TOOLS_KILNC_COMPILE_H

#include "passes/Options.h"

#include "llvm/ADT/StringRef.h"

#include <string>
#include <utility>
#include <vector>

namespace kiln {

/// Everything that the command line says.
struct CompileOptions {
  std::string input, output, header, emit = "library", model;
  std::string commandLine; ///< for reproducers
  std::vector<std::pair<std::string, std::string>> sets;
  std::vector<std::string> weights;
  std::string weightsPrefix;
  std::vector<std::pair<std::string, std::string>> renames; ///< of the weights' names
  bool allowUnusedWeights = false;
  std::vector<std::string> targets = {"native"};
  Options options;
  unsigned jobs = 0;       ///< 0: as many as the machine has
  std::string cacheFolder; ///< empty: no cache
  std::string mapPath, ledgerPath, reportPath, recipe, calibrationPath, saveCalibrationPath;
  bool remarks = false, progress = false, checkEach = false;
  bool cubins = true;       ///< machine code for GPUs, where ptxas is at hand
  bool verify = false;      ///< run the library against the interpreter before it is handed over
  std::string verifyInputs; ///< arguments for that; empty: random ones
};

/// Folders found from the place of the running program, so that an installed prefix can be moved.
struct Installation {
  std::string std, zoo, halide; ///< standard modules, zoo, plug-in (empty: not there)
  static Installation find(const char *argv0);
};

/// Compiles; errors go to standard error. 0: done, 1: the user's error, 2: an internal one.
int compile(const CompileOptions &options, const Installation &installation);

} // namespace kiln

#endif // KILN_TOOLS_KILNC_COMPILE_H
