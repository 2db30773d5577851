//===- Library.cpp - a built library, called between guard pages ----------===//

#include "test/conformance/Library.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace kiln;
using namespace kiln::conformance;

/// What unwritten memory holds: a NaN in every floating type.
static constexpr int nanByte = 0xff;

Guarded::Guarded(size_t bytes, size_t alignment, bool guardInFront) {
  size_t page = sysconf(_SC_PAGESIZE), body = llvm::alignTo(bytes + 1, page);
  mapped = body + page;
  void *memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    llvm::report_fatal_error("out of memory");
  pages = static_cast<uint8_t *>(memory);
  mprotect(guardInFront ? pages : pages + body, page, PROT_NONE);
  uint8_t *start = guardInFront ? pages + page : pages;
  memset(start, nanByte, body);
  place = guardInFront ? start : start + llvm::alignDown(body - bytes, alignment);
}

Guarded::Guarded(Guarded &&other) noexcept
    : pages(std::exchange(other.pages, nullptr)), place(other.place), mapped(other.mapped) {}

Guarded::~Guarded() {
  if (pages)
    munmap(pages, mapped);
}

void *Instance::allocate(void *self, size_t bytes, size_t alignment) {
  auto &arenas = static_cast<Instance *>(self)->arenas;
  arenas.emplace_back(bytes, alignment, false);
  return arenas.back().data();
}

void Instance::deallocate(void *, void *, size_t) {}

std::unique_ptr<Instance> Instance::create(const kiln_model &model, int threads, std::string &why) {
  std::unique_ptr<Instance> made(new Instance(model));
  constexpr size_t head = sizeof(kiln_options) / sizeof(int64_t);
  std::vector<int64_t> memory(head + model.num_maxima);
  char text[512] = "";
  auto *options = reinterpret_cast<kiln_options *>(memory.data());
  options->struct_size = uint32_t(memory.size() * sizeof(int64_t));
  options->threads = threads;
  options->error = text;
  options->error_size = sizeof(text);
  options->allocate = allocate;
  options->deallocate = deallocate;
  options->allocator_context = made.get();
  for (int32_t i = 0; i < model.num_maxima; ++i)
    memory[head + i] = llvm::StringRef(model.maxima[i]).ends_with("N") ? boundN : boundM;
  if (model.create(options, &made->handle)) {
    why = text;
    made->handle = nullptr;
    return nullptr;
  }
  return made;
}

Instance::~Instance() {
  if (handle)
    model.destroy(handle);
}

std::string Instance::call(llvm::StringRef name, const Dims &dims,
                           llvm::ArrayRef<ir::Tensor> arguments,
                           llvm::MutableArrayRef<ir::Tensor> results, bool guardInFront) {
  int32_t index = 0;
  while (index < model.num_entries && model.entries[index].name != name)
    ++index;
  if (index == model.num_entries)
    return "the library has no such entry";
  const kiln_entry &entry = model.entries[index];
  std::vector<int64_t> sizes;
  for (int32_t d = 0; d < entry.num_dimensions; ++d)
    sizes.push_back(dims.find(entry.dimensions[d].name)->second);
  std::vector<Guarded> memory;
  std::vector<void *> buffers;
  auto add = [&](const ir::Tensor &tensor) {
    size_t bytes = tensor.numElements() * byteSize(tensor.type);
    memory.emplace_back(bytes, byteSize(tensor.type), guardInFront);
    buffers.push_back(memory.back().data());
  };
  for (const ir::Tensor &tensor : arguments) {
    add(tensor);
    tensor.toBytes(memory.back().data());
  }
  for (const ir::Tensor &tensor : results)
    add(tensor);
  if (model.call(handle, index, sizes.data(), buffers.data()))
    return std::string("the call fails: ") + model.last_error(handle);
  for (auto [i, tensor] : llvm::enumerate(results))
    tensor = ir::Tensor::fromBytes(tensor.type, tensor.shape, memory[arguments.size() + i].data());
  return "";
}
