//===- Call.cpp - running an entry point ----------------------------------===//
//
// Checks a call completely before anything runs, then runs the entry's body for this processor.
//
//===----------------------------------------------------------------------===//
#include "runtime/Libc.h"
#include "runtime/Model.h"

namespace kiln::rt {

static bool isCancelled(const Instance &instance) {
  return __atomic_load_n(&instance.stop, __ATOMIC_RELAXED) != 0;
}

/// Lets bounds grow to what this call needs. Growing one dimension after another must leave room
/// for all of them together, so memory is taken for the joint bounds.
static kiln_status growTo(Instance &instance, const kiln_entry &entry, const int64_t *dims) {
  int64_t *bounds = instance.boundsOf(instance.current);
  for (int32_t d = 0; d < entry.num_dimensions; ++d)
    instance.wanted[d] = dims[d] > bounds[d] ? dims[d] : bounds[d];
  if (kiln_status status = reserveFor(instance, instance.current, instance.wanted, instance.fail()))
    return status;
  for (int32_t d = 0; d < entry.num_dimensions; ++d)
    bounds[d] = instance.wanted[d];
  return KILN_OK;
}

static kiln_status checkDimensions(Instance &instance, const kiln_entry &entry,
                                   const int64_t *dims) {
  const int64_t *bounds = instance.boundsOf(instance.current);
  bool mustGrow = false;
  for (int32_t d = 0; d < entry.num_dimensions; ++d) {
    const kiln_dimension &dimension = entry.dimensions[d];
    if (dims[d] < dimension.lower) {
      instance.fail() << "dimension '" << dimension.name << "' of '" << entry.name
                      << "': expected at least " << dimension.lower << ", got " << dims[d];
      return KILN_INVALID_ARGUMENT;
    }
    if (dims[d] <= bounds[d])
      continue;
    if (!instance.grow || (dimension.upper >= 0 && dims[d] > dimension.upper)) {
      instance.fail() << "dimension '" << dimension.name << "' of '" << entry.name
                      << "': expected at most " << bounds[d] << ", got " << dims[d];
      return KILN_TOO_LARGE;
    }
    mustGrow = true;
  }
  return mustGrow ? growTo(instance, entry, dims) : kiln_status(KILN_OK);
}

/// "H - 1 = 4", or the number alone.
static void describeExtent(TextWriter &text, const kiln_extent &extent, int64_t value) {
  if (extent.formula || extent.value == INT64_MIN)
    text << extent.text << " = ";
  if (value == INT64_MIN)
    text << "more than 64 bits hold";
  else
    text << value;
}

static void describeCheck(Instance &instance, const kiln_entry &entry, const kiln_check &check,
                          int64_t got, int64_t expected) {
  TextWriter text = instance.fail();
  text << "'" << entry.name << "': " << check.subject << ": expected "
       << (check.relation == KILN_AT_LEAST  ? "at least "
           : check.relation == KILN_AT_MOST ? "at most "
                                            : "");
  describeExtent(text, check.expected, expected);
  text << ", got ";
  describeExtent(text, check.got, got);
}

static kiln_status checkRequirements(Instance &instance, const kiln_entry &entry,
                                     const int64_t *dims) {
  for (int32_t i = 0; i < entry.num_checks; ++i) {
    const kiln_check &check = entry.checks[i];
    if (check.late)
      continue;
    int64_t got = evaluate(check.got, dims), expected = evaluate(check.expected, dims);
    bool holds = check.relation == KILN_AT_LEAST  ? got >= expected
                 : check.relation == KILN_AT_MOST ? got <= expected
                                                  : got == expected;
    if (holds && got != INT64_MIN && expected != INT64_MIN)
      continue;
    describeCheck(instance, entry, check, got, expected);
    return KILN_INVALID_ARGUMENT;
  }
  return KILN_OK;
}

static kiln_status checkTensor(Instance &instance, const kiln_entry &entry,
                               const kiln_tensor &tensor, const char *kind, const void *data,
                               const int64_t *dims) {
  int64_t bytes = tensorBytes(tensor, dims);
  if (bytes < 0) {
    instance.fail() << kind << " '" << tensor.name << "' of '" << entry.name
                    << "' has a negative or too large extent at these dimensions";
    return KILN_INVALID_ARGUMENT;
  }
  if (!data && bytes > 0) {
    instance.fail() << kind << " '" << tensor.name << "' of '" << entry.name << "' is null";
    return KILN_INVALID_ARGUMENT;
  }
  int64_t alignment = elementBytes(tensor.dtype);
  if (reinterpret_cast<uintptr_t>(data) % uint64_t(alignment)) {
    instance.fail() << kind << " '" << tensor.name << "' of '" << entry.name
                    << "' is misaligned: expected a multiple of " << alignment << " bytes";
    return KILN_INVALID_ARGUMENT;
  }
  return KILN_OK;
}

namespace {
/// Memory of the caller's that a call touches.
struct Range {
  const char *name;
  uintptr_t begin, end;
};
} // namespace

/// The n-th dimension that values decide; null behind the last.
static const kiln_dimension *dataDimension(const kiln_entry &entry, int32_t n) {
  for (int32_t d = 0; d < entry.num_dimensions; ++d)
    if (entry.dimensions[d].is_data && n-- == 0)
      return &entry.dimensions[d];
  return nullptr;
}

/// What bufs[i] points to.
static Range rangeOf(const kiln_entry &entry, int32_t i, const int64_t *dims, void *const *bufs) {
  auto begin = reinterpret_cast<uintptr_t>(bufs[i]);
  int32_t result = i - entry.num_arguments, place = result - entry.num_results;
  if (place >= 0)
    return {dataDimension(entry, place)->name, begin, begin + sizeof(int64_t)};
  const kiln_tensor &tensor = result >= 0 ? entry.results[result] : entry.arguments[i];
  return {tensor.name, begin, begin + uint64_t(tensorBytes(tensor, dims))};
}

/// Results are written while arguments are still read, so they may not share memory.
static kiln_status checkOverlaps(Instance &instance, const kiln_entry &entry, const int64_t *dims,
                                 void *const *bufs) {
  int32_t count = entry.num_arguments + entry.num_results;
  for (int32_t n = 0; const kiln_dimension *dimension = dataDimension(entry, n); ++n, ++count)
    if (!bufs[count] || reinterpret_cast<uintptr_t>(bufs[count]) % sizeof(int64_t)) {
      instance.fail() << "the place for the number '" << dimension->name << "' of '" << entry.name
                      << "' is " << (bufs[count] ? "misaligned" : "null");
      return KILN_INVALID_ARGUMENT;
    }
  for (int32_t r = entry.num_arguments; r < count; ++r) {
    Range written = rangeOf(entry, r, dims, bufs);
    for (int32_t i = 0; i < r; ++i) {
      Range other = rangeOf(entry, i, dims, bufs);
      if (written.begin < other.end && other.begin < written.end) {
        instance.fail() << "result '" << written.name << "' of '" << entry.name << "' overlaps '"
                        << other.name << "'";
        return KILN_INVALID_ARGUMENT;
      }
    }
  }
  return KILN_OK;
}

static kiln_status check(Instance &instance, const kiln_entry &entry, const int64_t *dims,
                         void *const *bufs) {
  if (kiln_status status = checkDimensions(instance, entry, dims))
    return status;
  if (kiln_status status = checkRequirements(instance, entry, dims))
    return status;
  for (int32_t i = 0; i < entry.num_arguments; ++i)
    if (kiln_status status =
            checkTensor(instance, entry, entry.arguments[i], "argument", bufs[i], dims))
      return status;
  for (int32_t i = 0; i < entry.num_results; ++i)
    if (kiln_status status = checkTensor(instance, entry, entry.results[i], "result",
                                         bufs[entry.num_arguments + i], dims))
      return status;
  return checkOverlaps(instance, entry, dims, bufs);
}

/// Writes the text of a status that a body returned, with the launch it came from.
static void describeFailure(Instance &instance, const kiln_entry &entry, kiln_status status) {
  TextWriter text = instance.fail();
  text << "'" << entry.name << "': " << describe(status);
  int32_t launch = instance.ctx.failedLaunch;
  if (status != KILN_CANCELLED && launch >= 0 && launch < entry.num_launches)
    text << " in '" << entry.launches[launch].label << "' (" << entry.launches[launch].location
         << ")";
}

static kiln_status call(Instance &instance, int32_t number, const int64_t *dims, void *const *bufs,
                        bool isQueued) {
  const kiln_entry &entry = instance.code->model->entries[number];
  instance.current = number;
  instance.error[0] = 0;
  if (kiln_status status = check(instance, entry, dims, bufs))
    return status;
  if (instance.profile.isOn())
    instance.profile.startCall(number);
  const kiln_device_api *device = instance.device ? instance.code->device : nullptr;
  kiln_status status = device ? device->begin(instance) : kiln_status(KILN_OK);
  if (status)
    return status;
  status = instance.bodies[number](&instance.ctx, bufs, dims);
  if (device)
    status = device->end(instance, status, isQueued);
  if (status == KILN_CANCELLED) {
    __atomic_store_n(&instance.stop, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&instance.ctx.attention, int32_t(instance.profile.isOn()), __ATOMIC_SEQ_CST);
    // A cancel between the two stores is not lost: it asks for attention again.
    if (isCancelled(instance))
      __atomic_store_n(&instance.ctx.attention, 1, __ATOMIC_SEQ_CST);
  }
  if (status && !instance.error[0]) // a device has its own text
    describeFailure(instance, entry, status);
  return status;
}

namespace {
/// What an executor of the host needs to run one of our tasks.
struct ForeignRegion {
  kiln_ctx *ctx;
  kiln_task *task;
  void *closure;
};
struct HalideRegion {
  int (*task)(void *, int, uint8_t *);
  int first;
  uint8_t *closure;
};
} // namespace

static int32_t runForeign(void *closure, int32_t index) {
  auto *region = static_cast<ForeignRegion *>(closure);
  return region->task(region->ctx, index, region->closure);
}

static int32_t runHalide(kiln_ctx *ctx, int32_t index, void *closure) {
  auto *region = static_cast<HalideRegion *>(closure);
  return region->task(ctx, region->first + index, region->closure);
}

} // namespace kiln::rt

using namespace kiln::rt;

int32_t kiln_parallel_for(kiln_ctx *ctx, kiln_task *task, int32_t count, void *closure) {
  auto *instance = reinterpret_cast<Instance *>(ctx);
  if (!instance->executor || count <= 1)
    return instance->pool.run(ctx, task, count, closure);
  ForeignRegion region{ctx, task, closure};
  return instance->executor(instance->executorContext, runForeign, &region, count);
}

int halide_do_par_for(void *user_context, int (*task)(void *, int, uint8_t *), int min, int size,
                      uint8_t *closure) {
  HalideRegion region{task, min, closure};
  return kiln_parallel_for(static_cast<kiln_ctx *>(user_context), runHalide, size, &region);
}

int32_t kiln_rt_attend(kiln_ctx *ctx, int32_t index) {
  auto *instance = reinterpret_cast<Instance *>(ctx);
  if (instance->profile.isOn()) {
    if (!instance->device)
      instance->profile.tick(index);
    else if (kiln_status status = instance->code->device->tick(*instance, index))
      return status;
  }
  return isCancelled(*instance) ? KILN_CANCELLED : KILN_OK;
}

int32_t kiln_rt_refuse(kiln_ctx *ctx, int32_t check, int64_t got, int64_t expected) {
  auto *instance = reinterpret_cast<Instance *>(ctx);
  const kiln_entry &entry = instance->code->model->entries[instance->current];
  const kiln_check &broken = entry.checks[check];
  if (broken.late == KILN_BUFFER_TOO_SMALL)
    instance->fail() << "'" << entry.name << "': '" << broken.subject << "' is " << got
                     << ", the results have room for " << expected;
  else
    describeCheck(*instance, entry, broken, got, expected);
  return broken.late;
}

static kiln_status enter(void *instance, int32_t entry, const int64_t *dims, void *const *bufs,
                         bool isQueued) {
  auto *self = static_cast<Instance *>(instance);
  if (!self || entry < 0 || entry >= self->code->model->num_entries)
    return KILN_INVALID_ARGUMENT;
  if (__atomic_exchange_n(&self->busy, 1, __ATOMIC_ACQUIRE))
    return KILN_BUSY;
  kiln_status status = call(*self, entry, dims, bufs, isQueued);
  __atomic_store_n(&self->busy, 0, __ATOMIC_RELEASE);
  return status;
}

kiln_status kiln_rt_call(void *instance, int32_t entry, const int64_t *dims, void *const *bufs) {
  return enter(instance, entry, dims, bufs, /*isQueued=*/false);
}

kiln_status kiln_rt_enqueue(void *instance, int32_t entry, const int64_t *dims, void *const *bufs) {
  return enter(instance, entry, dims, bufs, /*isQueued=*/true);
}

kiln_status kiln_rt_wait(void *instance) {
  auto *self = static_cast<Instance *>(instance);
  if (!self)
    return KILN_INVALID_ARGUMENT;
  if (__atomic_exchange_n(&self->busy, 1, __ATOMIC_ACQUIRE))
    return KILN_BUSY;
  self->error[0] = 0;
  kiln_status status = self->device ? self->code->device->wait(*self) : kiln_status(KILN_OK);
  __atomic_store_n(&self->busy, 0, __ATOMIC_RELEASE);
  return status;
}

void kiln_rt_cancel(void *instance) {
  if (!instance)
    return;
  auto *self = static_cast<Instance *>(instance);
  __atomic_store_n(&self->stop, 1, __ATOMIC_SEQ_CST);
  __atomic_store_n(&self->ctx.attention, 1, __ATOMIC_SEQ_CST);
}

const char *kiln_rt_target(const void *instance) {
  auto *self = static_cast<const Instance *>(instance);
  return self ? self->code->model->targets[self->target] : nullptr;
}

const kiln_profile_row *kiln_rt_profile(const void *instance, int32_t entry) {
  auto *self = static_cast<const Instance *>(instance);
  if (!self || !self->profile.isOn() || entry < 0 || entry >= self->code->model->num_entries)
    return nullptr;
  return self->profile.rowsOf(entry);
}
