//===- DriverGraph.cpp - graphs and events of the tests' driver -----------===//

#include "test/gpu/DriverCalls.h"

#include <chrono>

using namespace kiln::test;

static double milliseconds() {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

/// The graph, or null and a fault.
static FakeGraph *find(void *graph, bool isExecutable) {
  auto at = driver().graphs.find(static_cast<FakeGraph *>(graph));
  if (at != driver().graphs.end() && at->first->isExecutable == isExecutable)
    return at->first;
  return driver().fault("a graph that is not there"), nullptr;
}

/// The event, or null and a fault.
static FakeEvent *findEvent(void *event) {
  auto at = driver().events.find(static_cast<FakeEvent *>(event));
  if (at != driver().events.end())
    return at->first;
  return driver().fault("an event that is not there"), nullptr;
}

static FakeGraph *add(std::vector<Step> steps, bool isExecutable) {
  auto made = std::make_unique<FakeGraph>(FakeGraph{isExecutable, std::move(steps)});
  FakeGraph *graph = made.get();
  driver().graphs[graph] = std::move(made);
  return graph;
}

/// Held by the steps of each graph while they are queued.
static std::map<FakeGraph *, std::shared_ptr<char>> running;

extern "C" {

int cuStreamBeginCapture_v2(void *stream, int mode) {
  ENTER_CONTEXT("cuStreamBeginCapture_v2");
  FakeStream *found = findStream(stream);
  if (!found || mode < 0 || mode > 2)
    return InvalidHandle;
  if (found->isRecording)
    return driver().fault("a stream records already"), InvalidHandle;
  found->isRecording = true;
  return Success;
}

int cuStreamEndCapture(void *stream, void **graph) {
  std::lock_guard lock(driver().mutex);
  FakeStream *found = findStream(stream);
  if (!found || !found->isRecording)
    return driver().fault("a stream that does not record"), InvalidHandle;
  found->isRecording = false;
  std::vector<Step> steps = std::move(found->recorded);
  found->recorded.clear();
  *graph = nullptr;
  // One that fails has ended the recording too.
  if (Result wanted = driver().enter("cuStreamEndCapture"))
    return wanted;
  *graph = add(std::move(steps), /*isExecutable=*/false);
  return Success;
}

int cuGraphDestroy(void *graph) {
  ENTER_CONTEXT("cuGraphDestroy");
  driver().graphs.erase(find(graph, /*isExecutable=*/false));
  return Success;
}

int cuGraphInstantiateWithFlags(void **executable, void *graph, uint64_t flags) {
  ENTER_CONTEXT("cuGraphInstantiateWithFlags");
  FakeGraph *found = find(graph, /*isExecutable=*/false);
  if (!found || flags != 0)
    return InvalidValue;
  *executable = add(found->steps, /*isExecutable=*/true);
  return Success;
}

int cuGraphExecDestroy(void *executable) {
  ENTER_CONTEXT("cuGraphExecDestroy");
  FakeGraph *found = find(executable, /*isExecutable=*/true);
  if (running[found].use_count() > 1)
    driver().fault("a graph is destroyed before it is done");
  running.erase(found);
  driver().graphs.erase(found);
  return Success;
}

int cuGraphLaunch(void *executable, void *stream) {
  ENTER_CONTEXT("cuGraphLaunch");
  FakeGraph *found = find(executable, /*isExecutable=*/true);
  FakeStream *queue = findStream(stream);
  if (!found || !queue)
    return InvalidHandle;
  std::shared_ptr<char> &token = running[found];
  if (!token)
    token = std::make_shared<char>();
  for (const Step &step : found->steps)
    queue->add([step, token = token] { return step(); });
  return Success;
}

int cuEventCreate(void **event, uint32_t) {
  ENTER_CONTEXT("cuEventCreate");
  auto made = std::make_unique<FakeEvent>();
  *event = made.get();
  driver().events[made.get()] = std::move(made);
  return Success;
}

int cuEventDestroy_v2(void *event) {
  ENTER_CONTEXT("cuEventDestroy_v2");
  driver().events.erase(findEvent(event));
  return Success;
}

int cuEventRecord(void *event, void *stream) {
  ENTER_CONTEXT("cuEventRecord");
  FakeEvent *found = findEvent(event);
  FakeStream *queue = findStream(stream);
  if (!found || !queue)
    return InvalidHandle;
  found->isDone = false;
  queue->add([found] {
    found->isDone = true;
    found->milliseconds = milliseconds();
    return Success;
  });
  return Success;
}

int cuEventElapsedTime(float *time, void *from, void *to) {
  ENTER_CONTEXT("cuEventElapsedTime");
  FakeEvent *first = findEvent(from), *last = findEvent(to);
  if (!first || !last || !first->isDone || !last->isDone)
    return driver().fault("the time of events that were not reached"), InvalidHandle;
  *time = float(last->milliseconds - first->milliseconds);
  return Success;
}

} // extern "C"
