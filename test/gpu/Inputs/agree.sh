#!/usr/bin/env bash
# Compares a library for a GPU, by the driver of the tests, with the interpreter: as test/e2e/Inputs/agree.sh does.
#   agree.sh DRIVER MODEL.kiln FOLDER 'ENTRY [--dim N=2...]'...
# Each line of $GPU_WAYS is a way to compile; $AGREE_SETS as there.
set -euo pipefail
driver=$1 model=$2 out=$3
mkdir -p "$out"
read -ra sets <<<"${AGREE_SETS:-}"
mapfile -t ways <<<"${GPU_WAYS:--O0 --target=cuda:sm_80
-O2 --target=cuda:sm_80}"
specs=
for i in "${!ways[@]}"; do
  read -ra options <<<"${ways[i]}"
  kilnc "$model" "${sets[@]}" --weights random:1 "${options[@]}" --emit=kernels -o "$out/$i.specs"
  specs+=$out/$i.specs:
done
export AGREE_WAYS KILN_FAKE_KERNELS=$specs LD_LIBRARY_PATH=$driver KILN_FAKE_LOG=$out/log
AGREE_WAYS=$(printf '%s\n' "${ways[@]}")
rm -f "$out/log"
"$(dirname "$0")/../../e2e/Inputs/agree.sh" "${@:2}"
# Each process gave back all it took, and a device was at work in it.
grep -q '^cuLaunchKernel' "$out/log"
if grep '^fault:' "$out/log" || grep '^left' "$out/log" | grep -qv ' 0 pieces of memory, 0 modules, 0 streams, 0 contexts, 0 current, 0 graphs, 0 events'; then
  echo "$model: faults, or something is left: $(grep -E '^(fault:|left)' "$out/log" | sort -u)"
  exit 1
fi
