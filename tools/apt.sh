# To be read by other scripts, for systems that have apt-get: as root, or with sudo where that asks nothing.

apt_run() {
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "apt-get is not here" >&2
    return 1
  elif [ "$(id -u)" = 0 ]; then
    env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >/dev/null
  elif sudo -n true 2>/dev/null; then
    sudo -n env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >/dev/null
  else
    echo "Run as root: apt-get $*" >&2
    return 1
  fi
}

# apt_install PACKAGE ...
apt_install() {
  apt_run update && apt_run install -y --no-install-recommends "$@"
}

# apt_install_known PACKAGE ...: those that this distribution has, and has as real packages, not as links to a snap
apt_install_known() {
  apt_run update || return 1
  known=
  for package in "$@"; do
    case $(apt-cache policy "$package" 2>/dev/null | sed -n 's/^ *Candidate: //p') in
      '' | '(none)' | *snap*) echo "$package is no package here" >&2 ;;
      *) known="$known $package" ;;
    esac
  done
  # shellcheck disable=SC2086 # a list
  apt_run install -y --no-install-recommends $known
}
