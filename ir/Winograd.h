//===- Winograd.h - the transforms of short convolutions --------*- C++ -*-===//
//
// Convolutions of 3 x 3 filters by few products (Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks", CVPR 2016): a tile of m x m results is A' [(G g G') * (B' d B)] A, where d are
// the (m + 2) x (m + 2) elements that it reads and g is the filter. m is 2, with the points 0, 1
// and -1, or 4, with 0, 3/4, -3/4, 3/2 and -3/2: of those that f32 holds exactly, the ones of the
// least error, a fifth of that of the usual 1 and 2 (how much points matter: Barabasz et al.,
// "Error Analysis and Improving the Accuracy of Winograd Convolution", ACM TOMS 2020).
//
//===----------------------------------------------------------------------===//
#ifndef KILN_IR_WINOGRAD_H
#define KILN_IR_WINOGRAD_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <vector>

namespace kiln::ir {

/// Taps of a filter along each of its two dimensions.
inline constexpr int64_t winogradTaps = 3;

/// The points of tiles of 4 results beside 0, each with either sign.
inline constexpr double winogradNear = 0.75, winogradFar = 1.5;

/// G of tiles of m results, m + 2 rows.
inline const double (*winogradFilter(int64_t tile)) [winogradTaps] {
  constexpr double p = winogradNear, q = winogradFar, near = 2 * p * p * (p * p - q * q),
                   far = 2 * q * q * (q * q - p * p);
  static constexpr double two[][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
  static constexpr double four[][3] = {
      {1 / (p * p * q * q), 0, 0},         {1 / near, p / near, p * p / near},
      {1 / near, -p / near, p * p / near}, {1 / far, q / far, q * q / far},
      {1 / far, -q / far, q * q / far},    {0, 0, 1}};
  return tile == 2 ? two : four;
}

/// A tap of the filter as (u[first] - u[second]) * factor of its transform along one dimension;
/// `second` is -1 where there is none.
struct WinogradTap {
  int first, second;
  double factor;
};
inline const WinogradTap *winogradInverse(int64_t tile) {
  constexpr double p = winogradNear, q = winogradFar;
  static constexpr WinogradTap two[] = {{0, -1, 1}, {1, 2, 1}, {3, -1, 1}},
                               four[] = {
                                   {0, -1, p * p * q * q}, {2, 1, p * (q * q - p * p)}, {5, -1, 1}};
  return tile == 2 ? two : four;
}

/// Bytes of the transforms that a task of a processor keeps on its stack at most.
inline constexpr int64_t winogradBytes = 384 << 10;
/// Columns of products that it makes at a time at most.
inline constexpr int64_t winogradColumns = 32;
/// How many tiles of m x m results it takes together.
inline int64_t winogradTiles(int64_t tile, int64_t channels) {
  return winogradBytes /
         ((tile + 2) * (tile + 2) * int64_t(sizeof(float)) * (channels + winogradColumns));
}

/// Of filters [O, 3, 3, channels] the transforms [O, m + 2, m + 2, channels].
std::vector<float> winogradTransform(llvm::ArrayRef<float> filters, int64_t channels, int64_t tile);

} // namespace kiln::ir

#endif // KILN_IR_WINOGRAD_H
