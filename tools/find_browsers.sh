#!/bin/sh
# Make sure that the browsers of the stories are there: Playwright's own or the system's, else Playwright's download, else
# Debian's packages. What Selenium drives (all three engines) is always the system's.
# usage: find_browsers.sh VENV
set -eu
venv=$1

can_start() {
  "$venv/bin/python" tools/browsers.py "$@" 2>/dev/null
}

if ! can_start playwright:chromium playwright:firefox; then
  echo "Chromium or Firefox is missing; trying Playwright's download"
  "$venv/bin/playwright" install --with-deps chromium firefox >/dev/null 2>&1 ||
    "$venv/bin/playwright" install chromium firefox >/dev/null 2>&1 || true
fi
all="playwright:chromium playwright:firefox selenium:chromium selenium:firefox selenium:webkit"
if can_start $all; then exit 0; fi
echo "Installing Debian's browsers and their drivers"
. "$(dirname "$0")/apt.sh"
apt_install chromium chromium-driver firefox-esr webkit2gtk-driver xvfb xauth fonts-dejavu-core
"$venv/bin/python" tools/browsers.py $all
