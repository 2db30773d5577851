//===- Plugin.cpp - the C interface of libkiln-halide ---------------------===//

#include "codegen/halide/Plugin.h"
#include "codegen/halide/Build.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace kiln;
using namespace kiln::halide;

namespace {
/// What may pass the next time: of the machine, not of the spec.
struct Passing : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A file that goes when it goes.
struct TemporaryFile {
  std::string path;
  TemporaryFile() {
    const char *folder = std::getenv("TMPDIR");
    path = std::string(folder ? folder : "/tmp") + "/kiln-halide-XXXXXX";
    int file = mkstemp(path.data());
    if (file < 0)
      throw Passing("cannot create '" + path + "'");
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
    throw Passing("cannot read '" + path + "'");
  char chunk[65536];
  while (size_t n = std::fread(chunk, 1, sizeof chunk, file))
    bytes.append(chunk, n);
  std::fclose(file);
  return bytes;
}

namespace {
/// What a generation gives; crosses the pipe as one code and three blocks of bytes.
struct Reply {
  int32_t code = 2;
  std::string bitcode, arguments, message;
};
} // namespace

static void generate(std::string_view text, const char *symbol, const char *targetName,
                     Reply &reply) {
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
  builder.checkReductions();
  findTemplate(spec->schedule.templateName)(builder);
  Halide::Target halideTarget(std::string(target->halide) +
                              "-no_runtime-no_asserts-no_bounds_query-user_context" +
                              (builder.isRelaxed ? "" : "-strict_float"));
  Halide::Module module = builder.pipeline().compile_to_module(
      builder.arguments(), symbol, halideTarget, Halide::LinkageType::External);
  TemporaryFile file;
  module.compile({{Halide::OutputFileType::bitcode, file.path}});
  reply.bitcode = readAll(file.path);
  reply.arguments = builder.describeArguments();
  reply.code = 0;
}

static Reply guarded(std::string_view text, const char *symbol, const char *target) {
  Reply reply;
  try {
    generate(text, symbol, target, reply);
  } catch (const Unsupported &problem) {
    reply.code = 1;
    reply.message = problem.what();
  } catch (const Passing &problem) {
    reply.code = 3;
    reply.message = problem.what();
  } catch (const std::bad_alloc &) {
    reply.code = 3;
    reply.message = "out of memory";
  } catch (const std::exception &problem) {
    reply.message = problem.what();
  } catch (const Halide::Error &problem) { // no std::exception
    reply.message = problem.what();
  } catch (...) {
    reply.message = "unknown error of Halide";
  }
  return reply;
}

static bool writeAll(int file, const void *bytes, size_t size) {
  const char *at = static_cast<const char *>(bytes);
  while (size) {
    ssize_t n = write(file, at, size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

static bool readExactly(int file, void *bytes, size_t size) {
  char *at = static_cast<char *>(bytes);
  while (size) {
    ssize_t n = read(file, at, size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

static void send(int file, const Reply &reply) {
  writeAll(file, &reply.code, sizeof reply.code);
  for (const std::string *block : {&reply.bitcode, &reply.arguments, &reply.message}) {
    uint64_t size = block->size();
    writeAll(file, &size, sizeof size);
    writeAll(file, block->data(), size);
  }
}

static bool receive(int file, Reply &reply) {
  if (!readExactly(file, &reply.code, sizeof reply.code))
    return false;
  for (std::string *block : {&reply.bitcode, &reply.arguments, &reply.message}) {
    uint64_t size;
    if (!readExactly(file, &size, sizeof size) || size > uint64_t(1) << 30)
      return false;
    block->resize(size);
    if (!readExactly(file, block->data(), size))
      return false;
  }
  return true;
}

/// Generates in a child: Halide counts the names it has given in the whole process, and what it
/// sorts by name would depend on what was generated before. The parent's counters stay where they
/// began.
static Reply inChild(std::string_view text, const char *symbol, const char *target) {
  Reply reply;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    reply.code = 3;
    reply.message = "cannot make a pipe";
    return reply;
  }
  pid_t child = fork();
  if (child == 0) {
    // Halide's warnings, and the words of an abort, are not the compiler's.
    if (int nowhere = open("/dev/null", O_WRONLY); nowhere >= 0)
      dup2(nowhere, STDERR_FILENO);
    send(ends[1], guarded(text, symbol, target));
    _exit(0);
  }
  close(ends[1]);
  bool ok = child > 0 && receive(ends[0], reply);
  close(ends[0]);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  if (!ok) {
    reply = {};
    reply.code = 3; // killed for its memory, perhaps
    reply.message = "the process of Halide ended early";
    if (WIFSIGNALED(status))
      reply.message += " with signal " + std::to_string(WTERMSIG(status));
  }
  return reply;
}

static char *duplicate(const std::string &bytes) {
  char *copy = static_cast<char *>(std::malloc(bytes.size() + 1));
  if (copy) {
    std::memcpy(copy, bytes.data(), bytes.size());
    copy[bytes.size()] = 0;
  }
  return copy;
}

int32_t kiln_halide_generate(const char *spec_text, size_t spec_bytes, const char *symbol,
                             const char *target, kiln_halide_result *out, char *error,
                             size_t error_bytes) {
  auto start = std::chrono::steady_clock::now();
  *out = {};
  try {
    Reply reply = inChild({spec_text, spec_bytes}, symbol, target);
    if (error_bytes)
      std::snprintf(error, error_bytes, "%s", reply.message.c_str());
    if (reply.code)
      return reply.code;
    out->bitcode = reinterpret_cast<uint8_t *>(duplicate(reply.bitcode));
    out->bitcode_bytes = reply.bitcode.size();
    out->arguments = duplicate(reply.arguments);
  } catch (const std::exception &) {
  }
  if (!out->bitcode || !out->arguments) {
    kiln_halide_free(out);
    if (error_bytes)
      std::snprintf(error, error_bytes, "out of memory");
    return 3;
  }
  out->milliseconds =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return 0;
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
