#!/bin/sh
# Thumbnails per file: our plugin beside vipsthumbnail and ImageMagick on the same files, each making the same picture
# REPEAT times in as few processes as it can. Prints milliseconds per picture (median of ROUNDS) and the ratio to
# vipsthumbnail; the goal is at most 1.10.
#
# usage: tests/bench/thumbnail_bench.sh BUILD_DIR [files…]
#   without files: a photo of the Debian package golang-github-disintegration-imaging-dev, and the same enlarged to 12 and
#   24 megapixels as JPEG, PNG, WebP and TIFF.
# Needs: vipsthumbnail and vips (libvips-tools); convert (imagemagick) when it is there.
set -eu

build=${1:?usage: thumbnail_bench.sh BUILD_DIR [files...]}
shift
repeat=${REPEAT:-10}
rounds=${ROUNDS:-5}
width=${WIDTH:-320}
height=${HEIGHT:-240}
tool="$build/bin/thumbnail_bench_tool"
plugin="$build/plugins/thumbnail.so"
[ -x "$tool" ] || { echo "thumbnail_bench: $tool is missing: build the target thumbnail_bench_tool" >&2; exit 1; }
command -v vipsthumbnail >/dev/null || { echo "thumbnail_bench: vipsthumbnail is missing (libvips-tools)" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

if [ $# -eq 0 ]; then
  photo=/usr/share/gocode/src/github.com/disintegration/imaging/testdata/branches.jpg
  [ -r "$photo" ] || { echo "thumbnail_bench: install golang-github-disintegration-imaging-dev or name files" >&2; exit 1; }
  vips thumbnail "$photo" "$work/12mp.v" 4000 --height 3000 --size both
  vips thumbnail "$photo" "$work/24mp.v" 6000 --height 4000 --size both
  for name in 12mp 24mp; do
    for ending in jpg png webp tif; do vips copy "$work/$name.v" "$work/$name.$ending"; done
    rm "$work/$name.v"
  done
  cp "$photo" "$work/small.jpg"
  set -- "$work/small.jpg" "$work/12mp.jpg" "$work/24mp.jpg" "$work/12mp.png" "$work/12mp.webp" "$work/12mp.tif"
fi

# Runs "$@" and prints its wall time in microseconds.
wall() {
  start=$(date +%s%N)
  "$@" >/dev/null 2>&1 || { echo "thumbnail_bench: failed: $*" >&2; exit 1; }
  echo $((($(date +%s%N) - start) / 1000))
}
# libvips keeps what it decoded by file name, so each picture is made from a name of its own.
copies() {
  rm -f "$work"/copy_*
  i=0
  while [ $i -lt "$repeat" ]; do
    ln -s "$(realpath "$1")" "$work/copy_$i.${1##*.}"
    i=$((i + 1))
  done
}
ours() { "$tool" "$plugin" "$repeat" "$width" "$height" "$1"; }
vips_peer() { vipsthumbnail "$work"/copy_* --size "${width}x${height}>" -o "$work/out_%s.jpg[Q=75,strip]"; }
magick_peer() {
  i=0
  while [ $i -lt "$repeat" ]; do
    convert -define jpeg:size="$((width * 2))x$((height * 2))" "$1[0]" -auto-orient -thumbnail "${width}x${height}>" -quality 75 "$work/out.jpg"
    i=$((i + 1))
  done
}
median() { sort -n | sed -n "$(((rounds + 1) / 2))p"; }

printf '%-28s %10s %14s %7s' file 'ours ms' 'vipsthumb. ms' ratio
command -v convert >/dev/null && printf ' %12s %7s' 'convert ms' ratio
printf '\n'
for file in "$@"; do
  : >"$work/a"; : >"$work/b"; : >"$work/c"
  copies "$file"
  round=0
  # The programs take turns, so that a busy machine slows all of them.
  while [ $round -lt "$rounds" ]; do
    wall ours "$file" >>"$work/a"
    wall vips_peer >>"$work/b"
    if command -v convert >/dev/null; then wall magick_peer "$file" >>"$work/c"; fi
    round=$((round + 1))
  done
  a=$(median <"$work/a"); b=$(median <"$work/b")
  awk -v f="$(basename "$file")" -v a="$a" -v b="$b" -v n="$repeat" \
    'BEGIN { printf "%-28s %10.2f %14.2f %7.2f", f, a / n / 1000, b / n / 1000, a / b }'
  if [ -s "$work/c" ]; then
    c=$(median <"$work/c")
    awk -v a="$a" -v c="$c" -v n="$repeat" 'BEGIN { printf " %12.2f %7.2f", c / n / 1000, a / c }'
  fi
  printf '\n'
done
