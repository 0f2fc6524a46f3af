#!/bin/sh
# Make the virtual environment and install what a lock file names, hashes checked, then Footfall itself.
# usage: make_venv.sh FOLDER LOCK_FILE
set -eu
venv=$1 lock=$2

python=
for each in python3 python3.14 python3.13 python3.12 python3.11; do
  if command -v "$each" >/dev/null 2>&1 && "$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$each
    break
  fi
done
if [ -z "$python" ]; then
  echo "Python 3.11 or newer is needed and was not found." >&2
  exit 1
fi

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  if ! "$python" -m venv "$venv" >/dev/null 2>&1; then
    # Debian ships the module venv without pip in it; the package python3-venv brings that
    echo "python3-venv is missing; installing it with apt-get"
    . "$(dirname "$0")/apt.sh"
    apt_install python3-venv
    rm -rf "$venv"
    "$python" -m venv "$venv"
  fi
fi

echo "Installing the packages of $lock into $venv"
# --no-deps: the lock file is complete. pip's own resolver would look at newer releases for an extra
# (`coverage[toml]`) and fail over the missing hash as soon as one is published.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock"
# the build backend is in the lock file: nothing is fetched without a hash
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
"$venv/bin/python" -m pip check
