#!/bin/sh
# live.sh: the processor time of a whole `flowvet live`, table, judgements and reports included, for PACKETS frames of 64 bytes of
# FLOWS flows that two threads of another process send through a veth as fast as they can: to a machine of the inventory, where each
# flow is a conversation, and between strangers. As root; needs Go, iproute2, time.
#   bench/live.sh                                10 M packets of 1 M flows
#   PACKETS=1000000 FLOWS=1048576 bench/live.sh  each packet begins a flow
#   TO="strangers" bench/live.sh                 only these
set -eu
cd "$(dirname "$0")/.."
PACKETS=${PACKETS:-10000000}
FLOWS=${FLOWS:-1048576}
TO=${TO:-machine strangers}
scratch=$(mktemp -d)
network=flowvet-bench-$$
trap 'ip netns delete "$network"; rm -rf "$scratch"' EXIT
go build -o "$scratch/flowvet" ./cmd/flowvet
go test -c -o "$scratch/sender" ./capture
inventory() { # of a vCenter with an address
	printf 'machines:\n  - {name: vcenter01, products: ["vCenter 4.1"], addresses: [{address: %s, plane: mgmt}]}\n' "$1"
}
inventory 10.255.0.1 >"$scratch/machine.yaml" # to which the sender sends
inventory 10.99.0.1 >"$scratch/strangers.yaml"
ip netns add "$network"
inside() { ip netns exec "$network" "$@"; }
inside ip link add mirror type veth peer name wire
for end in mirror wire; do inside ip link set "$end" addrgenmode none up; done
for to in $TO; do
	FLOWVET_TEST_SEND="$PACKETS $FLOWS" inside sh -c 'sleep 2; exec "$0" -test.run "^TestSendForABenchmark$"' "$scratch/sender" >/dev/null &
	status=0
	inside /usr/bin/time -o "$scratch/time" -f '%U %S %M' "$scratch/flowvet" live -i mirror --user root -a "packets:$PACKETS" \
		--inventory "$scratch/$to.yaml" >"$scratch/report" 2>"$scratch/log" || status=$?
	wait
	echo "to: $to"
	grep -E '^capture|dropped of' "$scratch/report" || cat "$scratch/log"
	awk -v n="$PACKETS" -v status="$status" '/^[0-9]/ { printf "%.2f s of processor time, %.2f for a million packets, %d MiB at most, exit %d\n", $1 + $2, ($1 + $2) * 1e6 / n, $3 / 1024, status }' "$scratch/time"
done
