#!/usr/bin/env bash
# report.sh <today's abi.h> <report>: what changed in the ABI since each released version, for people to read. The gate is
# check_abi.py: abidiff cannot tell an appended member from members that changed places.
set -euo pipefail
header=$1 report=$2
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
library() { # header's folder, name
  {
    echo '#include "abi.h"'
    grep -o 'typedef struct jh_[a-z0-9_]* {' "$1/abi.h" | sort -u | awk '{print "__attribute__((visibility(\"default\"))) " $3 " *use_" $3 "(" $3 " *value) { return value; }"}'
  } >"$work/$2.c"
  cc -std=c99 -g -shared -fPIC "-I$1" -o "$work/$2.so" "$work/$2.c"
}
library "$(dirname "$header")" today
: >"$report"
for version in fixtures/*/; do
  library "$PWD/$version" "released"
  printf '== since %s\n' "$(basename "$version")" >>"$report"
  status=0
  abidiff "$work/released.so" "$work/today.so" >>"$report" 2>&1 || status=$?
  [ $((status & 3)) = 0 ] || { cat "$report"; exit 1; }  # 1, 2: abidiff itself failed; 4, 8: there are changes
  [ $status != 0 ] || echo 'nothing changed' >>"$report"
done
