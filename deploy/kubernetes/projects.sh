#!/bin/sh
# Makes a CronJob for each of several projects, each with its own configuration, token, exports
# and state:
#
#   deploy/kubernetes/projects.sh projects/*.toml
#   kubectl apply -k deploy/kubernetes/projects
#
# A project has the name of its file here: acme.toml becomes the CronJob acme-gleapsync, which
# takes its token from the secret acme-gleapsync-token. The minute at which it begins follows
# from that name, so that many projects do not begin at once and none moves. What is written is
# a kustomization for each, on the base beside it; run it again when a configuration changed.
set -eu

if [ $# -eq 0 ]; then
  echo "usage: $0 CONFIGURATION..." >&2
  exit 2
fi
out=$(dirname "$0")/projects

name_of() {
  name=$(basename "$1" .toml)
  # What Kubernetes takes; a CronJob's name has 52 characters at most.
  if ! printf '%s\n' "$name" | LC_ALL=C grep -Eqx '[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?'; then
    echo "$1: call it something like acme.toml: up to 42 of a-z, 0-9 and -, neither first nor last a -" >&2
    exit 1
  fi
}

names=
for config in "$@"; do
  name_of "$config"
  case " $names " in *" $name "*)
    echo "$config: there is another $name.toml" >&2
    exit 1
    ;;
  esac
  if [ ! -f "$config" ]; then
    echo "$config: there is no such file" >&2
    exit 1
  fi
  names="$names $name"
done

mkdir -p "$out"
for config in "$@"; do
  name_of "$config"
  minute=$(($(printf %s "$name" | cksum | cut -d ' ' -f 1) % 60))
  mkdir -p "$out/$name"
  cp "$config" "$out/$name/gleapsync.toml"
  cat >"$out/$name/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization

namePrefix: $name-
resources: [../../base]

labels:
- pairs:
    app.kubernetes.io/instance: $name
  includeTemplates: true

configMapGenerator:
- name: gleapsync
  behavior: replace
  files: [gleapsync.toml]
  options:
    disableNameSuffixHash: true

patches:
- patch: |
    apiVersion: batch/v1
    kind: CronJob
    metadata:
      name: gleapsync
    spec:
      schedule: "$minute */2 * * *"
      jobTemplate:
        spec:
          template:
            spec:
              volumes:
              - name: token
                secret:
                  secretName: $name-gleapsync-token
END
done
{
  echo "apiVersion: kustomize.config.k8s.io/v1beta1"
  echo "kind: Kustomization"
  echo "resources:"
  for name in $names; do
    echo "- $name"
  done
} >"$out/kustomization.yaml"
