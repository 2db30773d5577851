//===- Device.cpp - where tensors lie on a device -------------------------===//
#include "codegen/host/Device.h"

namespace kiln::host {

DimExpr bytesOf(const TensorInfo &tensor) {
  DimExpr bytes(byteSize(tensor.type));
  for (const DimExpr &extent : tensor.shape)
    bytes = bytes * extent;
  return bytes;
}

DimExpr alignOnDevice(const DimExpr &bytes) {
  constexpr int64_t alignment = 256;
  return DimExpr::floorDiv(bytes + DimExpr(alignment - 1), DimExpr(alignment)) * DimExpr(alignment);
}

std::vector<const DeviceGrid *> gridsOf(const DeviceCode &code) {
  std::vector<const DeviceGrid *> grids;
  for (const auto &[symbol, kernel] : code.kernels)
    for (const DeviceGrid &grid : kernel.grids)
      grids.push_back(&grid);
  return grids;
}

/// What a launch needs while it runs, over the entry's dimensions.
static DimExpr scratchOf(const Launch &launch, const DeviceKernel &kernel) {
  std::map<std::string, DimExpr, std::less<>> dims;
  for (size_t i = 0; i < kernel.symbols.size(); ++i)
    dims[kernel.symbols[i]] = launch.dims[i];
  DimExpr bytes(0);
  for (const DimExpr &piece : kernel.scratchBytes)
    bytes = bytes + alignOnDevice(piece.substitute(dims));
  return bytes;
}

DeviceLayout layOut(const EntryPoint &entry, const DeviceCode &code) {
  DeviceLayout layout;
  DimExpr::BoundsMap bounds;
  std::map<std::string, DimExpr, std::less<>> bound = entry.bound;
  for (const Dimension &dimension : entry.dimensions) {
    if (dimension.isData)
      bound[dimension.name] = dimension.most;
    else
      bounds[dimension.name] = {dimension.lower, dimension.upper};
  }
  DimExpr at = alignOnDevice(entry.arenaBytes);
  auto place = [&](const std::vector<TensorInfo> &tensors, std::vector<DimExpr> &offsets) {
    for (const TensorInfo &tensor : tensors) {
      offsets.push_back(at);
      at = at + alignOnDevice(bytesOf(tensor).most(bound));
    }
  };
  place(entry.arguments, layout.arguments);
  place(entry.results, layout.results);
  layout.scratch = at;
  // The largest need counts. Needs that cannot be compared add up, which keeps the formula short.
  DimExpr most(0);
  forEachLaunch(entry.launches, [&](const Launch &launch) {
    if (launch.kind != Launch::Kind::Kernel)
      return;
    DimExpr need = scratchOf(launch, code.kernels.find(launch.kernel)->second).most(bound);
    std::optional<int64_t> more = (need - most).bounds(bounds).lower,
                           less = (most - need).bounds(bounds).lower;
    if (more && *more >= 0)
      most = need;
    else if (!less || *less < 0)
      most = most + need;
  });
  layout.bytes = at + most;
  return layout;
}

} // namespace kiln::host
