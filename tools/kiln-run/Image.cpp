//===- Image.cpp - from pixels to a tensor --------------------------------===//
#include "tools/kiln-run/Image.h"

#include <algorithm>
#include <cstring>

using namespace kiln;
using namespace kiln::run;

Image run::toGray(const Image &rgb) {
  Image gray{rgb.width, rgb.height, 1, {}};
  gray.pixels.reserve(rgb.width * rgb.height);
  for (size_t i = 0; i < rgb.pixels.size(); i += 3) {
    const uint8_t *p = &rgb.pixels[i];
    gray.pixels.push_back((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
  }
  return gray;
}

Image run::cropCentre(const Image &image, double fraction) {
  auto side = static_cast<int64_t>(fraction * double(std::min(image.width, image.height)));
  int64_t left = (image.width - side) / 2, top = (image.height - side) / 2;
  Image result{side, side, image.channels, {}};
  for (int64_t y = 0; y < side; ++y) {
    auto row = image.pixels.begin() + ((top + y) * image.width + left) * image.channels;
    result.pixels.insert(result.pixels.end(), row, row + side * image.channels);
  }
  return result;
}

/// Crop and resize. The long side follows the short one, rounded down.
static llvm::Expected<Image> prepare(Image image, const ImageOptions &options) {
  if (options.crop > 0)
    image = cropCentre(image, options.crop);
  if (image.pixels.empty())
    return failure("nothing is left of the image, expected a larger '--crop'");
  if (options.resize == 0)
    return image;
  int64_t shortSide = std::min(image.width, image.height);
  auto scaled = [&](int64_t length) {
    return std::max<int64_t>(options.resize * length / shortSide, 1);
  };
  // The thin side of a ribbon may grow a lot, and the long one with it.
  constexpr int64_t maxPixels = int64_t(1) << 28;
  if (scaled(image.width) > maxPixels / scaled(image.height))
    return failure("the resized image has more than " + llvm::Twine(maxPixels) +
                   " pixels, expected a smaller '--resize' or a '--crop'");
  return resample(image, scaled(image.width), scaled(image.height));
}

/// Where an axis order puts colour channels: position 1 or 3, by the constant extent 1 or 3.
static llvm::Expected<size_t> channelAxis(const TensorSpec &spec) {
  if (spec.shape.size() == 4)
    for (size_t axis : {1, 3})
      if (spec.shape[axis] == DimExpr(3) || spec.shape[axis] == DimExpr(1))
        return axis;
  return failure("input '" + spec.name + "' is " + typeText(spec) +
                 ", expected [N, 3, H, W], [N, H, W, 3] or one channel for an image; "
                 "give a '.npy' file instead");
}

llvm::Expected<Value> run::loadImage(llvm::StringRef path, const TensorSpec &spec,
                                     const ImageOptions &options) {
  llvm::Expected<size_t> axis = channelAxis(spec);
  if (!axis)
    return axis.takeError();
  if (spec.type != DType::F32 && spec.type != DType::U8)
    return failure("input '" + spec.name + "' is " + typeText(spec) +
                   ", expected f32 or u8 for an image");
  llvm::Expected<Image> read = readImage(path);
  if (!read)
    return read.takeError();
  bool gray = spec.shape[*axis] == DimExpr(1);
  llvm::Expected<Image> image = prepare(gray ? toGray(*read) : std::move(*read), options);
  if (!image)
    return failure("image '" + path + "': " + llvm::toString(image.takeError()));
  int64_t channels = image->channels, plane = image->width * image->height;
  Shape shape = *axis == 1 ? Shape{1, channels, image->height, image->width}
                           : Shape{1, image->height, image->width, channels};
  Value value = makeValue(spec.type, shape);
  for (int64_t i = 0; i < plane * channels; ++i) {
    int64_t channel = i % channels, to = *axis == 1 ? channel * plane + i / channels : i;
    if (spec.type == DType::U8) {
      value.bytes[to] = image->pixels[i];
      continue;
    }
    auto mean = static_cast<float>(options.mean[channel]);
    float element =
        (float(image->pixels[i]) - mean) / static_cast<float>(options.deviation[channel]);
    memcpy(&value.bytes[to * sizeof(float)], &element, sizeof(float));
  }
  return value;
}
