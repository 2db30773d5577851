//===- Create.cpp - beginning and end of an instance ----------------------===//
//
// All memory that calls use is taken here: one block for the instance and its tables, and the
// arena, large enough for every entry at the bounds of its dimensions.
//
//===----------------------------------------------------------------------===//
#include "runtime/Cpu.h"
#include "runtime/Libc.h"
#include "runtime/Model.h"

// The library has no operator new; instances are made in memory that is already there.
inline void *operator new(size_t, void *place, kiln::rt::Instance *) noexcept { return place; }

namespace kiln::rt {

/// Tensors of kernels compiled without a bound are addressed by 32-bit offsets.
static constexpr int64_t tensorByteLimit = int64_t(1) << 31;

int64_t *Instance::boundsOf(int32_t entry) const {
  int64_t *at = bounds;
  for (int32_t i = 0; i < entry; ++i)
    at += code->model->entries[i].num_dimensions;
  return at;
}

int64_t elementBytes(int32_t dtype) {
  constexpr uint8_t sizes[] = {8, 4, 2, 2, 1, 1, 8, 4, 2, 1, 1, 1};
  return sizes[dtype];
}

int64_t tensorBytes(const kiln_tensor &tensor, const int64_t *dims) {
  int64_t bytes = elementBytes(tensor.dtype);
  for (int32_t i = 0; i < tensor.rank; ++i) {
    int64_t extent = evaluate(tensor.shape[i], dims);
    if (extent < 0 || __builtin_mul_overflow(bytes, extent, &bytes))
      return -1;
  }
  return bytes;
}

kiln_status reserveFor(Instance &instance, int32_t number, const int64_t *dims, TextWriter text) {
  const kiln_entry &entry = instance.code->model->entries[number];
  for (int32_t i = 0; i < entry.num_limits; ++i) {
    int64_t bytes = evaluate(entry.limits[i], dims);
    if (bytes == INT64_MIN || bytes >= tensorByteLimit) {
      text << "a tensor of '" << entry.name << "' has " << entry.limits[i].text
           << " bytes, expected less than " << tensorByteLimit
           << " at the bounds of its dimensions";
      return KILN_TOO_LARGE;
    }
  }
  if (instance.device)
    return instance.code->device->reserve(instance, number, dims, text);
  int64_t bytes = evaluate(entry.arena_bytes, dims);
  if (bytes == INT64_MIN) {
    text << "the memory that '" << entry.name
         << "' needs at the bounds of its dimensions overflows";
    return KILN_TOO_LARGE;
  }
  if (bytes > 0 && !instance.arena.reserve(instance.allocator, size_t(bytes))) {
    text << "no memory for the " << bytes << " bytes that '" << entry.name << "' needs";
    return KILN_OUT_OF_MEMORY;
  }
  instance.ctx.arena = instance.arena.base();
  return KILN_OK;
}

namespace {
/// Where the parts of an instance's block begin, in bytes.
struct BlockLayout {
  size_t bounds, wanted, shares, profile, state, end;

  BlockLayout(const kiln_model_code &code, int threads, bool profiled) {
    size_t dimensions = 0;
    for (int32_t i = 0; i < code.model->num_entries; ++i)
      dimensions += size_t(code.model->entries[i].num_dimensions);
    auto after = [](size_t start, size_t bytes) { return (start + bytes + 63) & ~size_t(63); };
    bounds = after(0, sizeof(Instance));
    wanted = after(bounds, dimensions * sizeof(int64_t));
    shares = after(wanted, dimensions * sizeof(int64_t));
    profile = after(shares, ThreadPool::memoryBytes(threads));
    state = after(profile, profiled ? Profile::memoryBytes(*code.model) : 0);
    end = after(state, size_t(code.stateBytes));
  }
};
} // namespace

/// The last target for processors whose features this one has; -1 if there is none.
static int32_t chooseTarget(const kiln_model_code &code) {
  uint64_t features = cpuFeatures();
  for (int32_t i = code.model->num_targets; i-- > 0;)
    if (!code.targets[i].device && (code.targets[i].features & ~features) == 0)
      return i;
  return -1;
}

/// The user's max_NAME values; those behind struct_size are 0.
static int64_t maximum(const kiln_options &options, int32_t index) {
  size_t offset = sizeof(kiln_options) + size_t(index) * sizeof(int64_t);
  if (offset + sizeof(int64_t) > options.struct_size)
    return 0;
  return *reinterpret_cast<const int64_t *>(reinterpret_cast<const char *>(&options) + offset);
}

/// Options that follow the maxima.
static kiln_device_options deviceOptions(const kiln_model &model, const kiln_options &options) {
  kiln_device_options result = {};
  size_t offset = sizeof(kiln_options) + size_t(model.num_maxima) * sizeof(int64_t);
  if (options.struct_size > offset)
    __builtin_memcpy(&result, reinterpret_cast<const char *>(&options) + offset,
                     options.struct_size - offset);
  return result;
}

/// A bound above what every entry with that dimension declares is refused: no call could reach it.
static kiln_status checkMaxima(const kiln_model &model, const kiln_options &options,
                               TextWriter &text) {
  for (int32_t i = 0; i < model.num_maxima; ++i) {
    int64_t wanted = maximum(options, i), largest = 0;
    for (int32_t e = 0; e < model.num_entries; ++e)
      for (int32_t d = 0; d < model.entries[e].num_dimensions; ++d) {
        const kiln_dimension &dimension = model.entries[e].dimensions[d];
        if (dimension.max_index != i)
          continue;
        int64_t upper = dimension.upper < 0 ? INT64_MAX : dimension.upper;
        largest = largest < upper ? upper : largest;
      }
    if (wanted < 0 || wanted > largest) {
      text << "'max_" << model.maxima[i] << "' of the options: expected "
           << (wanted < 0 ? "at least 0" : "at most ");
      if (wanted > 0)
        text << largest << ", which the model declares";
      text << ", got " << wanted;
      return KILN_INVALID_ARGUMENT;
    }
  }
  return KILN_OK;
}

static kiln_status checkOptions(const kiln_model &model, const kiln_options &options,
                                TextWriter &text) {
  size_t full = sizeof(kiln_options) + size_t(model.num_maxima) * sizeof(int64_t) +
                sizeof(kiln_device_options);
  if (options.struct_size < sizeof(kiln_options) || options.struct_size > full ||
      options.struct_size % sizeof(int64_t) != 0) {
    text << "'struct_size' of the options: expected " << int64_t(full) << ", got "
         << int64_t(options.struct_size);
    return KILN_INVALID_ARGUMENT;
  }
  if (options.threads < 0) {
    text << "'threads' of the options: expected at least 0, got " << int64_t(options.threads);
    return KILN_INVALID_ARGUMENT;
  }
  if (!options.allocate != !options.deallocate) {
    text << "'allocate' and 'deallocate' of the options: expected both or none";
    return KILN_INVALID_ARGUMENT;
  }
  return checkMaxima(model, options, text);
}

/// Fixes the bound of each dimension: the user's, capped by the declared one.
static kiln_status setBounds(Instance &instance, const kiln_options &options, TextWriter &text) {
  const kiln_model &model = *instance.code->model;
  int64_t *bound = instance.bounds;
  for (int32_t e = 0; e < model.num_entries; ++e)
    for (int32_t d = 0; d < model.entries[e].num_dimensions; ++d, ++bound) {
      const kiln_dimension &dimension = model.entries[e].dimensions[d];
      if (dimension.is_data) { // a capacity of the caller's
        *bound = INT64_MAX;
        continue;
      }
      int64_t wanted = maximum(options, dimension.max_index);
      if (wanted == 0 && dimension.upper < 0) {
        text << "dimension '" << dimension.name << "' of '" << model.entries[e].name
             << "' has no bound: set 'max_" << dimension.name << "' in the options";
        return KILN_INVALID_ARGUMENT;
      }
      *bound = wanted == 0 || (dimension.upper >= 0 && dimension.upper < wanted) ? dimension.upper
                                                                                 : wanted;
      if (*bound < dimension.lower) {
        text << "'max_" << dimension.name << "' of the options: expected at least "
             << dimension.lower << ", got " << *bound;
        return KILN_INVALID_ARGUMENT;
      }
    }
  return KILN_OK;
}

/// Number of threads for the pool: what is asked for, never more than is allowed.
static int threadCount(const kiln_options &options) {
  if (options.executor || options.threads == 1)
    return 1;
  int allowed = allowedThreads();
  int wanted = options.threads == 0 || options.threads > allowed ? allowed : options.threads;
  return wanted < ThreadPool::maxThreads ? wanted : ThreadPool::maxThreads;
}

/// Everything of create() that can fail once the instance's block is there.
static kiln_status prepare(Instance &instance, const kiln_options &options, int threads,
                           uint8_t *poolMemory, TextWriter &text) {
  const kiln_model &model = *instance.code->model;
  if (kiln_status status = setBounds(instance, options, text))
    return status;
  for (int32_t e = 0; e < model.num_entries; ++e)
    if (kiln_status status = reserveFor(instance, e, instance.boundsOf(e), text))
      return status;
  if (options.prefault && !instance.device)
    for (int64_t i = 0; i < instance.code->numWeights; ++i)
      prefault(instance.code->blobs[i].data, size_t(instance.code->blobs[i].bytes));
  if (threads > 1 && !instance.device &&
      !instance.pool.start(threads, options.pin != 0, poolMemory)) {
    text << "the system refused to start " << int64_t(threads - 1) << " threads";
    return KILN_THREADS_FAILED;
  }
  return KILN_OK;
}

static void release(Instance *instance) {
  Allocator allocator = instance->allocator;
  if (instance->device)
    instance->code->device->close(*instance);
  instance->arena.release(allocator);
  allocator.give(instance, instance->blockBytes);
}

/// Opens a device if the library has code for one and the options let it. Where none can be used,
/// the processor takes over if there is code for it too and no device is asked for.
static kiln_status openDevice(Instance &instance, const kiln_device_options &options,
                              TextWriter &text) {
  const kiln_device_api *api = instance.code->device;
  bool isAsked = options.device > 0 || options.device == KILN_DEVICE_GPU || options.cuda_context ||
                 options.cuda_stream;
  if (options.device == KILN_DEVICE_CPU && isAsked) {
    text << "the options give a context or stream of a GPU, but 'device' is KILN_DEVICE_CPU";
    return KILN_INVALID_ARGUMENT;
  }
  if (options.device < KILN_DEVICE_GPU) {
    text << "'device' of the options: expected one of KILN_DEVICE_..., got "
         << int64_t(options.device);
    return KILN_INVALID_ARGUMENT;
  }
  if (options.device == KILN_DEVICE_CPU) {
    if (instance.bodies)
      return KILN_OK;
    text << "the options ask for the processor, but the library has no code for this one; name it "
            "in --target";
    return KILN_UNSUPPORTED_CPU;
  }
  if (!api) {
    if (!isAsked)
      return KILN_OK;
    text << "the options ask for a GPU, but the library has no code for one; name it in --target";
    return KILN_NO_DEVICE;
  }
  TextWriter start = text;
  kiln_status status = api->open(instance, options, text);
  if (status != KILN_NO_DEVICE || !instance.bodies || isAsked)
    return status;
  text = start;
  text << "";
  return KILN_OK;
}

static kiln_status create(const kiln_model_code &code, const kiln_options &options, void **out,
                          TextWriter &text) {
  if (kiln_status status = checkOptions(*code.model, options, text))
    return status;
  int32_t target = chooseTarget(code);
  if (target < 0 && !code.device) {
    text << "this processor lacks what the kernels were compiled for: expected at least '"
         << code.model->targets[0] << "'";
    return KILN_UNSUPPORTED_CPU;
  }
  int threads = threadCount(options);
  BlockLayout layout(code, threads, options.profile != 0);
  Allocator allocator{options.allocate, options.deallocate, options.allocator_context};
  auto *block = static_cast<uint8_t *>(allocator.take(layout.end));
  if (!block) {
    text << "no memory for the " << int64_t(layout.end) << " bytes of an instance";
    return KILN_OUT_OF_MEMORY;
  }
  auto *instance = new (block, static_cast<Instance *>(nullptr)) Instance;
  instance->code = &code;
  instance->target = target;
  instance->bodies = target < 0 ? nullptr : code.targets[target].bodies;
  instance->allocator = allocator;
  instance->blockBytes = layout.end;
  instance->bounds = reinterpret_cast<int64_t *>(block + layout.bounds);
  instance->wanted = reinterpret_cast<int64_t *>(block + layout.wanted);
  instance->executor = options.executor;
  instance->executorContext = options.executor_context;
  instance->grow = options.grow != 0;
  instance->processId = getpid();
  instance->ctx.weights = code.weights;
  instance->ctx.state = block + layout.state;
  if (options.profile) {
    instance->profile.begin(*code.model, block + layout.profile);
    instance->ctx.attention = 1;
  }
  kiln_status status = openDevice(*instance, deviceOptions(*code.model, options), text);
  if (!status)
    status = prepare(*instance, options, threads, block + layout.shares, text);
  if (!status && (status = kiln_rt_reset(instance)))
    text << instance->error;
  if (status) {
    release(instance);
    return status;
  }
  *out = instance;
  return KILN_OK;
}

/// Why the last creation in this process failed, for callers that gave no place for the text. One
/// writer at a time; who finds the place taken leaves it to the other.
static char lastReason[Instance::errorBytes];
static int32_t writingReason = 0;

static void rememberFailure(const char *reason) {
  if (__atomic_exchange_n(&writingReason, 1, __ATOMIC_ACQUIRE))
    return;
  TextWriter(lastReason, sizeof lastReason) << reason;
  __atomic_store_n(&writingReason, 0, __ATOMIC_RELEASE);
}

} // namespace kiln::rt

using namespace kiln::rt;

const char *kiln_rt_last_error(const void *instance) {
  return instance ? static_cast<const Instance *>(instance)->error : lastReason;
}

kiln_status kiln_rt_create(const kiln_model_code *code, const kiln_options *options,
                           void **instance) {
  kiln_options defaults = {};
  defaults.struct_size = sizeof(kiln_options);
  defaults.threads = 1;
  if (!options)
    options = &defaults;
  // With a wrong struct_size the error buffer is used only if it lies within what is there.
  bool hasError = options->struct_size >= offsetof(kiln_options, grow);
  char reason[Instance::errorBytes];
  TextWriter text(reason, sizeof reason);
  kiln_status status = KILN_INVALID_ARGUMENT;
  if (instance) {
    *instance = nullptr;
    status = create(*code, *options, instance, text);
  } else {
    text << "the place for the new instance is null";
  }
  if (hasError)
    TextWriter(options->error, options->error_size) << reason;
  rememberFailure(reason);
  return status;
}

void kiln_rt_destroy(void *instance) {
  if (!instance)
    return;
  auto *self = static_cast<Instance *>(instance);
  // After a fork the parent's threads are not there to be joined.
  if (self->processId == getpid())
    self->pool.stop();
  release(self);
}
