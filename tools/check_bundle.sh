#!/bin/sh
# Build the tracker into another folder and fail when the committed files differ: what is served is what is read.
set -eu
static=server/web/static
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm --prefix tracker_js run --silent build -- "$folder"
for each in $(ls "$folder"); do
  if ! diff -r "$folder/$each" "$static/$each" >/dev/null; then
    echo "$static/$each is stale: run make build" >&2
    exit 1
  fi
done
