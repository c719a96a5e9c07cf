#!/bin/sh
# peers.sh: make the captures (once), run flowvet and its peers on them in turns, print the table and draw the figures.
#   bench/peers.sh                          everything: the numbers go to docs/performance.csv, the figures to docs/
#   MIB=64 PAIRS=3 bench/peers.sh -name flowvet     smaller files, fewer runs, some of the tools
#   DATA=/big/disk bench/peers.sh           where the captures go (default: a folder in the temporary directory)
#   FLOOR=/path/to/floor bench/peers.sh     a floor of another make, called as: floor flow2 FILE, floor mflow FILE
# Needs Go; of the peers (tcpdump, tshark, nfdump, softflowd, argus-server, zstd) those that are missing are left out.
set -eu
cd "$(dirname "$0")/.."
MIB=${MIB:-1024}
PAIRS=${PAIRS:-7}
DATA=${DATA:-${TMPDIR:-/tmp}/flowvet-bench-$MIB}
NUMBERS=${NUMBERS:-docs/performance.csv}
export OUT="$DATA/out" FLOWVET="$DATA/flowvet" BENCH="$DATA/bench"
mkdir -p "$OUT"
go build -o "$FLOWVET" ./cmd/flowvet
go build -o "$BENCH" ./bench
if [ -n "${FLOOR:-}" ]; then
	export FLOOR2="$FLOOR flow2" FLOOR1="$FLOOR mflow"
else
	export FLOOR2="$BENCH floor" FLOOR1="$BENCH floor"
fi
capture() { # FILE SHAPE MIB [FLOWS]
	[ -s "$DATA/$1" ] || "$BENCH" make "$2" $(($3 * 1048576)) ${4:+"$4"} "$DATA/$1"
}
capture bulk.pcap bulk "$MIB"
capture mixed.pcap mixed "$MIB"
capture small.pcap small $((MIB / 2))
for part in 64 128 256 512; do capture packets-$part.pcap mixed $((part * MIB / 1024)) 10000; done
for flows in 1000 100000 300000 1000000; do capture flows-$flows.pcap small $((MIB / 4)) $flows; done
command -v editcap >/dev/null && { [ -s "$DATA/mixed.pcapng" ] || editcap -F pcapng "$DATA/mixed.pcap" "$DATA/mixed.pcapng"; }
[ -s "$DATA/mixed.pcap.gz" ] || gzip -k -6 "$DATA/mixed.pcap"
command -v zstd >/dev/null && { [ -s "$DATA/mixed.pcap.zst" ] || zstd -q -k -3 "$DATA/mixed.pcap"; }
"$BENCH" race -pairs "$PAIRS" "$@" bench/tools.list "$DATA" "$NUMBERS"
"$BENCH" table "$NUMBERS"
"$BENCH" figures "$NUMBERS" docs
