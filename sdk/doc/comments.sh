#!/bin/sh
# Makes doc comments of the C header's plain ones: behind code they belong to what stands before them.
sed -e '/^ *\/\* -\{10,\}/d' -e 's#^\( *\)/\* #\1/** #' -e 's#\(; *\|) *\)/\* #\1/**< #' -e 's#^\(\#define [^/]*\)/\* #\1/**< #' "$1"
