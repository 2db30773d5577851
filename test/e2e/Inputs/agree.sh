#!/usr/bin/env bash
# Compiles a model at -O0 and -O2 and compares calls with the interpreter.
#   agree.sh MODEL.kiln FOLDER 'ENTRY [--dim N=2...]'...
# Prints 'ENTRY --dim N=2: agree', or what the interpreter and both libraries say if all refuse.
set -euo pipefail
model=$1 out=$2
shift 2
mkdir -p "$out"
for level in 0 2; do kilnc "$model" --weights random:1 "-O$level" -o "$out/lib$level.so"; done

for call in "$@"; do
  read -ra words <<<"$call"
  rm -f "$out"/*.npy
  if kiln-run --interpret "$model" --weights random:1 "${words[@]}" --input random:3 \
    $(kiln-run "$out/lib0.so" --list | awk -v entry="${words[0]}" -v out="$out" '
      $1 == "entry" { inside = $2 == entry }
      inside && $1 == "output" { sub(":", "", $2); print "--output", $2 "=" out "/" $2 ".npy" }') \
    >"$out/said" 2>&1; then
    for level in 0 2; do
      compare=()
      for file in "$out"/*.npy; do compare+=(--compare "$(basename "$file" .npy)=$file"); done
      kiln-run "$out/lib$level.so" "${words[@]}" --input random:3 "${compare[@]}" --rtol 1e-5 \
        >"$out/got" 2>&1 || { echo "$call: -O$level differs: $(cat "$out/got")"; exit 1; }
    done
    echo "$call: agree"
  else
    echo "$call: interpreter: $(grep -m 1 -o 'error: .*' "$out/said")"
    for level in 0 2; do
      if kiln-run "$out/lib$level.so" "${words[@]}" --input random:3 >"$out/got" 2>&1; then
        echo "$call: -O$level accepts what the interpreter refuses"
        exit 1
      fi
      echo "$call: -O$level: $(grep -m 1 -o 'error: .*' "$out/got")"
    done
  fi
done
