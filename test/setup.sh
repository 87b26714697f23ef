#!/usr/bin/env bash
#
# Installs what the tests need beside Go, git and make, as far as it is missing.
#
#   test/setup.sh [PART...]     without a part: all of them
#
#   cc            gcc and the C library's headers: Gitea's SQLite and go test -race
#   gitaggregate  git-aggregator 4.1 in a Python environment of its own, in
#                 ${XDG_CACHE_HOME:-$HOME/.cache}/odyssey/test/git-aggregator-4.1;
#                 $GITAGGREGATE names another one to use instead
#
# Debian packages are installed as root or by sudo. Nothing else of the system
# is changed. It is quick when all is there, and may run twice at once.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf 'setup: %s\n' "$*"; }
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# apt_install PACKAGE... installs Debian packages, or says why it cannot.
apt_install() {
    local -a as=()
    command -v apt-get >/dev/null ||
        die "needed and not found: what Debian has as $*; there is no apt-get here, so install it by hand"
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            die "needed and not found: the Debian packages $*; you are not root and there is no sudo, so have them installed: apt-get install $*"
        sudo -n true 2>/dev/null || [[ -t 0 ]] ||
            die "needed and not found: the Debian packages $*; sudo wants a password and nobody can type one here, so run: sudo apt-get install $*"
        as=(sudo)
    fi
    as+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
    say "installing the Debian packages $*"
    local log
    log=$(mktemp)
    if ! { "${as[@]}" update && "${as[@]}" install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        die "apt-get could not install $*; its words are above"
    fi
    rm -f "$log"
}

# cc_works tells whether Go's C compiler compiles and links a program.
cc_works() {
    local dir status=0
    local -a cc
    read -ra cc <<<"$(go env CC)"
    dir=$(mktemp -d)
    printf '#include <pthread.h>\n#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' >"$dir/a.c"
    "${cc[@]}" -o "$dir/a" "$dir/a.c" >/dev/null 2>&1 && "$dir/a" || status=1
    rm -rf "$dir"
    return "$status"
}

setup_cc() {
    cc_works && return
    apt_install gcc libc6-dev
    cc_works || die "$(go env CC) compiles no program although gcc is installed; see: go env CC"
}

# new_venv PYTHON DIR makes a Python environment with pip. A python3 that runs
# may still be unable to: Debian keeps ensurepip in python3-venv.
new_venv() {
    command -v "$1" >/dev/null &&
        "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1 &&
        "$1" -I -m venv --clear "$2" >/dev/null 2>&1 &&
        "$2/bin/python" -I -m pip --version >/dev/null 2>&1
}

setup_gitaggregate() {
    if [[ -n ${GITAGGREGATE:-} ]]; then
        [[ -x $GITAGGREGATE ]] || die "GITAGGREGATE is $GITAGGREGATE, which is no program"
        return
    fi
    local cache=${XDG_CACHE_HOME:-${HOME:?setup: set HOME or XDG_CACHE_HOME}/.cache}
    [[ $cache == /* ]] || die "XDG_CACHE_HOME is $cache; it must be an absolute path"
    local dir=$cache/odyssey/test/git-aggregator-4.1
    local want
    want=$(sha256sum <"$root/test/requirements.txt")

    mkdir -p "${dir%/*}"
    local lock
    exec {lock}>"$dir.lock"
    flock "$lock"
    if [[ -f $dir/installed && $(<"$dir/installed") == "$want" ]] &&
        "$dir/bin/python" -I -c 'import git_aggregator.main' 2>/dev/null; then
        exec {lock}>&-
        return
    fi
    rm -rf "$dir"
    if ! new_venv python3 "$dir" && ! new_venv /usr/bin/python3 "$dir"; then
        apt_install python3 python3-venv
        new_venv /usr/bin/python3 "$dir" || die "/usr/bin/python3 -m venv fails; Python 3.10 or newer is needed"
    fi
    say "installing git-aggregator 4.1 in $dir"
    PIP_USER=0 "$dir/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-input \
        --only-binary :all: --require-hashes --requirement "$root/test/requirements.txt" ||
        die "pip could not install test/requirements.txt; its words are above"
    "$dir/bin/gitaggregate" --help >/dev/null || die "$dir/bin/gitaggregate does not run"
    printf '%s\n' "$want" >"$dir/installed"
    exec {lock}>&-
}

command -v go >/dev/null || die "go is not on the PATH; install Go (go.mod says which) from https://go.dev/dl"
command -v git >/dev/null || die "git is not on the PATH"

(($#)) || set -- cc gitaggregate
for part; do
    case $part in
    cc | gitaggregate) "setup_$part" ;;
    *) die "no part is called $part; see the head of test/setup.sh" ;;
    esac
done
