//===- Library.cpp - calls a compiled model through its description -------===//
#include "tools/kiln-run/Program.h"

#include "runtime/kiln.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"

#include <cstddef>
#include <dlfcn.h>

using namespace kiln;
using namespace kiln::run;

static_assert(KILN_F64 == int(DType::F64) && KILN_BF16 == int(DType::BF16) &&
                  KILN_I64 == int(DType::I64) && KILN_BOOL == int(DType::Bool),
              "the C interface numbers element types as DType does");

/// The extent as an expression over the entry's dimensions.
static llvm::Expected<DimExpr> extentOf(const kiln_extent &extent) {
  if (!extent.formula)
    return DimExpr(extent.value);
  std::optional<DimExpr> expr = DimExpr::parse(extent.text);
  if (!expr)
    return failure(llvm::Twine("its description has the extent '") + extent.text + "'");
  return *expr;
}

static llvm::Error addTensors(const kiln_tensor *tensors, int32_t count,
                              std::vector<TensorSpec> &into) {
  for (int32_t i = 0; i < count; ++i) {
    const kiln_tensor &tensor = tensors[i];
    if (tensor.dtype < 0 || tensor.dtype >= numDTypes)
      return failure("its description has the element type " + llvm::Twine(tensor.dtype));
    TensorSpec spec{tensor.name, static_cast<DType>(tensor.dtype), {}};
    for (int32_t axis = 0; axis < tensor.rank; ++axis) {
      llvm::Expected<DimExpr> extent = extentOf(tensor.shape[axis]);
      if (!extent)
        return extent.takeError();
      spec.shape.push_back(*extent);
    }
    into.push_back(std::move(spec));
  }
  return llvm::Error::success();
}

namespace {
class Library : public Program {
public:
  Library(void *handle, const kiln_model &model, const LibraryOptions &options)
      : handle(handle), model(model), options(options) {}
  ~Library() override {
    if (instance)
      model.destroy(instance);
    dlclose(handle);
  }

  llvm::Error readEntries();
  void describe(llvm::raw_ostream &os) const override;
  llvm::Error prepare(unsigned entry, const Dims &dims) override;
  llvm::Error call(llvm::ArrayRef<Value> arguments, llvm::MutableArrayRef<Value> results) override;
  std::string target() const override { return model.target ? model.target(instance) : ""; }
  std::vector<ProfileRow> profile() const override;

private:
  void *handle, *instance = nullptr;
  const kiln_model &model;
  LibraryOptions options;
  int32_t current = 0;
  int64_t calls = 0;
  std::vector<int64_t> dims; ///< of one that values decide: the capacity
  Dims known;
  std::vector<kiln_profile_row> first; ///< the profile after the first call, which is not steady

  void makeResults(const Dims &values, llvm::MutableArrayRef<Value> results) const;
  /// The values of max_NAME: what this call needs, the least legal value where nothing is asked.
  std::vector<int64_t> maxima() const;
};
} // namespace

llvm::Error Library::readEntries() {
  for (int32_t e = 0; e < model.num_entries; ++e) {
    const kiln_entry &from = model.entries[e];
    Entry entry;
    entry.name = from.name;
    for (int32_t d = 0; d < from.num_dimensions; ++d) {
      const kiln_dimension &dimension = from.dimensions[d];
      entry.dimensions.push_back({dimension.name, dimension.lower, std::nullopt, std::nullopt});
      if (dimension.upper >= 0)
        entry.dimensions.back().upper = dimension.upper;
      if (!dimension.is_data)
        continue;
      llvm::Expected<DimExpr> most = extentOf(dimension.most);
      if (!most)
        return most.takeError();
      entry.dimensions.back().most = *most;
    }
    if (llvm::Error error = addTensors(from.arguments, from.num_arguments, entry.arguments))
      return error;
    if (llvm::Error error = addTensors(from.results, from.num_results, entry.results))
      return error;
    entryList.push_back(std::move(entry));
  }
  return llvm::Error::success();
}

void Library::describe(llvm::raw_ostream &os) const {
  os << "model    " << model.name << '\n' << "version  " << model.version << '\n' << "targets ";
  for (int32_t i = 0; i < model.num_targets; ++i)
    os << ' ' << model.targets[i];
  os << "\nweights  " << model.weight_bytes << " bytes\n";
  for (int32_t i = 0; i < model.num_states; ++i)
    os << "state    " << model.states[i].name << ", " << model.states[i].bytes << " bytes\n";
}

std::vector<int64_t> Library::maxima() const {
  std::vector<int64_t> values(model.num_maxima, 1);
  for (int32_t e = 0; e < model.num_entries; ++e)
    for (int32_t d = 0; d < model.entries[e].num_dimensions; ++d) {
      const kiln_dimension &dimension = model.entries[e].dimensions[d];
      if (dimension.is_data)
        continue;
      int64_t needed = e == current ? std::max(dims[d], dimension.lower) : dimension.lower;
      values[dimension.max_index] = std::max(values[dimension.max_index], needed);
    }
  return values;
}

llvm::Error Library::prepare(unsigned entry, const Dims &values) {
  current = static_cast<int32_t>(entry);
  dims.clear();
  if (instance)
    model.destroy(std::exchange(instance, nullptr));
  known = values;
  for (const Dimension &dimension : entryList[entry].dimensions) {
    if (dimension.most) {
      auto lookUp = [&](std::string_view name) -> std::optional<int64_t> {
        auto it = known.find(name);
        return it == known.end() ? std::nullopt : std::optional(it->second);
      };
      dims.push_back(std::max<int64_t>(dimension.most->evaluate(lookUp).value_or(0), 0));
      continue;
    }
    auto it = values.find(dimension.name);
    if (it == values.end())
      return failure("dimension '" + dimension.name +
                     "' does not follow from the inputs: give it "
                     "by '--dim " +
                     dimension.name + "=8'");
    dims.push_back(it->second);
  }
  // The options of a model are those of all models and one maximum for each of its dimensions.
  static_assert(sizeof(kiln_options) % sizeof(int64_t) == 0);
  constexpr size_t head = sizeof(kiln_options) / sizeof(int64_t);
  std::vector<int64_t> memory(head);
  std::vector<int64_t> bounds = maxima();
  memory.insert(memory.end(), bounds.begin(), bounds.end());
  char text[512] = "";
  auto *create = reinterpret_cast<kiln_options *>(memory.data());
  create->struct_size = static_cast<uint32_t>(memory.size() * sizeof(int64_t));
  create->threads = options.threads;
  create->error = text;
  create->error_size = sizeof(text);
  create->profile = options.profile;
  if (kiln_status status = model.create(create, &instance)) {
    std::string what = (llvm::Twine("cannot create the model: ") + text).str();
    if (status == KILN_NO_DEVICE)
      return llvm::createStringError(std::make_error_code(std::errc::no_such_device), what);
    return failure(what);
  }
  return llvm::Error::success();
}

/// Gives results with a dimension that values decide the shape that follows from `values`.
void Library::makeResults(const Dims &values, llvm::MutableArrayRef<Value> results) const {
  const Entry &entry = entryList[current];
  bool any = false;
  for (const Dimension &dimension : entry.dimensions)
    any |= dimension.most.has_value();
  auto lookUp = [&](std::string_view name) -> std::optional<int64_t> {
    auto it = values.find(name);
    return it == values.end() ? std::nullopt : std::optional(it->second);
  };
  for (size_t i = 0; any && i < results.size(); ++i) {
    int64_t bytes = byteSize(results[i].type);
    for (size_t axis = 0; axis < results[i].shape.size(); ++axis) {
      results[i].shape[axis] = entry.results[i].shape[axis].evaluate(lookUp).value_or(0);
      bytes *= results[i].shape[axis];
    }
    results[i].bytes.resize(bytes);
  }
}

llvm::Error Library::call(llvm::ArrayRef<Value> arguments, llvm::MutableArrayRef<Value> results) {
  llvm::SmallVector<void *> buffers;
  const std::vector<Dimension> &dimensions = entryList[current].dimensions;
  std::vector<int64_t> numbers(dimensions.size());
  for (size_t i = 0; i < dimensions.size(); ++i)
    if (dimensions[i].most)
      known[dimensions[i].name] = dims[i];
  makeResults(known, results);
  // The interface promises that arguments are only read.
  for (const Value &value : arguments)
    buffers.push_back(const_cast<uint8_t *>(value.bytes.data()));
  for (Value &value : results)
    buffers.push_back(value.bytes.data());
  for (size_t i = 0; i < dimensions.size(); ++i)
    if (dimensions[i].most)
      buffers.push_back(&numbers[i]);
  if (model.call(instance, current, dims.data(), buffers.data()))
    return failure(model.last_error(instance));
  for (size_t i = 0; i < dimensions.size(); ++i)
    if (dimensions[i].most)
      known[dimensions[i].name] = numbers[i];
  makeResults(known, results);
  if (++calls == 1 && options.profile)
    if (const kiln_profile_row *rows = model.profile(instance, current))
      first.assign(rows, rows + model.entries[current].num_launches);
  return llvm::Error::success();
}

std::vector<ProfileRow> Library::profile() const {
  const kiln_profile_row *rows = model.profile(instance, current);
  const kiln_entry &entry = model.entries[current];
  std::vector<ProfileRow> result;
  auto value = [&](const kiln_extent &extent) {
    return double(extent.formula ? extent.formula(dims.data()) : extent.value);
  };
  for (int32_t i = 0; rows && i < entry.num_launches; ++i) {
    const kiln_launch &launch = entry.launches[i];
    bool isSteady = calls > 1;
    double runs = double(rows[i].calls - (isSteady ? first[i].calls : 0));
    double time = double(rows[i].nanoseconds - (isSteady ? first[i].nanoseconds : 0));
    // In a loop a kernel runs several times in one call, in a branch perhaps not at all.
    double perCall = double(isSteady ? calls - 1 : 1);
    result.push_back({launch.label, launch.location, value(launch.flops) * runs / perCall,
                      value(launch.bytes) * runs / perCall, time / perCall * 1e-6});
  }
  return result;
}

llvm::Expected<std::unique_ptr<Program>> run::openLibrary(llvm::StringRef path,
                                                          const LibraryOptions &options) {
  // Without a slash, dlopen would look in the system's folders.
  llvm::SmallString<256> absolute(path);
  if (std::error_code error = llvm::sys::fs::make_absolute(absolute))
    return failure("cannot find '" + path + "': " + error.message());
  if (!llvm::sys::fs::exists(absolute))
    return failure("there is no file '" + path + "'");
  void *handle = dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return failure("cannot load '" + path + "': " + dlerror() +
                   "; expected a library made by kilnc, or a file named .kiln or .mlir");
  auto *model = static_cast<const kiln_model *>(dlsym(handle, "kiln_model_v1"));
  if (!model || model->abi_version != 1 || model->struct_size < sizeof(kiln_model)) {
    std::string got = model ? std::to_string(model->abi_version) : "none";
    dlclose(handle);
    return failure("'" + path + "' is no library made by kilnc: expected the symbol " +
                   "'kiln_model_v1' of ABI version 1, got " + got);
  }
  auto library = std::make_unique<Library>(handle, *model, options);
  if (llvm::Error error = library->readEntries())
    return failure("cannot use '" + path + "': " + llvm::toString(std::move(error)));
  return library;
}
