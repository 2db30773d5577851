#!/usr/bin/env bash
# Compares the two halves of a library for a processor and a GPU, the GPU by the driver of the tests.
#   beside.sh DRIVER MODEL.kiln FOLDER 'ENTRY [OPTION OF kiln-run...]'...
# $AGREE_SETS are arguments of the model (--set NAME=VALUE ...).
set -euo pipefail
driver=$1 model=$2 out=$3
shift 3
mkdir -p "$out"
read -ra sets <<<"${AGREE_SETS:-}"
compile=(kilnc "$model" "${sets[@]}" --weights random:1 --target native,cuda:sm_80)
"${compile[@]}" -o "$out/model.so"
"${compile[@]}" --emit=kernels -o "$out/specs"
for call in "$@"; do
  read -ra words <<<"$call"
  rm -rf "$out/want" "$out/log"
  mkdir "$out/want"
  outputs=$(kiln-run "$out/model.so" --list | awk -v entry="${words[0]}" -v out="$out/want" '
    $1 == "entry" { inside = $2 == entry }
    inside && $1 == "output" { sub(":", "", $2); print "--output", $2 "=" out "/" $2 ".npy" }')
  kiln-run "$out/model.so" "${words[@]}" $outputs >"$out/said"
  compare=$(for file in "$out/want"/*.npy; do echo "--compare $(basename "$file" .npy)=$file"; done)
  env LD_LIBRARY_PATH="$driver" KILN_FAKE_KERNELS="$out/specs" KILN_FAKE_LOG="$out/log" \
    kiln-run "$out/model.so" "${words[@]}" $compare --rtol 1e-4 >"$out/got" 2>&1 ||
    { echo "$call: differs: $(cat "$out/got")"; exit 1; }
  grep -q '^cuLaunchKernel' "$out/log" || { echo "$call: no GPU was at work"; exit 1; }
  if grep '^fault:' "$out/log" || grep '^left' "$out/log" | grep -qv ' 0 pieces of memory, 0 modules, 0 streams, 0 contexts, 0 current, 0 graphs, 0 events'; then
    echo "$call: faults, or something is left"
    exit 1
  fi
  echo "$call: agree"
done
