//===- Workers.cpp - batches in processes of their own --------------------===//

#include "test/conformance/Workers.h"

#include "llvm/ADT/StringExtras.h"

#include <csignal>
#include <cstring>
#include <list>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace kiln;
using namespace kiln::conformance;

static constexpr unsigned secondsOfCase = 60, secondsOfBatch = 180;

namespace {
struct Worker {
  Job job;
  pid_t process;
  int pipe;
  std::string said;
};
} // namespace

/// One line an outcome: kind, number, text without line ends.
static void send(int pipe, const Outcome &outcome) {
  std::string text = outcome.text;
  for (char &c : text)
    c = c == '\n' ? ' ' : c;
  std::string line =
      std::string(1, outcome.kind) + " " + std::to_string(outcome.id) + " " + text + "\n";
  for (size_t done = 0; done < line.size();) {
    ssize_t written = write(pipe, line.data() + done, line.size() - done);
    if (written <= 0)
      _exit(1);
    done += written;
  }
}

static Worker start(Job job, const BatchOptions &common) {
  int ends[2];
  if (pipe(ends))
    llvm::report_fatal_error("no pipe");
  pid_t process = fork();
  if (process < 0)
    llvm::report_fatal_error("no process");
  if (process == 0) {
    close(ends[0]);
    alarm(job.cases.size() > 1 ? secondsOfBatch : secondsOfCase);
    BatchOptions options = common;
    options.config = job.config;
    runBatch(job.cases, options, [&](const Outcome &outcome) { send(ends[1], outcome); });
    _exit(0);
  }
  close(ends[1]);
  return {std::move(job), process, ends[0], ""};
}

/// How a process ended, if not well.
static std::string endOf(pid_t process) {
  int status = 0;
  waitpid(process, &status, 0);
  if (WIFSIGNALED(status))
    return WTERMSIG(status) == SIGALRM ? std::string("runs longer than its limit")
                                       : std::string("crashes: ") + strsignal(WTERMSIG(status));
  return WEXITSTATUS(status) ? "exits with " + std::to_string(WEXITSTATUS(status)) : "";
}

static void finish(Worker &worker, std::deque<Job> &jobs,
                   const std::function<void(const Case &, const Config &, const Outcome &)> &give) {
  std::string fault = endOf(worker.process);
  close(worker.pipe);
  std::map<unsigned, Outcome> outcomes;
  llvm::SmallVector<llvm::StringRef> lines;
  llvm::StringRef(worker.said).split(lines, '\n', -1, false);
  for (llvm::StringRef line : lines) {
    auto [number, text] = line.drop_front(2).split(' ');
    Outcome outcome{Outcome::Kind(line[0]), 0, text.str()};
    number.getAsInteger(10, outcome.id);
    if (outcome.kind == Outcome::Whole)
      fault = outcome.text;
    else
      outcomes.emplace(outcome.id, outcome);
  }
  for (const Case &one : worker.job.cases) {
    auto found = outcomes.find(one.id);
    if (found != outcomes.end())
      give(one, worker.job.config, found->second);
    else if (worker.job.cases.size() > 1)
      jobs.push_front({{one}, worker.job.config});
    else
      give(one, worker.job.config,
           {Outcome::Failed, one.id, fault.empty() ? "gives no outcome" : fault});
  }
}

void conformance::runJobs(
    std::deque<Job> jobs, unsigned workers, const BatchOptions &common,
    const std::function<void(const Case &, const Config &, const Outcome &)> &give) {
  std::list<Worker> running;
  while (!jobs.empty() || !running.empty()) {
    while (running.size() < workers && !jobs.empty()) {
      running.push_back(start(std::move(jobs.front()), common));
      jobs.pop_front();
    }
    std::vector<pollfd> polls;
    for (Worker &worker : running)
      polls.push_back({worker.pipe, POLLIN, 0});
    poll(polls.data(), polls.size(), -1);
    auto worker = running.begin();
    for (const pollfd &one : polls) {
      auto current = worker++;
      if (!one.revents)
        continue;
      char buffer[65536];
      ssize_t size = read(one.fd, buffer, sizeof(buffer));
      if (size > 0) {
        current->said.append(buffer, size);
        continue;
      }
      finish(*current, jobs, give);
      running.erase(current);
    }
  }
}
