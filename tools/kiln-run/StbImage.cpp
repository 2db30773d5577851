//===- StbImage.cpp - decodes PNG and JPEG --------------------------------===//
#include "tools/kiln-run/Image.h"

#include "llvm/Support/MemoryBuffer.h"

#include <climits>
#include <cstdlib>

/// Bounds each allocation of the decoder: what a hostile header or a deflate bomb asks for.
static constexpr size_t largestAllocation = size_t(512) << 20;
static void *allocate(size_t size) { return size > largestAllocation ? nullptr : malloc(size); }
static void *reallocate(void *data, size_t size) {
  return size > largestAllocation ? nullptr : realloc(data, size);
}

#define STBI_MALLOC(size) allocate(size)
#define STBI_REALLOC(data, size) reallocate(data, size)
#define STBI_FREE(data) free(data)
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

using namespace kiln;
using namespace kiln::run;

llvm::Expected<Image> run::readImage(llvm::StringRef path) {
  auto failed = [&](const llvm::Twine &reason) {
    return failure("cannot read image '" + path + "': " + reason);
  };
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return failed(file.getError().message());
  if ((*file)->getBufferSize() > INT_MAX)
    return failed("the file is larger than 2 GiB");
  auto *data = reinterpret_cast<const stbi_uc *>((*file)->getBufferStart());
  int size = static_cast<int>((*file)->getBufferSize()), width, height, channels;
  if (!stbi_info_from_memory(data, size, &width, &height, &channels))
    return failed("expected a PNG or JPEG");
  constexpr int64_t maxPixels = int64_t(1) << 25;
  if (int64_t(width) * height > maxPixels)
    return failed("it has " + llvm::Twine(width) + " x " + llvm::Twine(height) +
                  " pixels, expected at most " + llvm::Twine(maxPixels) + " in all");
  stbi_uc *pixels = stbi_load_from_memory(data, size, &width, &height, &channels, 3);
  if (!pixels)
    return failed(stbi_failure_reason());
  Image image{width, height, 3, {}};
  image.pixels.assign(pixels, pixels + int64_t(width) * height * 3);
  stbi_image_free(pixels);
  return image;
}
