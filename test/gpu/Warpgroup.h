//===- Warpgroup.h - wgmma, by definition ----------------------*- C++ -*-===//
//
// Stand-ins for the calls by which the CUDA generator multiplies with warpgroups, written from the
// PTX manual: what matrix descriptors say of shared memory, and which thread holds which sum. Sums
// are not there until they have been waited for.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_TEST_GPU_WARPGROUP_H
#define KILN_TEST_GPU_WARPGROUP_H

#include <string>
#include <vector>

namespace kiln::test {

/// A block begins: no product is under way.
void forgetProducts();

/// A call that the generator makes for products of a stage, or to wait for them. Of the calling
/// thread: room for its sums, and its packed arguments, which are its sums, then two descriptors
/// for each 32 bytes of steps.
struct WarpgroupCall {
  std::string name;
  void (*function)(void *result, void *arguments);
};
std::vector<WarpgroupCall> warpgroupCalls();

} // namespace kiln::test

#endif // KILN_TEST_GPU_WARPGROUP_H
