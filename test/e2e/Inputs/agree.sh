#!/usr/bin/env bash
# Compiles a model in several ways and compares calls with the interpreter.
#   agree.sh MODEL.kiln FOLDER 'ENTRY [--dim N=2...]'...
# Prints 'ENTRY --dim N=2: agree', or what the interpreter and all libraries say if all refuse. Ways are
# -O0 and -O2, or the lines of $AGREE_WAYS; $AGREE_SETS are arguments of the model (--set NAME=VALUE …). Every result must
# be the same to the bit on two threads.
set -euo pipefail
model=$1 out=$2
shift 2
mkdir -p "$out"
read -ra sets <<<"${AGREE_SETS:-}"
mapfile -t ways <<<"${AGREE_WAYS:--O0
-O2}"
for i in "${!ways[@]}"; do
  read -ra options <<<"${ways[i]}"
  kilnc "$model" "${sets[@]}" --weights random:1 "${options[@]}" -o "$out/lib${options[0]#-O}$i.so"
  libraries[i]="$out/lib${options[0]#-O}$i.so"
done

# outputs ENTRY FOLDER: kiln-run's options that write every result.
outputs() {
  kiln-run "${libraries[0]}" --list | awk -v entry="$1" -v out="$2" '
    $1 == "entry" { inside = $2 == entry }
    inside && $1 == "output" { sub(":", "", $2); print "--output", $2 "=" out "/" $2 ".npy" }'
}
# comparisons FOLDER: kiln-run's options that compare every result.
comparisons() {
  for file in "$1"/*.npy; do echo "--compare $(basename "$file" .npy)=$file"; done
}
# known LIBRARY WORD...: the words without sizes of dimensions that the library does not have.
known() {
  local list
  list=$(kiln-run "$1" --list)
  shift
  while [ $# -gt 0 ]; do
    if [ "$1" = --dim ] && ! grep -q "dim .*\b${2%%=*}\b" <<<"$list"; then
      shift 2
      continue
    fi
    echo "$1"
    shift
  done
}
said() { grep -m 1 -o 'error: .*' "$1" || true; }

for call in "$@"; do
  read -ra words <<<"$call"
  rm -rf "$out/want" "$out/one"
  mkdir "$out/want" "$out/one"
  if kiln-run --interpret "$model" "${sets[@]}" --weights random:1 "${words[@]}" --input random:3 \
    $(outputs "${words[0]}" "$out/want") >"$out/said" 2>&1; then
    for i in "${!ways[@]}"; do
      mapfile -t given < <(known "${libraries[i]}" "${words[@]}")
      kiln-run "${libraries[i]}" "${given[@]}" --input random:3 $(outputs "${words[0]}" "$out/one") \
        $(comparisons "$out/want") --rtol 1e-5 >"$out/got" 2>&1 &&
        kiln-run "${libraries[i]}" "${given[@]}" --input random:3 --threads 2 \
          $(comparisons "$out/one") --rtol 0 >"$out/got" 2>&1 ||
        { echo "$call: ${ways[i]} differs: $(cat "$out/got")"; exit 1; }
    done
    echo "$call: agree"
  else
    echo "$call: interpreter: $(said "$out/said")"
    for i in "${!ways[@]}"; do
      if kiln-run "${libraries[i]}" "${words[@]}" --input random:3 >"$out/got" 2>&1; then
        echo "$call: ${ways[i]} accepts what the interpreter refuses"
        exit 1
      fi
      echo "$call: ${ways[i]}: $(said "$out/got")"
    done
  fi
done
