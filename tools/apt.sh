# To be read by other scripts: apt_install PACKAGE ... as root, with sudo where that asks nothing.
apt_install() {
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "apt-get is not here; install by hand: $*" >&2
    return 1
  fi
  run=
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
      echo "Run as root: apt-get install $*" >&2
      return 1
    fi
    run=sudo
  fi
  $run apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
