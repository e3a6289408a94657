#!/bin/sh
# Thumbnails of 200 photos, and of the 200 pages of one archive, beside vipsthumbnail and ImageMagick on the same files, each in
# as few processes as it can. Prints seconds and the ratio to ours, of one run each, after a warm-up of the page cache.
#
# usage: tests/bench/thumbnail_batch_bench.sh BUILD_DIR [folder of photos]
#   without a folder: 200 cut-outs of a real photo (Debian's golang-github-disintegration-imaging-dev), each another, 1600 × 1200.
# Needs: vipsthumbnail and vips (libvips-tools), convert (imagemagick), bsdtar (libarchive-tools).
set -eu

build=${1:?usage: thumbnail_batch_bench.sh BUILD_DIR [folder]}
tool="$build/bin/thumbnail_bench_tool"
plugin="$build/plugins/thumbnail.so"
[ -x "$tool" ] || { echo "thumbnail_batch_bench: $tool is missing: build the target thumbnail_bench_tool" >&2; exit 1; }
for peer in vips vipsthumbnail convert bsdtar; do
  command -v $peer >/dev/null || { echo "thumbnail_batch_bench: $peer is missing" >&2; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir "$work/photos" "$work/content" "$work/thumbs" "$work/out" "$work/pages"

if [ $# -ge 2 ]; then
  cp "$2"/* "$work/photos"
else
  photo=/usr/share/gocode/src/github.com/disintegration/imaging/testdata/branches.jpg
  [ -r "$photo" ] || { echo "thumbnail_batch_bench: install golang-github-disintegration-imaging-dev or name a folder" >&2; exit 1; }
  vips thumbnail "$photo" "$work/large.v" 2400 --height 2400 --size both
  width=$(vipsheader -f width "$work/large.v"); height=$(vipsheader -f height "$work/large.v")
  i=0
  while [ $i -lt 200 ]; do
    vips crop "$work/large.v" "$work/photos/$(printf %03d $i).jpg[Q=90]" $((i * (width - 1600) / 200)) \
      $(((i * 7 % 200) * (height - 1200) / 200)) 1600 1200
    i=$((i + 1))
  done
  rm "$work/large.v"
fi
count=$(find "$work/photos" -type f | wc -l)
(cd "$work/photos" && bsdtar -a -cf "$work/content/book.zip" -- *)
cat "$work"/photos/* "$work/content/book.zip" >/dev/null

wall() {
  start=$(date +%s%N)
  "$@" >/dev/null 2>"$work/errors" || { echo "thumbnail_batch_bench: failed: $*" >&2; cat "$work/errors" >&2; exit 1; }
  echo $((($(date +%s%N) - start) / 1000))
}
report() { # name, ours, vipsthumbnail, convert; microseconds
  awk -v n="$1" -v a="$2" -v b="$3" -v c="$4" -v k="$count" 'BEGIN {
    printf "%-22s %8.2f s (%6.2f ms each) %10.2f s %6.2f %12.2f s %6.2f\n", n, a/1e6, a/1e3/k, b/1e6, a/b, c/1e6, a/c }'
}

photos_magick() {
  for photo in "$work"/photos/*; do
    convert -define jpeg:size=640x480 "${photo}[0]" -auto-orient -thumbnail '320x240>' -quality 75 "$work/out/$(basename "$photo")"
  done
}
unpack() { bsdtar -xf "$work/content/book.zip" -C "$work/pages"; }
pages_vips() { unpack && vipsthumbnail "$work"/pages/* --size 500x1000 -o "$work/out/%s.jpg[Q=50]"; }
pages_magick() {
  unpack
  for page in "$work"/pages/*; do
    convert -define jpeg:size=500x "$page" -sample 500x1000 -quality 50 "$work/out/$(basename "$page")"
  done
}

printf '%-22s %29s %12s %6s %14s %6s\n' "$count files" ours vipsthumbnail ratio convert ratio
a=$(wall "$tool" "$plugin" 1 320 240 "$work"/photos/*)
b=$(wall vipsthumbnail "$work"/photos/* --size '320x240>' -o "$work/out/%s.jpg[Q=75,strip]")
c=$(wall photos_magick)
report 'photos, 320 x 240' "$a" "$b" "$c"
a=$(wall "$tool" "$plugin" pages "$work/content" "$work/thumbs")
b=$(wall pages_vips)
c=$(wall pages_magick)
report 'one archive, 500 x 1000' "$a" "$b" "$c"
