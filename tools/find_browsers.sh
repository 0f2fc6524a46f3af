#!/bin/sh
# Make sure that a Chromium is there: Playwright's own or the system's, else Playwright's download, else Debian's.
# usage: find_browsers.sh VENV
set -eu
venv=$1

has_chromium() {
  "$venv/bin/python" tools/has_browser.py chromium
}

if has_chromium; then exit 0; fi
echo "No Chromium on this machine; trying Playwright's download"
if "$venv/bin/playwright" install --with-deps chromium >/dev/null 2>&1 && has_chromium; then exit 0; fi
if "$venv/bin/playwright" install chromium >/dev/null 2>&1 && has_chromium; then exit 0; fi
echo "That did not work; installing Debian's chromium"
. "$(dirname "$0")/apt.sh"
apt_install chromium fonts-dejavu-core
has_chromium
