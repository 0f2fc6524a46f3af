#!/bin/sh
# Resolve all dependencies anew, for Python 3.11 to 3.14 on every platform, with hashes and without any host's name.
# usage: lock.sh VENV
set -eu
uv="$1/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header"
$uv --group pyproject.toml:build pyproject.toml -o requirements/run.txt
$uv --group pyproject.toml:dev pyproject.toml -o requirements/dev.txt
$uv --group pyproject.toml:node -o requirements/node.txt
