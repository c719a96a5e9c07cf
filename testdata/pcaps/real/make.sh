#!/usr/bin/env bash
# Makes the genuine captures of this folder anew: real Debian 12 servers and clients in network namespaces of their own.
#
#   make.sh [SCENE...]        as root; without arguments every scene; captures are written beside this script
#
# Debian packages are installed, and stay; their daemons are not started. Then the script runs itself again in a PID and
# a mount namespace: processes, network namespaces and scratch files all end with it, however it ends. A scene takes
# 5 to 20 s, all of them 5 minutes; after 20 minutes the run is stopped. Each capture made is printed as a row for the
# README one folder up.
set -euo pipefail

# What the scenes need: installed, or only unpacked. The first are the lab's own.
server_packages=(ethtool iproute2 iputils-arping iputils-ping openssl tcpdump wireshark-common)
unpacked_packages=()

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lab.sh
source "$here/lab.sh"
for scenes in "$here"/scenes/*.sh; do
  # shellcheck source=/dev/null
  source "$scenes"
done

# outside SCENE...: installs the packages, and runs the rest in namespaces that die with it.
outside() {
  install_packages "${server_packages[@]}"
  FLOWVET_LAB=inside unshare --pid --mount --fork --kill-child --mount-proc -- timeout -k 20 1200 bash "$0" "$@" &
  local lab=$!
  trap 'kill -KILL "$lab"; exit 130' INT TERM
  wait "$lab"
}

# inside SCENE...: stages the scenes, each in a subshell; one that cannot be made does not keep the others from it.
inside() {
  local scene status failed=()
  mount -t tmpfs -o mode=755 none /var/tmp
  mount -t tmpfs -o mode=755 none /run
  unpack_packages "${unpacked_packages[@]}"
  build_network
  for scene in "$@"; do
    # Not "stage || …": after || the shell would go on after an error inside.
    set +e
    (set -e && stage "$scene")
    status=$?
    set -e
    [ "$status" = 0 ] || failed+=("$scene")
  done
  [ ${#failed[@]} -eq 0 ] || fail "not made: ${failed[*]}"
}

main() {
  [ "$(id -u)" = 0 ] || fail 'must run as root: it makes network namespaces'
  local scenes=("$@") scene
  [ $# -gt 0 ] || mapfile -t scenes < <(declare -F | sed -n 's/^declare -f scene_//p')
  for scene in "${scenes[@]}"; do
    declare -F "scene_$scene" >/dev/null || fail "no scene $scene"
  done
  if [ -z "${FLOWVET_LAB-}" ]; then
    outside "${scenes[@]}"
  else
    inside "${scenes[@]}"
  fi
}

main "$@"
