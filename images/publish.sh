#!/usr/bin/env bash
#
# Publishes an image of this directory: built on a machine of each architecture,
# and joined under one tag, which is never moved. images/README.md says how.
#
#   images/publish.sh build IMAGE REPOSITORY TAG DIGEST_FILE [ARGUMENT=VALUE...]
#   images/publish.sh join REPOSITORY TAG DIGEST_FILE...
#
# build builds images/IMAGE for this machine with build arguments, pushes it
# under TAG and the architecture, and writes REPOSITORY@DIGEST to DIGEST_FILE.
# join makes an index of such images, with the annotations that all of them
# have, tags it, reads it back, and prints REPOSITORY:TAG@DIGEST.
#
# $BUILDAH (buildah) and $ODOO_BUILD_IMAGE (bin/odoo-build-image) are the programs
# to use, with arguments; they find the credentials of a registry in
# $REGISTRY_AUTH_FILE and in $DOCKER_CONFIG/config.json, which may be the same.
# $SOURCE is the repository that publishes.
#
# Exit codes: 0 done, 1 failed, 2 wrong usage or what is not pinned, 4 the tag is
# there already.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
read -ra buildah <<<"${BUILDAH:-buildah}"
read -ra odoo_build_image <<<"${ODOO_BUILD_IMAGE:-$root/bin/odoo-build-image}"
source=${SOURCE:-https://github.com/nuobit/odyssey}

die() {
    printf 'publish: %s\n' "$2" >&2
    exit "$1"
}

# insecure sets tls for a registry: one on this machine has none.
insecure() {
    tls=()
    [[ ! $1 =~ ^(localhost|127\.0\.0\.1)[:/] ]] || tls=(--tls-verify=false)
}

# pulled prints the id of an image that a registry has; nothing, and fails, when
# it has none of that name.
pulled() {
    local said
    if said=$("${buildah[@]}" pull --quiet --policy always "${tls[@]}" "docker://$1" 2>&1); then
        printf '%s\n' "$said"
        return 0
    fi
    [[ $said == *"manifest unknown"* || $said == *"name unknown"* || $said == *"not found"* ]] || die 1 "cannot ask for $1: $said"
    return 1
}

# pinned refuses a Dockerfile that takes an image which is not given by its
# digest, once the build arguments are set.
pinned() {
    local dockerfile=$1 name value given pattern='^[a-z0-9][^@ ]*@sha256:[0-9a-f]{64}$'
    shift
    while IFS='=' read -r name value; do
        for given; do
            [[ ${given%%=*} != "$name" ]] || value=${given#*=}
        done
        [[ $value != */* || $value =~ $pattern ]] ||
            die 2 "$dockerfile: $name is $value, which is no image by its digest; pin it, see images/README.md"
    done < <(sed '/^FROM/q' "$root/$dockerfile" | sed -n 's/^ARG //p')
}

# labelled prints a label of an image, or a variable of its environment.
labelled() { "${buildah[@]}" inspect --type image --format "{{index .OCIv1.Config.Labels \"$2\"}}" "$1"; }
python_of() { "${buildah[@]}" inspect --type image --format '{{range .OCIv1.Config.Env}}{{println .}}{{end}}' "$1" | sed -n 's/^PYTHON_VERSION=//p'; }

build() {
    (($# >= 4)) || die 2 'usage: publish.sh build IMAGE REPOSITORY TAG DIGEST_FILE [ARGUMENT=VALUE...]'
    local image=$1 repository=$2 tag=$3 file=$4 revision architecture local description python
    shift 4
    local dockerfile=images/$image/Dockerfile
    [[ -f $root/$dockerfile ]] || die 2 "there is no $dockerfile"
    pinned "$dockerfile" "$@"
    insecure "$repository"
    ! pulled "$repository:$tag" >/dev/null || die 4 "$repository:$tag is there already; take the next number"

    revision=$(git -C "$root" rev-parse HEAD)
    description=$(sed -nE 's/.*image\.description="([^"]+)".*/\1/p' "$root/$dockerfile")
    local=localhost/odyssey-publish/$image:$tag
    "${buildah[@]}" bud --format oci --skip-unused-stages=false "${tls[@]}" --file "$root/$dockerfile" --tag "$local" \
        --build-arg VERSION="$tag" --build-arg REVISION="$revision" --build-arg SOURCE="$source" "${@/#/--build-arg=}" \
        --annotation "org.opencontainers.image.source=$source" \
        --annotation "org.opencontainers.image.revision=$revision" \
        --annotation "org.opencontainers.image.version=$tag" \
        --annotation "org.opencontainers.image.description=$description" "$root" >&2

    [[ $(labelled "$local" org.opencontainers.image.version) == "$tag" ]] || die 1 "the image does not say that it is $tag"
    python=$(python_of "$local")
    if [[ $tag =~ -py([0-9])([0-9]+)- && $python != "${BASH_REMATCH[1]}.${BASH_REMATCH[2]}."* ]]; then
        die 2 "$tag is for another Python than the base has, which is $python"
    fi
    architecture=$("${buildah[@]}" inspect --type image --format '{{.OCIv1.Architecture}}' "$local")
    "${buildah[@]}" push "${tls[@]}" --digestfile "$file.new" "$local" "docker://$repository:$tag-$architecture" >&2
    printf '%s@%s\n' "$repository" "$(<"$file.new")" >"$file"
    rm -f "$file.new"
}

join() {
    (($# >= 3)) || die 2 'usage: publish.sh join REPOSITORY TAG DIGEST_FILE...'
    local repository=$1 tag=$2 file image tagged made
    local -a images=()
    shift 2
    for file; do
        images+=(--join "$(<"$file")")
    done
    insecure "$repository"
    image=$("${odoo_build_image[@]}" pack --output "docker://$repository" --tag "$tag" "${images[@]}")
    tagged=$(pulled "$repository:$tag") && made=$(pulled "$repository@${image##*@}") && [[ $tagged == "$made" ]] ||
        die 1 "the registry does not give $image under $repository:$tag"
    printf '%s\n' "$image"
}

case ${1:-} in
build | join) "$@" ;;
*) die 2 'usage: publish.sh build|join …; see its head' ;;
esac
