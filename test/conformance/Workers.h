//===- Workers.h - batches in processes of their own -----------*- C++ -*-===//
#ifndef KILN_TEST_CONFORMANCE_WORKERS_H
#define KILN_TEST_CONFORMANCE_WORKERS_H

#include "test/conformance/Batch.h"

#include <deque>
#include <functional>

namespace kiln::conformance {

struct Job {
  std::vector<Case> cases;
  Config config;
};

/// Runs every job in a forked process under a time limit. A job of several cases that fails as a
/// whole, crashes or hangs is done again, case by case, so that every case gets one outcome.
void runJobs(std::deque<Job> jobs, unsigned workers, const BatchOptions &common,
             const std::function<void(const Case &, const Config &, const Outcome &)> &give);

} // namespace kiln::conformance

#endif // KILN_TEST_CONFORMANCE_WORKERS_H
