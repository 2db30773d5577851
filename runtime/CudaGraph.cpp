//===- CudaGraph.cpp - steps that come again ------------------------------===//
//
// Where no value decides on an entry's steps, equal dimensions give the same launches with the same
// arguments: all of them are addresses in the device's block, the weights or the state. The second
// call with some dimensions records them as a graph, and later ones launch that. Copies from and to
// the caller's memory stand outside, since its addresses differ from call to call.
//
//===----------------------------------------------------------------------===//
#include "runtime/Cuda.h"

namespace kiln::rt::cuda {

void stopRecording(Device &device) {
  if (!device.recorded)
    return;
  device.recorded = nullptr;
  void *graph = nullptr;
  device.driver.cuStreamEndCapture(device.stream, &graph);
  if (graph)
    device.driver.cuGraphDestroy(graph);
}

static Result drop(Device &device, Graph &graph) {
  void *executable = graph.executable;
  graph.executable = nullptr;
  graph.lastUse = 0;
  return executable ? device.driver.cuGraphExecDestroy(executable) : Result(success);
}

void dropGraphs(Device &device) {
  for (int32_t i = 0; i < device.numGraphs; ++i)
    drop(device, device.graphs[i]);
}

/// That of the dimensions; else a free one, or the one that was not used for longest.
static Graph &find(Graph *graphs, const int64_t *dims, int32_t numDims, bool &isKnown) {
  Graph *oldest = graphs;
  for (Graph *graph = graphs; graph != graphs + Graph::perEntry; ++graph) {
    isKnown = graph->lastUse != 0;
    for (int32_t d = 0; d < numDims && isKnown; ++d)
      isKnown = graph->dims[d] == dims[d];
    if (isKnown)
      return *graph;
    if (graph->lastUse < oldest->lastUse)
      oldest = graph;
  }
  return *oldest;
}

/// Makes a place for new dimensions. A graph may still be running.
static Result replace(Device &device, Graph &graph, const int64_t *dims, int32_t numDims) {
  Result result = success;
  if (graph.executable && device.isQueued)
    result = drain(device);
  if (Result wrong = drop(device, graph); !result)
    result = wrong;
  for (int32_t d = 0; d < numDims; ++d)
    graph.dims[d] = dims[d];
  return result;
}

/// What was recorded, as something that can be launched.
static Result instantiate(Device &device, Graph &graph) {
  const Driver &driver = device.driver;
  void *steps = nullptr;
  if (Result result = driver.cuStreamEndCapture(device.stream, &steps))
    return result;
  Result result = driver.cuGraphInstantiateWithFlags(&graph.executable, steps, 0);
  if (result)
    graph.executable = nullptr;
  if (Result wrong = result ? Result(success) : driver.cuGraphDestroy(steps))
    return wrong;
  if (result) {
    const char *culprit = driver.failed;
    driver.cuGraphDestroy(steps);
    device.driver.failed = culprit;
  }
  return result;
}

} // namespace kiln::rt::cuda

using namespace kiln::rt;
using namespace kiln::rt::cuda;

static int32_t launch(Instance &instance, Graph &graph) {
  Device &device = deviceOf(instance);
  Result result = device.driver.cuGraphLaunch(graph.executable, device.stream);
  return result ? failCall(instance, "the graph of the kernels cannot be launched", result)
                : KILN_OK;
}

int32_t kiln_device_begin_steps(kiln_ctx *ctx, const int64_t *dims) {
  auto &instance = *reinterpret_cast<Instance *>(ctx);
  Device &device = deviceOf(instance);
  // Who is cancelled stops between two steps.
  if (!device.usesGraphs || __atomic_load_n(&ctx->attention, __ATOMIC_RELAXED))
    return KILN_OK;
  int32_t numDims = instance.code->model->entries[instance.current].num_dimensions;
  bool isKnown = false;
  Graph &graph = find(device.graphs + instance.current * Graph::perEntry, dims, numDims, isKnown);
  constexpr const char *what = "the kernels cannot be recorded as a graph";
  if (Result result = isKnown ? success : replace(device, graph, dims, numDims))
    return failCall(instance, what, result);
  graph.lastUse = ++device.clock;
  if (!isKnown)
    return KILN_OK;
  if (graph.executable) {
    int32_t status = launch(instance, graph);
    return status ? status : int32_t(KILN_STEPS_DONE);
  }
  Result result = device.driver.cuStreamBeginCapture_v2(device.stream, captureThread);
  if (!result)
    device.recorded = &graph;
  else if (result == noCapture) // the default stream of a process
    device.usesGraphs = false;
  else
    return failCall(instance, what, result);
  return KILN_OK;
}

int32_t kiln_device_end_steps(kiln_ctx *ctx) {
  auto &instance = *reinterpret_cast<Instance *>(ctx);
  Device &device = deviceOf(instance);
  Graph *graph = device.recorded;
  if (!graph)
    return KILN_OK;
  device.recorded = nullptr;
  if (Result result = instantiate(device, *graph))
    return failCall(instance, "the kernels cannot be recorded as a graph", result);
  return launch(instance, *graph);
}
