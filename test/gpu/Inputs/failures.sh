#!/usr/bin/env bash
# Lets every call of the driver fail, one after the other, in a run of kiln-run: the run fails with a text or, where
# what fails is only giving back, succeeds; it never crashes, and gives back all it can.
#   failures.sh DRIVER FOLDER RESULT LIBRARY ARGUMENTS...
set -euo pipefail
export LD_LIBRARY_PATH=$1 KILN_FAKE_LOG=$2/failures.log
result=$3 nothing='0 pieces of memory, 0 modules, 0 streams, 0 contexts, 0 current, 0 graphs, 0 events'
shift 3
rm -f "$KILN_FAKE_LOG"
kiln-run "$@" >/dev/null
mapfile -t calls < <(grep '^cu' "$KILN_FAKE_LOG")
last=$(grep '^cu' "$KILN_FAKE_LOG" | grep -n '^cuCtxPushCurrent_v2' | tail -1 | cut -d: -f1)
for i in "${!calls[@]}"; do
  rm -f "$KILN_FAKE_LOG"
  code=0
  said=$(KILN_FAKE_FAIL="*#$((i + 1))=$result" kiln-run "$@" 2>&1 >/dev/null) || code=$?
  what="call $((i + 1)), ${calls[i]}: exit $code, '$said', $(grep -E '^(fault:|left)' "$KILN_FAKE_LOG")"
  left=$(grep '^left' "$KILN_FAKE_LOG")
  isBack=$((i + 1 >= last))
  case ${calls[i]} in cuMemFree_v2 | cuCtxPopCurrent_v2 | cuGraphDestroy) isBack=1 ;; esac
  if grep -q '^fault:' "$KILN_FAKE_LOG" || ((code > 1)) ||
    { ((!isBack)) && [[ $code != 1 || $said != *'error: '*CUDA_ERROR* || $left != "left: $nothing" ]]; }; then
    echo "$what"
    exit 1
  fi
done
echo "each of ${#calls[@]} calls"
