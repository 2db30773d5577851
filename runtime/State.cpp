//===- State.cpp - tensors kept between calls -----------------------------===//
#include "runtime/Model.h"

using namespace kiln::rt;

/// Bytes of all states without the gaps between them.
static size_t packedBytes(const kiln_model &model) {
  size_t bytes = 0;
  for (int32_t i = 0; i < model.num_states; ++i)
    bytes += size_t(model.states[i].bytes);
  return bytes;
}

/// Copies to a place in the state; zeros without `from`.
static kiln_status writeState(Instance &instance, int64_t offset, const void *from, size_t bytes) {
  if (instance.device)
    return instance.code->device->setState(instance, offset, from, bytes);
  if (from)
    __builtin_memcpy(instance.ctx.state + offset, from, bytes);
  else
    __builtin_memset(instance.ctx.state + offset, 0, bytes);
  return KILN_OK;
}

static kiln_status readState(Instance &instance, void *to, int64_t offset, size_t bytes) {
  if (instance.device)
    return instance.code->device->getState(instance, to, offset, bytes);
  __builtin_memcpy(to, instance.ctx.state + offset, bytes);
  return KILN_OK;
}

kiln_status kiln_rt_reset(void *instance) {
  auto *self = static_cast<Instance *>(instance);
  if (!self)
    return KILN_INVALID_ARGUMENT;
  self->error[0] = 0;
  const kiln_model_code &code = *self->code;
  for (int32_t i = 0; i < code.model->num_states; ++i) {
    const kiln_state_init &init = code.states[i];
    const void *from = init.weight < 0 ? nullptr : code.weights[init.weight];
    if (kiln_status status =
            writeState(*self, init.offset, from, size_t(code.model->states[i].bytes)))
      return status;
  }
  return KILN_OK;
}

kiln_status kiln_rt_state_get(void *instance, void *data, size_t *size) {
  auto *self = static_cast<Instance *>(instance);
  if (!self)
    return KILN_INVALID_ARGUMENT;
  if (!size) {
    self->fail() << "the place for the state's size is null";
    return KILN_INVALID_ARGUMENT;
  }
  const kiln_model_code &code = *self->code;
  size_t needed = packedBytes(*code.model), given = *size;
  *size = needed;
  self->error[0] = 0;
  if (!data)
    return KILN_OK;
  if (given < needed) {
    self->fail() << "'size' of the state: expected at least " << int64_t(needed) << ", got "
                 << int64_t(given);
    return KILN_BUFFER_TOO_SMALL;
  }
  auto *to = static_cast<uint8_t *>(data);
  for (int32_t i = 0; i < code.model->num_states; to += code.model->states[i].bytes, ++i)
    if (kiln_status status =
            readState(*self, to, code.states[i].offset, size_t(code.model->states[i].bytes)))
      return status;
  return KILN_OK;
}

kiln_status kiln_rt_state_set(void *instance, const void *data, size_t size) {
  auto *self = static_cast<Instance *>(instance);
  if (!self)
    return KILN_INVALID_ARGUMENT;
  const kiln_model_code &code = *self->code;
  size_t needed = packedBytes(*code.model);
  self->error[0] = 0;
  if (size != needed || (!data && needed)) {
    self->fail() << "'size' of the state: expected " << int64_t(needed) << ", got "
                 << int64_t(data ? size : 0);
    return KILN_INVALID_ARGUMENT;
  }
  auto *from = static_cast<const uint8_t *>(data);
  for (int32_t i = 0; i < code.model->num_states; from += code.model->states[i].bytes, ++i)
    if (kiln_status status =
            writeState(*self, code.states[i].offset, from, size_t(code.model->states[i].bytes)))
      return status;
  return KILN_OK;
}
