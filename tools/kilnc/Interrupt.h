//===- Interrupt.h - leaving nothing half done -----------------*- C++ -*-===//
#ifndef KILN_TOOLS_KILNC_INTERRUPT_H
#define KILN_TOOLS_KILNC_INTERRUPT_H

namespace kiln {

/// From now on SIGINT, SIGTERM and SIGHUP remove all temporary files and folders and end the
/// program with the status that shells expect (128 + signal). Call it before threads are started.
void cleanUpOnInterrupt();

} // namespace kiln

#endif // KILN_TOOLS_KILNC_INTERRUPT_H
