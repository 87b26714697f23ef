#!/usr/bin/env bash
#
# Installs what the tests need beside Go, git and make, as far as it is missing.
#
#   test/setup.sh [PART...]     without a part: all of them
#
#   cc            gcc and the C library's headers: Gitea's SQLite and go test -race
#   gitaggregate  git-aggregator 4.1 in a Python environment of its own,
#                 git-aggregator-4.1 in the cache; $GITAGGREGATE names another
#                 one to use instead
#   pytools       uv, pip, pip-tools and packaging in another one, pytools
#   psycopg       psycopg2, with which Odoo reaches PostgreSQL, in one more, psycopg
#   addonwheels   the wheels of some real Odoo addons, addonwheels
#   octokit       GitHub's description of its API, octokit; $NPM_CONFIG_REGISTRY
#                 names another registry than npm's own to take it from
#   zizmor        zizmor, which looks for holes in workflows, in one more, zizmor
#   quadlet       podman's program that makes systemd units of quadlets, as Debian
#                 trixie has it, quadlet; $QUADLET names another one to use instead
#   chromium      Chromium, to look at the status pages; $CHROMIUM names another
#                 browser of its family to use instead
#   registry      docker-registry, a registry of container images
#   postgres      PostgreSQL; $POSTGRES_BIN names the directory of another one's
#                 programs to use instead
#   buildah       buildah, to build images
#   trixie        Debian 13 as a base of images, by debootstrap: trixie/rootfs.tar
#
# The cache is ${XDG_CACHE_HOME:-$HOME/.cache}/odyssey/test.
# Debian packages are installed, and debootstrap is run, as root or by sudo. Nothing else of the system
# is changed. It is quick when all is there, and may run twice at once.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf 'setup: %s\n' "$*"; }
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# become_root OTHERWISE sets as to what runs a command as root, or says what to
# do otherwise.
become_root() {
    as=()
    ((EUID != 0)) || return 0
    command -v sudo >/dev/null || die "you are not root and there is no sudo, so $1"
    sudo -n true 2>/dev/null || [[ -t 0 ]] || die "sudo wants a password and nobody can type one here, so $1"
    as=(sudo)
}

# apt_install PACKAGE... installs Debian packages, or says why it cannot.
apt_install() {
    local -a as
    command -v apt-get >/dev/null ||
        die "needed and not found: what Debian has as $*; there is no apt-get here, so install it by hand"
    become_root "have them installed: apt-get install $*"
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

# cached NAME sets dir to the directory of that name in the cache.
cached() {
    local cache=${XDG_CACHE_HOME:-${HOME:?setup: set HOME or XDG_CACHE_HOME}/.cache}
    [[ $cache == /* ]] || die "XDG_CACHE_HOME is $cache; it must be an absolute path"
    dir=$cache/odyssey/test/$1
}

# once DIR PINS CHECK MAKE fills a directory by the function MAKE, unless it was
# filled from files of the same content before and the function CHECK is content
# with it. PINS are the files' names, below test/, with spaces between. Several
# processes wait for one another.
once() {
    local dir=$1 check=$3 make=$4 lock want
    local -a pins
    read -ra pins <<<"$2"
    want=$(cd "$root/test" && cat "${pins[@]}" | sha256sum)

    mkdir -p "${dir%/*}"
    exec {lock}>"$dir.lock"
    flock "$lock"
    if [[ ! -f $dir/installed || $(<"$dir/installed") != "$want" ]] || ! "$check" "$dir"; then
        rm -rf "$dir"
        "$make" "$dir"
        printf '%s\n' "$want" >"$dir/installed"
    fi
    exec {lock}>&-
}

# venv_of DIR PINS makes a Python environment with exactly what test/PINS says.
venv_of() {
    if ! new_venv python3 "$1" && ! new_venv /usr/bin/python3 "$1"; then
        apt_install python3 python3-venv
        new_venv /usr/bin/python3 "$1" || die "/usr/bin/python3 -m venv fails; Python 3.10 or newer is needed"
    fi
    PIP_USER=0 "$1/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-input \
        --only-binary :all: --require-hashes --requirement "$root/test/$2" ||
        die "pip could not install test/$2; its words are above"
}

check_gitaggregate() { "$1/bin/python" -I -c 'import git_aggregator.main' 2>/dev/null; }

make_gitaggregate() {
    say "installing git-aggregator 4.1 in $1"
    venv_of "$1" requirements.txt
    "$1/bin/gitaggregate" --help >/dev/null || die "$1/bin/gitaggregate does not run"
}

setup_gitaggregate() {
    if [[ -n ${GITAGGREGATE:-} ]]; then
        [[ -x $GITAGGREGATE ]] || die "GITAGGREGATE is $GITAGGREGATE, which is no program"
        return
    fi
    local dir
    cached git-aggregator-4.1
    once "$dir" requirements.txt check_gitaggregate make_gitaggregate
}

check_pytools() { "$1/bin/python" -I -c 'import packaging, pip' 2>/dev/null && [[ -x $1/bin/uv && -x $1/bin/pip-compile ]]; }

make_pytools() {
    say "installing uv, pip, pip-tools and packaging in $1"
    venv_of "$1" pytools.txt
    "$1/bin/uv" --version >/dev/null || die "$1/bin/uv does not run"
    "$1/bin/pip-compile" --version >/dev/null || die "$1/bin/pip-compile does not run"
}

setup_pytools() {
    local dir
    cached pytools
    once "$dir" pytools.txt check_pytools make_pytools
}

check_psycopg() { "$1/bin/python" -I -c 'import psycopg2' 2>/dev/null; }

make_psycopg() {
    say "installing psycopg2 in $1"
    venv_of "$1" psycopg.txt
    check_psycopg "$1" || die "psycopg2 is installed in $1, and $1/bin/python cannot import it"
}

setup_psycopg() {
    local dir
    cached psycopg
    once "$dir" psycopg.txt check_psycopg make_psycopg
}

check_zizmor() { [[ -x $1/bin/zizmor ]] && "$1/bin/zizmor" --version >/dev/null 2>&1; }

make_zizmor() {
    say "installing zizmor in $1"
    venv_of "$1" zizmor.txt
    check_zizmor "$1" || die "$1/bin/zizmor does not run"
}

setup_zizmor() {
    local dir
    cached zizmor
    once "$dir" zizmor.txt check_zizmor make_zizmor
}

# debian_mirror prints the mirror of Debian that this machine's APT asks first.
# It prints nothing where there is none; debootstrap and apt then have Debian's own.
debian_mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | sed -n 1p
}

check_quadlet() { [[ -x $1/quadlet ]] && "$1/quadlet" --version >/dev/null 2>&1; }

# make_quadlet takes the one program out of the package, which apt has checked by
# Debian's key. The system's own lists and packages are not touched.
make_quadlet() {
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg log=$1/log suite package mirror domain=debian.org
    local -a apt
    read -r suite package < <(grep -v '^#' "$root/test/quadlet.txt")
    command -v apt-get >/dev/null || die "there is no apt-get to download podman by; set QUADLET to podman's program, such as /usr/libexec/podman/quadlet"
    [[ -r $keyring ]] || apt_install debian-archive-keyring
    say "downloading podman's quadlet to $1"
    mkdir -p "$1/lists/partial" "$1/archives/partial"
    mirror=$(debian_mirror)
    echo "deb [signed-by=$keyring] ${mirror:-http://deb.$domain/debian} $suite main" >"$1/sources.list"
    apt=(apt-get -qq -o "Dir::Etc::SourceList=$1/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$1/lists"
        -o "Dir::Cache=$1/archives" -o "Dir::Cache::Archives=$1/archives" -o APT::Sandbox::User= -o Debug::NoLocking=1)
    if ! { "${apt[@]}" update && (cd "$1" && "${apt[@]}" download "$package") && dpkg-deb --extract "$1/$package"_*.deb "$1/podman"; } >"$log" 2>&1; then
        cat "$log" >&2
        die "apt-get could not download $package of Debian $suite; its words are above"
    fi
    mv "$1/podman/usr/libexec/podman/quadlet" "$1/quadlet"
    rm -rf "$1"/{lists,archives,podman,sources.list,log} "$1/$package"_*.deb
    check_quadlet "$1" || die "$1/quadlet does not run here"
}

setup_quadlet() {
    if [[ -n ${QUADLET:-} ]]; then
        [[ -x $QUADLET ]] || die "QUADLET is $QUADLET, which is no program"
        return
    fi
    local dir
    cached quadlet
    once "$dir" quadlet.txt check_quadlet make_quadlet
}

# check_addonwheels looks for as many wheels as there are pins.
check_addonwheels() {
    local -a wheels=("$1"/*.whl)
    ((${#wheels[@]} == $(cat "$root"/test/addonwheels{,-py2}.txt | grep -c '^[^# ]')))
}

# pip_download DIR PINS PYTHON downloads the wheels of test/PINS that are for a
# version of Python, whatever the system and the Python that runs pip.
pip_download() {
    "$pytools/bin/python" -I -m pip download --quiet --disable-pip-version-check --no-input \
        --no-deps --only-binary :all: --require-hashes --platform any --implementation py --abi none \
        --python-version "$3" --dest "$1" --requirement "$root/test/$2" ||
        die "pip could not download what test/$2 says; its words are above"
}

make_addonwheels() {
    say "downloading Odoo addons to $1"
    pip_download "$1" addonwheels.txt 3.14
    pip_download "$1" addonwheels-py2.txt 2.7
    check_addonwheels "$1" || die "$1 has not as many wheels as test/addonwheels*.txt name"
}

setup_addonwheels() {
    local dir pytools
    setup_pytools
    cached pytools
    pytools=$dir
    cached addonwheels
    once "$dir" 'addonwheels.txt addonwheels-py2.txt' check_addonwheels make_addonwheels
}

# check_octokit looks for what make_octokit makes.
check_octokit() { [[ -s $1/openapi.json && -s $1/webhooks-examples.json && -s $1/graphql-schema.graphql ]]; }

# make_octokit takes one file out of each package that test/octokit.txt names.
make_octokit() {
    local home=npmjs.org package version sum file name
    local registry=${NPM_CONFIG_REGISTRY:-${npm_config_registry:-https://registry.$home}}
    [[ $registry == https://* ]] || die "NPM_CONFIG_REGISTRY is $registry; it must begin with https://"
    command -v curl >/dev/null || apt_install curl ca-certificates
    say "downloading GitHub's description of its API to $1"
    mkdir -p "$1"
    while read -r package version sum file; do
        name=${package#*/}
        curl --fail --silent --show-error --location --proto '=https' --proto-redir '=https' --retry 3 \
            --output "$1/$name.tgz" "${registry%/}/$package/-/$name-$version.tgz" ||
            die "curl could not download $package $version; its words are above"
        sha512sum --check --status <<<"$sum  $1/$name.tgz" ||
            die "$package $version from $registry is not what test/octokit.txt says"
        tar -xzf "$1/$name.tgz" -O "$file" >"$1/$name.${file##*.}" || die "there is no $file in $package $version"
        rm "$1/$name.tgz"
    done < <(grep -v '^#' "$root/test/octokit.txt")
    check_octokit "$1" || die "$1 lacks what test/octokit.txt names"
}

setup_octokit() {
    local dir
    cached octokit
    once "$dir" octokit.txt check_octokit make_octokit
}

setup_chromium() {
    if [[ -n ${CHROMIUM:-} ]]; then
        command -v "$CHROMIUM" >/dev/null || die "CHROMIUM is $CHROMIUM, which is no program"
        return
    fi
    command -v chromium >/dev/null && return
    apt_install chromium fonts-dejavu-core
    command -v chromium >/dev/null || die "there is no chromium on the PATH although the Debian package chromium is installed"
}

setup_registry() {
    command -v docker-registry >/dev/null && return
    apt_install docker-registry
    command -v docker-registry >/dev/null || die "there is no docker-registry on the PATH although the Debian package docker-registry is installed"
}

# has_postgres tells whether there is PostgreSQL, and root has a user to run it.
has_postgres() {
    local initdb
    ((EUID != 0)) || id postgres >/dev/null 2>&1 || return
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        [[ ! -x $initdb ]] || return 0
    done
    command -v initdb >/dev/null
}

setup_postgres() {
    if [[ -n ${POSTGRES_BIN:-} ]]; then
        [[ -x $POSTGRES_BIN/initdb ]] || die "POSTGRES_BIN is $POSTGRES_BIN, which has no initdb"
        return
    fi
    has_postgres && return
    apt_install postgresql
    has_postgres || die "there is no initdb although the Debian package postgresql is installed"
}

setup_buildah() {
    command -v buildah >/dev/null && return
    apt_install buildah
    command -v buildah >/dev/null || die "there is no buildah on the PATH although the Debian package buildah is installed"
}

check_trixie() { [[ -s $1/rootfs.tar ]]; }

make_trixie() {
    local work mirror
    local -a as packages
    command -v debootstrap >/dev/null || [[ -x /usr/sbin/debootstrap ]] || apt_install debootstrap debian-archive-keyring
    become_root "run as root: test/setup.sh trixie"
    as+=(env "PATH=$PATH:/usr/sbin:/sbin")
    say "installing Debian 13 for images in $1"
    mapfile -t packages < <(grep -v '^#' "$root/test/trixie.txt")
    work=$(mktemp -d)
    mirror=$(debian_mirror)
    "${as[@]}" debootstrap --variant=minbase --include="$(IFS=, && printf %s "${packages[*]}")" \
        trixie "$work/root" ${mirror:+"$mirror"} >"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        die "debootstrap could not install Debian 13; its words are above"
    }
    mkdir -p "$1"
    "${as[@]}" tar -C "$work/root" --numeric-owner --exclude './var/cache/apt/*.bin' --exclude './var/cache/apt/archives/*.deb' \
        --exclude './var/lib/apt/lists/*' -cf - . >"$1/rootfs.tar"
    "${as[@]}" rm -rf "$work"
}

setup_trixie() {
    local dir
    cached trixie
    once "$dir" trixie.txt check_trixie make_trixie
}

command -v go >/dev/null || die "go is not on the PATH; install Go (go.mod says which) from https://go.dev/dl"
command -v git >/dev/null || die "git is not on the PATH"

(($#)) || set -- cc gitaggregate pytools psycopg addonwheels octokit zizmor quadlet chromium registry postgres buildah trixie
for part; do
    case $part in
    cc | gitaggregate | pytools | psycopg | addonwheels | octokit | zizmor | quadlet | chromium | registry | postgres | buildah | trixie) "setup_$part" ;;
    *) die "no part is called $part; see the head of test/setup.sh" ;;
    esac
done
