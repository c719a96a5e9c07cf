# shellcheck shell=bash
# What every site has: names, time, tickets, directories, mail, logs, monitoring.

server_packages+=(bind9 bind9-dnsutils krb5-kdc krb5-admin-server krb5-user slapd ldap-utils postfix swaks rsyslog
  bsdutils snmpd snmptrapd snmp openipmi ipmitool)
# chrony would put systemd-timesyncd off the machine.
unpacked_packages+=(chrony)

start_named() {
  cat >"$work/zone" <<'EOF'
@     3600 IN SOA dns-a.example.test. hostmaster.example.test. 1 3600 900 86400 3600
@     3600 IN NS  dns-a.example.test.
dns-a 3600 IN A   10.77.0.53
esx-b 3600 IN A   10.77.0.12
EOF
  cat >"$work/named.conf" <<EOF
options {
  directory "$work"; pid-file none; session-keyfile none; recursion no; dnssec-validation no; notify no;
  listen-on { any; }; listen-on-v6 { none; };
};
controls { };
zone "example.test" { type primary; file "zone"; };
EOF
  serve named -f -c "$work/named.conf"
  await udp 53
  await tcp 53
}

scene_dns-udp() {
  made_with bind9 bind9-dnsutils
  cast esx-a dns-a
  start_named
  record dumpcap -f 'udp port 53'
  play dig +tries=1 @10.77.0.53 esx-b.example.test
}

scene_dns-tcp() {
  made_with bind9 bind9-dnsutils
  cast esx-a dns-a
  start_named
  record tcpdump --time-stamp-precision=nano
  play dig +tcp +tries=1 @10.77.0.53 example.test AXFR
}

scene_dns-snap64() {
  made_with bind9 bind9-dnsutils
  cast vcenter-a dns-a
  start_named
  record tcpdump -s 64
  play dig +tries=1 @10.77.0.53 esx-b.example.test
}

# start_kdc LIMIT: requests longer than LIMIT bytes go by TCP.
start_kdc() {
  cat >"$work/krb5.conf" <<EOF
[libdefaults]
  default_realm = EXAMPLE.TEST
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  udp_preference_limit = $1
[realms]
  EXAMPLE.TEST = {
    kdc = 10.77.0.88
  }
EOF
  cat >"$work/kdc.conf" <<EOF
[kdcdefaults]
  kdc_listen = 10.77.0.88:88
  kdc_tcp_listen = 10.77.0.88:88
[realms]
  EXAMPLE.TEST = {
    database_name = $work/principal
    key_stash_file = $work/stash
    acl_file = $work/kadm5.acl
  }
EOF
  local settings=(env "KRB5_CONFIG=$work/krb5.conf" "KRB5_KDC_PROFILE=$work/kdc.conf")
  "${settings[@]}" kdb5_util create -s -r EXAMPLE.TEST -P master >>"$work/server.log" 2>&1
  "${settings[@]}" kadmin.local -q 'addprinc -pw ticket host-agent' >>"$work/server.log" 2>&1
  serve "${settings[@]}" krb5kdc -n
  await udp 88
}

log_on() {
  play env "KRB5_CONFIG=$work/krb5.conf" bash -c 'echo ticket | kinit host-agent'
}

scene_kerberos-tcp() {
  made_with krb5-kdc krb5-user
  cast esx-a ad-a
  start_kdc 1
  record dumpcap
  log_on
}

scene_kerberos-udp() {
  made_with krb5-kdc krb5-user
  cast vcenter-a ad-a
  start_kdc 1465
  record tcpdump
  log_on
}

scene_kerberos-udp-esx() {
  made_with krb5-kdc krb5-user
  cast esx-a ad-a
  start_kdc 1465
  record tcpdump
  log_on
}

start_slapd() {
  certificate ldap-a
  mkdir -p "$work/directory"
  cat >"$work/slapd.conf" <<EOF
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile $work/cert.pem
TLSCertificateKeyFile $work/key.pem
database mdb
maxsize 1048576
suffix "dc=example,dc=test"
directory $work/directory
EOF
  slapadd -q -f "$work/slapd.conf" >>"$work/server.log" 2>&1 <<'EOF'
dn: dc=example,dc=test
objectClass: dcObject
objectClass: organization
dc: example
o: Example
EOF
  serve slapd -d 0 -h 'ldap:/// ldaps:///' -f "$work/slapd.conf"
  await tcp 389
  await tcp 636
}

scene_ldap() {
  made_with slapd ldap-utils
  cast esx-a ldap-a
  start_slapd
  record dumpcap
  play ldapsearch -x -LLL -H ldap://ldap-a -b dc=example,dc=test -s base
}

scene_ldaps() {
  made_with slapd ldap-utils
  cast lab-manager-a ldap-a
  start_slapd
  record tcpdump
  play env LDAPTLS_REQCERT=never ldapsearch -x -LLL -H ldaps://ldap-a -b dc=example,dc=test -s base
}

start_chronyd() {
  cat >"$work/chrony.conf" <<EOF
local stratum 8
allow 10.77.0.0/24
cmdport 0
bindcmdaddress /
driftfile $work/drift
pidfile /run/chronyd.pid
EOF
  serve "$scratch/unpacked/usr/sbin/chronyd" -d -x -u root -f "$work/chrony.conf"
  await udp 123
}

# ask_time DIRECTIVE...: measures the offset and never sets the clock (-Q).
ask_time() {
  play "$scratch/unpacked/usr/sbin/chronyd" -Q -t 20 -u root "server ntp-a iburst maxsamples 2" 'pidfile /run/client.pid' \
    'cmdport 0' 'bindcmdaddress /' "$@"
}

scene_ntp() {
  made_with chrony
  cast esxi-a ntp-a
  start_chronyd
  record tcpdump
  ask_time
}

# Both ends use port 123, as the daemons of the day did.
scene_ntp-symmetric() {
  made_with chrony
  cast esx-a ntp-a
  start_chronyd
  record dumpcap
  ask_time 'acquisitionport 123'
}

scene_smtp() {
  made_with postfix swaks
  cast vcenter-a smtp-a
  mkdir -p "$work/mail" "$work/queue" "$work/data"
  chown postfix "$work/data"
  cp /etc/postfix/postfix-files /etc/postfix/post-install /etc/postfix/postfix-script "$work/mail/" 2>/dev/null || true
  cp /usr/share/postfix/master.cf.dist "$work/mail/master.cf"
  sed -i -E 's/^([a-z]+ +(inet|unix|unix-dgram|fifo) +[-yn]) +- +[-yn]/\1 - n/' "$work/mail/master.cf"
  cat >"$work/mail/main.cf" <<EOF
compatibility_level = 3.6
queue_directory = $work/queue
data_directory = $work/data
myhostname = smtp-a.example.test
mydestination =
mynetworks = 10.77.0.0/24
inet_protocols = ipv4
default_transport = discard
smtpd_relay_restrictions = permit_mynetworks, reject
smtputf8_enable = no
disable_dns_lookups = yes
alias_maps =
maillog_file = /dev/stdout
EOF
  serve postfix -c "$work/mail" start-fg
  await tcp 25
  record dumpcap
  play swaks --server smtp-a --ehlo vcenter-a --from vcenter@example.test --to operator@example.test \
    --header 'Subject: alarm' --body 'esx-b does not answer' --suppress-data
}

start_syslogd() {
  cat >"$work/rsyslog.conf" <<EOF
module(load="imudp")
module(load="imtcp")
input(type="imudp" port="514")
input(type="imtcp" port="514")
*.* action(type="omfile" file="$work/messages")
EOF
  serve rsyslogd -n -i /run/rsyslogd.pid -f "$work/rsyslog.conf"
  await udp 514
  await tcp 514
}

scene_syslog-udp() {
  made_with rsyslog bsdutils
  cast esx-a syslog-a
  start_syslogd
  record tcpdump
  play logger -n syslog-a -P 514 -d -t hostd 'a line from a host'
}

scene_syslog-tcp() {
  made_with rsyslog bsdutils
  cast esx-a syslog-a
  start_syslogd
  record tcpdump
  play logger -n syslog-a -P 514 -T -t hostd 'a line from a host'
}

# One datagram of 4,000 bytes: three fragments, of which the first has the ports.
scene_syslog-fragments() {
  made_with rsyslog bsdutils
  cast esx-a syslog-a
  start_syslogd
  record dumpcap
  play logger -n syslog-a -P 514 -d -S 4000 -t hostd "$(printf 'long%.0s' {1..1000})"
}

scene_snmp() {
  made_with snmpd snmp
  cast snmp-a esx-a
  echo 'rocommunity public' >"$work/snmpd.conf"
  serve env "SNMP_PERSISTENT_DIR=$work" snmpd -f -Lo -C -c "$work/snmpd.conf" udp:161
  await udp 161
  record tcpdump -s 96
  play env "SNMP_PERSISTENT_DIR=$work" snmpget -m '' -v 2c -c public esx-a .1.3.6.1.2.1.1.3.0
}

scene_snmp-trap() {
  made_with snmptrapd snmp
  cast esx-a snmp-a
  echo 'authCommunity log public' >"$work/snmptrapd.conf"
  serve env "SNMP_PERSISTENT_DIR=$work" snmptrapd -f -Lo -C -c "$work/snmptrapd.conf" udp:162
  await udp 162
  record dumpcap
  play env "SNMP_PERSISTENT_DIR=$work" snmptrap -m '' -v 2c -c public snmp-a '' .1.3.6.1.6.3.1.1.5.3
}

scene_ipmi() {
  made_with openipmi ipmitool
  cast vcenter-a esx-a
  mkdir -p "$work/state"
  cat >"$work/lan.conf" <<EOF
name "esx-a"
set_working_mc 0x20
  startlan 1
    addr 0.0.0.0 623
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  user 1 true "" "test" user 10 none md2 md5 straight
  user 2 true "operator" "test" admin 10 none md2 md5 straight
EOF
  echo 'mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20' >"$work/commands.emu"
  serve ipmi_sim -n -c "$work/lan.conf" -f "$work/commands.emu" -s "$work/state"
  await udp 623
  record tcpdump
  play ipmitool -I lan -H esx-a -U operator -P test -A MD5 mc info
}
