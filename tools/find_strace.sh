#!/bin/sh
# Make sure that strace is there, which shows in what order a server syncs and answers; Debian and Ubuntu have it as a
# package. Without it, or where tracing is forbidden, that proof is skipped with the reason.
# usage: find_strace.sh MARK (a file that is made when it is there)
set -eu
mark=$1
if ! command -v strace >/dev/null 2>&1; then
  echo "Installing strace"
  . "$(dirname "$0")/apt.sh"
  apt_install strace || true
fi
if command -v strace >/dev/null 2>&1; then
  mkdir -p "$(dirname "$mark")"
  touch "$mark"
elif [ -n "${CI:-}" ]; then
  echo "strace is needed where CI is set" >&2
  exit 1
else
  echo "strace is not here: the proof of the order of syncs and answers will be skipped" >&2
fi
