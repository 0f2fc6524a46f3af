#!/bin/sh
# Make sure that the browsers of the stories are there: what this machine has, else Debian's packages (Ubuntu has WebKit
# as a package and the others only as snaps), else the downloads of Playwright and of Selenium's own manager.
# What cannot be had is named here, and its stories are skipped with the reason; where CI is set that is a failure.
# usage: find_browsers.sh VENV MARK (a file that is made when nothing is missing)
set -eu
venv=$1 mark=$2
playwrights="playwright:chromium playwright:firefox"
all="$playwrights selenium:chromium selenium:firefox selenium:webkit"

can_start() {
  # shellcheck disable=SC2086 # a list
  "$venv/bin/python" tools/browsers.py "$@"
}

finish() {
  mkdir -p "$(dirname "$mark")"
  touch "$mark"
  exit 0
}

# Selenium's manager would download at once what a package may bring: ask it only when there are no packages
if SE_OFFLINE=true can_start $all 2>/dev/null; then finish; fi
echo "Installing the browsers and drivers that this system has as packages"
. "$(dirname "$0")/apt.sh"
apt_install_known chromium chromium-driver firefox-esr webkit2gtk-driver xvfb xauth fonts-dejavu-core || true
if ! can_start $playwrights 2>/dev/null; then
  echo "Chromium or Firefox is missing; trying Playwright's download"
  "$venv/bin/playwright" install --with-deps chromium firefox >/dev/null 2>&1 ||
    "$venv/bin/playwright" install chromium firefox >/dev/null 2>&1 || true
fi
if can_start $all; then finish; fi
if [ -n "${CI:-}" ]; then
  echo "Every engine is needed where CI is set" >&2
  exit 1
fi
echo "The stories of the engines above will be skipped" >&2
