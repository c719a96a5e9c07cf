#!/usr/bin/env bash
# Makes the export datagrams of this folder: softflowd 1.1.0 reads the made capture of esx-4.x and sends what it counted to a port
# of this machine, where tcpdump takes it. Needs softflowd and tcpdump, and to be root. Its clock and that of the capture differ,
# and version 5 and 9 count milliseconds since the first packet in 32 bits: the times are not those of the capture.
set -euo pipefail
cd "$(dirname "$0")"
port=4739
for version in netflow5:5 netflow9:9 ipfix:10; do
  tcpdump -i lo -U -w "${version%:*}.pcap" "udp dst port $port" 2>/dev/null &
  sleep 1
  softflowd -d -r ../esx-4.x/capture.pcap -n 127.0.0.1:$port -v "${version#*:}" >/dev/null 2>&1
  sleep 1
  kill $!
  wait $! || true
done
