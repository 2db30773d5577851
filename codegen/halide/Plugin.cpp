//===- Plugin.cpp - the C interface of libkiln-halide ---------------------===//

#include "codegen/halide/Plugin.h"
#include "codegen/halide/Build.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

using namespace kiln;
using namespace kiln::halide;

namespace {
/// A file that goes when it goes.
struct TemporaryFile {
  std::string path;
  TemporaryFile() {
    const char *folder = std::getenv("TMPDIR");
    path = std::string(folder ? folder : "/tmp") + "/kiln-halide-XXXXXX";
    int file = mkstemp(path.data());
    if (file < 0)
      throw std::runtime_error("cannot create '" + path + "'");
    close(file);
  }
  ~TemporaryFile() { unlink(path.c_str()); }
};
} // namespace

static Template findTemplate(const std::string &name) {
  static const std::map<std::string, Template> templates = {
      {"linear", buildTiled},        {"conv2d", buildTiled}, {"matmul", buildTiled},
      {"depthwise", buildTiled},     {"pool", buildTiled},   {"rowwise", buildRowwise},
      {"pointwise", buildPointwise},
  };
  auto it = templates.find(name);
  if (it == templates.end())
    throw Unsupported("unknown template '" + name + "'");
  return it->second;
}

static std::string readAll(const std::string &path) {
  std::string bytes;
  FILE *file = std::fopen(path.c_str(), "rb");
  if (!file)
    throw std::runtime_error("cannot read '" + path + "'");
  char chunk[65536];
  while (size_t n = std::fread(chunk, 1, sizeof chunk, file))
    bytes.append(chunk, n);
  std::fclose(file);
  return bytes;
}

static char *duplicate(const std::string &bytes) {
  char *copy = static_cast<char *>(std::malloc(bytes.size() + 1));
  if (!copy)
    throw std::bad_alloc();
  std::memcpy(copy, bytes.data(), bytes.size());
  copy[bytes.size()] = 0;
  return copy;
}

static void generate(std::string_view text, const char *symbol, const char *targetName,
                     kiln_halide_result *out) {
  std::string error;
  std::optional<spec::KernelSpec> spec = spec::parse(text, error);
  if (spec)
    error = spec::verify(*spec);
  if (!error.empty())
    throw std::runtime_error(error);
  const target::Target *target = target::find(targetName);
  if (!target)
    throw std::runtime_error(std::string("unknown target '") + targetName + "'");
  Builder builder(*spec, *target);
  findTemplate(spec->schedule.templateName)(builder);
  Halide::Target halideTarget(std::string(target->halide) +
                              "-no_runtime-no_asserts-no_bounds_query-user_context");
  Halide::Module module = builder.pipeline().compile_to_module(
      builder.arguments(), symbol, halideTarget, Halide::LinkageType::External);
  TemporaryFile file;
  module.compile({{Halide::OutputFileType::bitcode, file.path}});
  std::string bitcode = readAll(file.path), arguments = builder.describeArguments();
  out->bitcode = reinterpret_cast<uint8_t *>(duplicate(bitcode));
  out->bitcode_bytes = bitcode.size();
  out->arguments = duplicate(arguments);
}

int32_t kiln_halide_generate(const char *spec_text, size_t spec_bytes, const char *symbol,
                             const char *target, kiln_halide_result *out, char *error,
                             size_t error_bytes) {
  auto start = std::chrono::steady_clock::now();
  auto fail = [&](int32_t code, const char *text) {
    if (error_bytes)
      std::snprintf(error, error_bytes, "%s", text);
    return code;
  };
  try {
    *out = {};
    generate({spec_text, spec_bytes}, symbol, target, out);
    out->milliseconds =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    return 0;
  } catch (const Unsupported &problem) {
    return fail(1, problem.what());
  } catch (const std::exception &problem) {
    return fail(2, problem.what());
  } catch (const Halide::Error &problem) {
    return fail(2, problem.what());
  } catch (...) {
    return fail(2, "unknown error of Halide");
  }
}

void kiln_halide_free(kiln_halide_result *result) {
  std::free(result->bitcode);
  std::free(result->arguments);
  *result = {};
}

const char *kiln_halide_version(void) {
  static const std::string text = "halide " + std::to_string(HALIDE_VERSION_MAJOR) + "." +
                                  std::to_string(HALIDE_VERSION_MINOR) + "." +
                                  std::to_string(HALIDE_VERSION_PATCH);
  return text.c_str();
}
