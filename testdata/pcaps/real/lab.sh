# shellcheck shell=bash
# The lab that make.sh stages its scenes in: two hosts, a switch between them, and a capture at a port of the switch.
#
#   [flowvet-initiator] eth0 ---- port1 [flowvet-switch: br0] port2 ---- eth0 [flowvet-responder]
#                                   ^ captures
#
# A scene casts the two hosts into roles (cast), starts a server on the responder (serve, await), a capture (record) and
# a client on the initiator (play). The driver stops the capture first, then the server.

initiator=flowvet-initiator
responder=flowvet-responder
switch=flowvet-switch
policy=/usr/sbin/policy-rc.d # asked by every package that would start its daemon

scratch=/var/tmp/lab # a private tmpfs
scene=      # the one on stage
work=       # its folder in scratch
capture=    # its file while it is written
recorder=   # its capture's process id
servers=()  # its servers' process ids
packages=() # its programs, as Debian packages

# The cast: the last number of 10.77.0.0/24 and of fd77::/64, and of the MAC address.
declare -A cast_number=(
  [router-a]=1 [vcenter-a]=5 [esx-a]=11 [esx-b]=12 [esxi-a]=13 [vco-a]=21 [lab-manager-a]=22 [view-a]=31 [security-a]=32
  [desktop-a]=33 [appspeed-a]=41 [probe-a]=42 [syslog-a]=14 [smtp-a]=25 [nfs-a]=49 [dns-a]=53 [pg-a]=54 [san-a]=60
  [ad-a]=88 [ntp-a]=123 [smb-a]=139 [snmp-a]=161 [ldap-a]=189 [mysql-a]=206 [admin-pc]=250
)

fail() {
  printf 'make.sh: %s\n' "$1" >&2
  exit 1
}

# install_packages PACKAGE...: from Debian, and what is there already stays as it is. A policy-rc.d of ours keeps the
# daemons from starting; one that exists is the machine's own and stays.
install_packages() {
  local said
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  said=$(apt update -q && apt install -y -q --no-install-recommends --no-upgrade "$@") ||
    fail "packages could not be installed: $(tail -n 20 <<<"$said")"
}

apt() { DEBIAN_FRONTEND=noninteractive timeout 600 apt-get "$@" 2>&1; }

# unpack_packages PACKAGE...: into the scratch folder, for what cannot be installed beside what the machine has.
unpack_packages() {
  mkdir -p "$scratch/unpacked"
  local said package
  said=$(cd "$scratch/unpacked" && apt download -q "$@") || fail "packages could not be downloaded: $said"
  for package in "$scratch/unpacked"/*.deb; do dpkg -x "$package" "$scratch/unpacked"; done
}

# build_network makes the three namespaces. Offloads are off, so that frames look as they would on a wire; IPv6 is off
# but where a scene asks for it (cast_ipv6).
build_network() {
  local ns port=0
  for ns in "$initiator" "$responder" "$switch"; do
    ip netns add "$ns"
    ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip -n "$ns" link set lo up
  done
  ip -n "$switch" link add br0 type bridge mcast_snooping 0
  ip -n "$switch" link set br0 up
  for ns in "$initiator" "$responder"; do
    port=$((port + 1))
    ip -n "$ns" link add eth0 type veth peer name "port$port" netns "$switch"
    ip -n "$switch" link set "port$port" master br0 up
  done
}

# offload on|off: whether the hosts leave segmentation and checksums to their cards, whose packets then show neither.
offload() {
  local ns
  for ns in "$initiator" "$responder"; do
    ip netns exec "$ns" ethtool -K eth0 tx "$1" tso "$1" gso "$1" gro "$1" >/dev/null
  done
}

# place NAMESPACE NAME: the host takes the name's MAC and address, and forgets its neighbours.
place() {
  local number=${cast_number[$2]}
  ip -n "$1" address flush dev eth0
  ip -n "$1" link set eth0 down
  ip -n "$1" link set eth0 address "$(printf '02:00:00:77:00:%02x' "$number")"
  ip -n "$1" link set eth0 up
  ip -n "$1" address add "10.77.0.$number/24" broadcast 10.77.0.255 dev eth0
}

# cast INITIATOR RESPONDER: who the two hosts are in this scene.
cast() {
  initiator_name=$1 responder_name=$2
  place "$initiator" "$1"
  place "$responder" "$2"
  offload off
}

# cast_ipv6 gives both hosts their IPv6 address too.
cast_ipv6() {
  local ns name
  for ns in "$initiator" "$responder"; do
    name=$initiator_name
    [ "$ns" = "$initiator" ] || name=$responder_name
    ip netns exec "$ns" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0
    ip -n "$ns" address add "fd77::$(printf '%x' "${cast_number[$name]}")/64" nodad dev eth0
  done
}

# on NAMESPACE NAME COMMAND...: runs a command on a host, under its name, with a private process tree, /run, /tmp,
# /var/log, hosts file and environment. No setting of the machine reaches a packet, and nothing survives the command.
#
# The tree dies with unshare (--kill-child), whatever happens to it. That is a signal which a process loses when it
# changes its user, as mariadbd does: so the first process of the tree is a shell that stays, not the command itself.
on() {
  local ns=$1 name=$2
  shift 2
  exec ip netns exec "$ns" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME="$work" USER=admin LOGNAME=admin \
    unshare --uts --mount --pid --fork --kill-child --mount-proc -- bash -c '
      set -e
      hostname "$0"
      mount --bind "$1" /etc/hosts
      for folder in /run /tmp /var/log; do mount -t tmpfs none "$folder"; done
      mkdir /var/log/samba
      shift
      cd /tmp
      status=0
      "$@" || status=$?
      exit "$status"' "$name" "$scratch/hosts" "$@"
}

# serve COMMAND...: runs a server on the responder until the scene ends. It must stay in the foreground.
serve() {
  (on "$responder" "$responder_name" "$@") >>"$work/server.log" 2>&1 </dev/null &
  servers+=($!)
}

# await tcp|udp PORT: until the responder listens there, 20 s at most.
await() {
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    [ -z "$(ip netns exec "$responder" ss -Hln "--$1" "sport = :$2")" ] || return 0
    sleep 0.2
  done
  tail -n 5 "$work"/*.log >&2
  fail "$scene: nobody listens at $2/$1"
}

# record tcpdump|dumpcap OPTION...: captures at port1 until the scene ends; -i OTHER instead of port1 where given.
record() {
  local tool=$1 said
  shift
  [[ " $* " == *' -i '* ]] || set -- -i port1 "$@"
  case $tool in
    tcpdump)
      capture=$scratch/$scene.pcap said='listening on'
      ip netns exec "$switch" tcpdump -Z root --immediate-mode -U -w "$capture" "$@" 2>"$work/capture.log" &
      ;;
    dumpcap)
      capture=$scratch/$scene.pcapng said='File: '
      ip netns exec "$switch" dumpcap -q -w "$capture" "$@" 2>"$work/capture.log" &
      ;;
  esac
  recorder=$!
  local tries
  for ((tries = 0; tries < 50; tries++)); do
    grep -qs "$said" "$work/capture.log" && sleep 0.5 && return 0
    sleep 0.1
  done
  cat "$work/capture.log" >&2
  fail "$scene: the capture did not start"
}

# play COMMAND...: runs a client on the initiator, 30 s at most.
play() {
  local status=0
  (on "$initiator" "$initiator_name" timeout -k 2 30 "$@") >>"$work/client.log" 2>&1 </dev/null || status=$?
  [ "$status" = 0 ] || { tail -n 5 "$work"/*.log >&2; fail "$scene: status $status of $1"; }
}

# play_failing COMMAND...: the same, where failing is what the scene shows.
play_failing() {
  ! (on "$initiator" "$initiator_name" timeout -k 2 30 "$@") >>"$work/client.log" 2>&1 </dev/null ||
    fail "$scene: $1 did not fail"
}

# address_of NAME
address_of() { printf '10.77.0.%d' "${cast_number[$1]}"; }

# certificate NAME: a key and a self-signed certificate in the scene's folder.
certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=$1" \
    -addext "subjectAltName=DNS:$1" -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
}

# made_with PACKAGE...: what README.md names as the scene's programs.
made_with() { packages=("$@"); }

# stage SCENE: makes one capture, in a subshell of its own.
stage() {
  scene=$1 work=$scratch/$1
  mkdir -p "$work"
  write_hosts
  trap stop_all EXIT
  "scene_$scene"
  sleep 1.5
  stop_recording
  keep_capture
}

write_hosts() {
  local name
  printf '127.0.0.1 localhost\n' >"$scratch/hosts"
  for name in "${!cast_number[@]}"; do
    printf '%s %s\n' "$(address_of "$name")" "$name" >>"$scratch/hosts"
  done
}

stop_recording() {
  [ -n "$recorder" ] || return 0
  kill -INT "$recorder" 2>/dev/null || true
  wait "$recorder" 2>/dev/null || true
  recorder=
}

# stop_all ends what the scene started. Killing unshare ends the whole process tree of its namespace (--kill-child).
stop_all() {
  stop_recording
  local pid
  for pid in "${servers[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  ip -n "$responder" rule del priority 10 2>/dev/null || true
  local ns
  for ns in "$initiator" "$responder"; do
    ip -n "$ns" route flush root 10.77.1.0/24 2>/dev/null || true
    ip netns exec "$ns" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1 net.ipv4.ip_forward=0
    ip -n "$ns" address flush dev eth0
  done
}

# keep_capture moves the capture to its place and prints its row for README.md.
keep_capture() {
  local size name tool package versions=()
  name=$(basename "$capture")
  size=$(stat -c %s "$capture")
  [ "$size" -le 60000 ] || fail "$scene: $size bytes are more than a small capture has"
  [ "$(capinfos -MTrc "$capture" | cut -f 2)" -gt 0 ] || fail "$scene: no packet was captured"
  install -m 644 "$capture" "$here/$name"
  for package in "${packages[@]}"; do
    versions+=("$package $(version_of "$package")")
  done
  case $capture in
    *.pcapng) tool="dumpcap $(version_of wireshark-common)" ;;
    *) tool="tcpdump $(version_of tcpdump)" ;;
  esac
  printf '| `%s` | %s | %s | %s |\n' "$name" "$(join_by ', ' "${versions[@]}")" "$tool" "$(date -u +%F)"
}

join_by() {
  local separator=$1 first=${2-}
  shift 2 || return 0
  printf '%s' "$first" "${@/#/$separator}"
}

# version_of PACKAGE: Debian's version, of the installed or of the downloaded package.
version_of() {
  local downloaded=("$scratch/unpacked/$1"_*.deb)
  if [ -e "${downloaded[0]}" ]; then
    dpkg-deb -f "${downloaded[0]}" Version
  else
    dpkg-query -W -f '${Version}\n' "$1"
  fi
}
