#!/bin/sh
# Build the tracker again and fail when the committed files differ: what is served is what is read.
set -eu
static=server/web/static
folder=$(mktemp -d)
built="tracker.js stub.js plugins"
keep() { for each in $built; do cp -R "$static/$each" "$folder"; done; }
restore() {
  rm -rf "$static/plugins"
  for each in $built; do cp -R "$folder/$each" "$static"; done
  rm -rf "$folder"
}
keep
trap restore EXIT
npm --prefix tracker_js run --silent build
for each in $built; do
  if ! diff -r "$folder/$each" "$static/$each" >/dev/null; then
    echo "$static/$each is stale: run make build" >&2
    exit 1
  fi
done
