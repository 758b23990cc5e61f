#!/usr/bin/env bash
# Makes the container image: deploy/image.sh VERSION NAME
#   deploy/image.sh 1.2.3 registry.example.com/gleapsync:1.2.3
# It starts from nothing and asks no registry. It takes Go, buildah or docker, and the
# certificates and time zones of this machine (on Debian: ca-certificates, tzdata). GOARCH says
# for which processor, this one's if it is not set; TAGS=otel makes one that speaks OTLP.
set -euo pipefail
version=${1:?usage: deploy/image.sh VERSION NAME} name=${2:?usage: deploy/image.sh VERSION NAME}
cd "$(dirname "$0")/.."
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
arch=${GOARCH:-$(go env GOARCH)}

mkdir -p "$root"/{etc/ssl/certs,usr/local/bin,usr/share,tmp,var/lib/gleapsync}
chmod 1777 "$root/tmp"
CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -ldflags "-s -w -X main.version=$version" -tags "${TAGS:-}" -o "$root/usr/local/bin/gleapsync" .
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp -RL /usr/share/zoneinfo "$root/usr/share/"
echo 'gleapsync:x:65532:65532::/var/lib/gleapsync:/sbin/nologin' >"$root/etc/passwd"
echo 'gleapsync:x:65532:' >"$root/etc/group"

if command -v buildah >/dev/null; then
  buildah build --quiet --isolation chroot --platform "linux/$arch" -f deploy/Dockerfile -t "$name" "$root"
else
  docker build --quiet --platform "linux/$arch" -f deploy/Dockerfile -t "$name" "$root"
fi
