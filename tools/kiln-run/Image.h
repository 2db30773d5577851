//===- Image.h - photographs as inputs -------------------------*- C++ -*-===//
#ifndef KILN_TOOLS_KILN_RUN_IMAGE_H
#define KILN_TOOLS_KILN_RUN_IMAGE_H

#include "tools/kiln-run/Program.h"

#include <array>

namespace kiln::run {

/// Interleaved bytes, rows from the top.
struct Image {
  int64_t width = 0, height = 0, channels = 0;
  std::vector<uint8_t> pixels;
};

/// Reads a PNG or JPEG as RGB; alpha is dropped. Refuses images above 2^25 pixels, and whatever
/// would take more than 512 MiB in one allocation.
llvm::Expected<Image> readImage(llvm::StringRef path);

/// As Pillow's convert("L"): ITU-R 601 luma in 16-bit fixed point.
Image toGray(const Image &rgb);
/// The centred square of side floor(fraction * short side).
Image cropCentre(const Image &image, double fraction);
/// As Pillow's BICUBIC on bytes, to the bit: a = -0.5, widened by the scale when shrinking
/// (antialiasing), columns first, both passes rounded to bytes.
Image resample(const Image &image, int64_t width, int64_t height);

/// How an image becomes a tensor; the steps run in this order.
struct ImageOptions {
  double crop = 0;    ///< fraction of the short side; 0: no crop
  int64_t resize = 0; ///< new length of the short side; 0: none
  std::array<double, 3> mean = {0, 0, 0}, deviation = {1, 1, 1}; ///< (pixel - mean) / deviation
};

/// The image as the batch of one that `spec` asks for: [1, 3, H, W], [1, H, W, 3], [1, 1, H, W] or
/// [1, H, W, 1]; f32 or u8.
llvm::Expected<Value> loadImage(llvm::StringRef path, const TensorSpec &spec,
                                const ImageOptions &options);

} // namespace kiln::run

#endif // KILN_TOOLS_KILN_RUN_IMAGE_H
