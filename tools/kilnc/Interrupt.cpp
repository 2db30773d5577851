//===- Interrupt.cpp - leaving nothing half done --------------------------===//
#include "tools/kilnc/Interrupt.h"

#include "codegen/link/TemporaryFolder.h"

#include "llvm/Support/Signals.h"

#include <csignal>
#include <thread>
#include <unistd.h>

void kiln::cleanUpOnInterrupt() {
  // A thread waits for the signals, so cleaning up is ordinary code that may allocate.
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals] {
    int signal = 0;
    while (sigwait(&signals, &signal) != 0)
      ;
    llvm::sys::RunInterruptHandlers();
    link::TemporaryFolder::removeAll();
    _exit(128 + signal);
  }).detach();
}
