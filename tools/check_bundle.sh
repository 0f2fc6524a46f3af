#!/bin/sh
# Build the tracker again and fail when the committed files differ: what is served is what is read.
set -eu
static=server/web/static
folder=$(mktemp -d)
trap 'cp "$folder"/* "$static"/; rm -rf "$folder"' EXIT
cp "$static/tracker.js" "$static/stub.js" "$folder"
npm --prefix tracker_js run --silent build
for each in tracker.js stub.js; do
  if ! cmp -s "$folder/$each" "$static/$each"; then
    echo "$static/$each is stale: run make build" >&2
    exit 1
  fi
done
