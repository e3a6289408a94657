#!/bin/sh
# reference.sh <doxygen> <folder>: makes the reference by the Doxyfile there; fails when something it names is not found or
# the pages everyone needs are not there.
set -eu
"$1" "$2/Doxyfile"
if [ -s "$2/warnings" ]; then
  cat "$2/warnings" >&2
  exit 1
fi
for page in structjh__host structjh__module structjh__output__v1 classjobhost_1_1Job classjobhost_1_1testing_1_1FakeHost; do
  [ -s "$2/html/$page.html" ] || { echo "no page $page" >&2; exit 1; }
done
grep -q "Polls\|polls cancelled" "$2/html/structjh__job__type.html" || { echo "the header's comments are missing" >&2; exit 1; }
