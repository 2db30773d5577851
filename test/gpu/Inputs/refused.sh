#!/usr/bin/env bash
# Prints what kiln-run says of a library, once for each setting of the environment.
#   refused.sh LIBRARY [NAME=VALUE...]
library=$1
shift
for setting in "${@:-NONE=}"; do
  env "$setting" kiln-run "$library" predict --input random:1 --dim N=2 2>&1 >/dev/null |
    sed -n "s/.*KILN_FAKE_FAIL=//; s/^.*error: /${setting#KILN_FAKE_FAIL=}: /p"
done
