//===- CudaCallTest.cpp - launches on a device, by themselves -------------===//
#include "runtime/Cuda.h"

#include "gtest/gtest.h"

#include <array>
#include <cstring>
#include <vector>

using namespace kiln::rt;

namespace {

std::vector<std::array<uint64_t, 2>> encoded; // the extents of each map
int launched = 0;

cuda::Result encode(void *, int32_t, uint32_t rank, void *, const uint64_t *extents,
                    const uint64_t *, const uint32_t *, const uint32_t *, int32_t, int32_t, int32_t,
                    int32_t) {
  EXPECT_EQ(rank, 2u);
  encoded.push_back({extents[0], extents[1]});
  return cuda::success;
}

cuda::Result launch(void *, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t,
                    void *, void **, void **) {
  ++launched;
  return cuda::success;
}

/// A launch of one kernel that takes two matrices of halves by maps.
struct Product {
  Product() {
    encoded.clear();
    launched = 0;
    entry.name = "f";
    entry.launches = &label;
    entry.num_launches = model.num_entries = 1;
    model.entries = &entry;
    code.model = &model;
    deviceCode.shared = &shared;
    device.code = &deviceCode;
    device.functions = functions;
    device.driver.cuTensorMapEncodeTiled.set(reinterpret_cast<void *>(encode), "", nullptr);
    device.driver.cuLaunchKernel.set(reinterpret_cast<void *>(launch), "", nullptr);
    instance.code = &code;
    instance.device = &device;
  }

  kiln_status run(int64_t rows, int64_t columns) {
    constexpr int32_t operands = 3;
    constexpr size_t size = sizeof(kiln_device_tensor) / sizeof(int64_t);
    int64_t arguments[operands + 2 * size] = {256, 512, 1024};
    int64_t extents[] = {rows, columns};
    for (int64_t i = 0; i < 2; ++i) {
      kiln_device_tensor tensor = {i, 2, 2, {64, extents[i], 0}, {64, 64, 0}, {128, 0}};
      std::memcpy(arguments + operands + i * size, &tensor, sizeof tensor);
    }
    return kiln_device_launch(&instance.ctx, 0, 0, 1, 256, arguments, operands, 2);
  }

  kiln_launch label = {"matmul", "m.kiln:3", {}, {}};
  kiln_entry entry = {};
  kiln_model model = {};
  kiln_model_code code = {};
  kiln_device_code deviceCode = {};
  int32_t shared = 0;
  void *functions[1] = {};
  cuda::Device device;
  Instance instance;
};

/// Copies of boxes count in 32 bits with a sign: what is longer is refused, not cut off.
TEST(CudaCall, TensorsThatCopiesCannotReach) {
  constexpr int64_t most = 2147483647;
  Product product;
  EXPECT_EQ(product.run(most, 70), KILN_OK);
  EXPECT_EQ(encoded, (std::vector<std::array<uint64_t, 2>>{{64, uint64_t(most)}, {64, 70}}));
  EXPECT_EQ(launched, 1);
  for (auto [rows, columns] : {std::pair<int64_t, int64_t>(most + 1, 70), {70, most + 1}}) {
    EXPECT_EQ(product.run(rows, columns), KILN_TOO_LARGE);
    EXPECT_STREQ(product.instance.error,
                 "'f': the kernel 'matmul' (m.kiln:3) cannot be launched: expected at most "
                 "2147483647 rows, columns, steps and batches of what it multiplies, got "
                 "2147483648; lower the dimensions, or compile the model for a plainer target, "
                 "such as cuda:sm_90");
  }
  EXPECT_EQ(launched, 1);
}

} // namespace
