#!/usr/bin/env bash
# Installs the Debian packages that the end-to-end tests need and that are not there: as root where
# apt-get is; elsewhere it names them, and the tests leave out what can't run, with the reason.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
PATH=$PATH:/usr/sbin:/sbin
need chromium-headless-shell chromium-headless-shell
need dockerd docker.io
need iptables iptables
need ip iproute2
need mmdebstrap mmdebstrap
[ "${#missing[@]}" -eq 0 ] && exit

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
else
  echo "not installed (that takes root and apt-get): ${missing[*]}" >&2
fi
