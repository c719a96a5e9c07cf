# shellcheck shell=bash
# What is not an answer: refusals, silence, and talk below TCP and UDP.

server_packages+=(curl iputils-arping)

# wait_for_nothing COMMAND...: lets the time pass in which an answer may still come (10 s), and then runs a command
# whose frames show that the capture lasted until then.
wait_for_nothing() {
  sleep 11
  play "$@"
}

scene_udp-closed() {
  made_with bash
  cast esx-a vcenter-a
  record tcpdump
  play bash -c 'echo heartbeat >/dev/udp/vcenter-a/902'
}

scene_tcp-refused() {
  made_with curl
  cast vcenter-a esx-a
  record dumpcap
  play_failing curl -s https://esx-a:5989/
}

# The responder's refusal is dropped before it leaves, as a firewall would; its ping answers.
scene_tcp-filtered() {
  made_with curl
  cast vcenter-a esx-a
  ip -n "$responder" rule add priority 10 ipproto tcp sport 5989 blackhole
  record tcpdump
  play_failing curl -s -m 2 https://esx-a:5989/
  wait_for_nothing ping -c 1 esx-a
}

# A neighbour entry for a host that is not there: nothing comes back at all.
scene_tcp-nobody() {
  made_with curl
  cast vcenter-a esx-a
  ip -n "$initiator" neighbour add "$(address_of esx-b)" lladdr 02:00:00:77:00:0c nud permanent dev eth0
  record dumpcap
  play_failing curl -s -m 2 https://esx-b:5989/
  wait_for_nothing arping -c 1 -I eth0 esx-a
}

# refuse_beyond ROUTE_TYPE: the responder is a router, and refuses what lies beyond it (10.77.1.13, esx-c).
refuse_beyond() {
  made_with curl
  cast vcenter-a router-a
  ip netns exec "$responder" sysctl -qw net.ipv4.ip_forward=1
  ip -n "$responder" route add "$1" 10.77.1.13
  ip -n "$initiator" route add 10.77.1.0/24 via "$(address_of router-a)"
  record tcpdump
  play_failing curl -s -m 4 https://10.77.1.13:5989/
}

scene_icmp-admin() { refuse_beyond prohibit; }
scene_icmp-host() { refuse_beyond unreachable; }

scene_arp-ping() {
  made_with iputils-ping iputils-arping
  cast esx-a esx-b
  record dumpcap
  play arping -c 2 -I eth0 esx-b
  play ping -c 2 esx-b
}
