//===- Block.h - the threads of one block as fibres ------------*- C++ -*-===//
#ifndef KILN_TEST_GPU_BLOCK_H
#define KILN_TEST_GPU_BLOCK_H

#include <cstdint>
#include <functional>
#include <string>

namespace kiln::test {

/// Runs `body` once for each thread of a block, as fibres; gives what went wrong or "". While it
/// runs, the functions below serve the fibre that calls them.
std::string runBlock(uint32_t block, uint32_t blocks, uint32_t threads,
                     const std::function<void()> &body);

/// The numbers of the running thread and block.
uint32_t threadNumber();
uint32_t blockNumber();
uint32_t blockCount();
uint32_t threadCount();
/// Waits for all threads of the block; a thread that has ended is an error.
void waitForBlock(uint32_t barrier);
/// Waits for all threads of the warp.
void waitForWarp(uint32_t mask);
/// Waits until the phase of an mbarrier of this parity is complete.
void waitForPhase(const void *barrier, uint32_t parity);
/// Waits for all threads of the warp; gives the value of the lane whose number differs by
/// `distance`. `mask` and `bound` must be those of a whole warp.
uint32_t shuffleAcross(uint32_t mask, uint32_t value, uint32_t distance, uint32_t bound);

/// Ends the block's run with an error, as soon as no thread can go on.
void failBlock(const char *text);
/// The same, and the running thread goes no further.
void failThread(const char *text);
/// What a warp does as one: waits for all its threads, then `run` gets what each of them brought,
/// by lane.
using WarpWork = void (*)(void *const *lanes);
void togetherInWarp(WarpWork run, void *mine);
/// The same of a warpgroup: four warps, of which the first's number is a multiple of four.
inline constexpr uint32_t warpgroupThreads = 128;
void togetherInWarpgroup(WarpWork run, void *mine);

} // namespace kiln::test

#endif // KILN_TEST_GPU_BLOCK_H
