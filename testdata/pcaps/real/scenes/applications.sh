# shellcheck shell=bash
# What runs on the machines: web pages, databases, tunnels.

server_packages+=(postgresql-15 mariadb-server mariadb-client tomcat10 apache2 libapache2-mod-jk openvpn)

# start_https PORT: pages of the scene's folder "pages".
start_https() {
  certificate vcenter-a
  mkdir -p "$work/pages"
  echo '<title>vcenter-a</title>' >"$work/pages/index.html"
  head -c 30000 /dev/zero >"$work/pages/large"
  serve bash -c 'cd "$1" && exec openssl s_server -quiet -4 -accept "$2" -cert "$3" -key "$4" -WWW' \
    https "$work/pages" "$1" "$work/cert.pem" "$work/key.pem"
  await tcp "$1"
}

# get URL: s_server ends a page without TLS's good-bye, which curl calls an error after the fact.
get() {
  play bash -c 'curl -sk -o /dev/null "$1" || [ $? = 56 ]' get "$1"
}

scene_https() {
  made_with openssl curl
  cast admin-pc vcenter-a
  start_https 443
  record tcpdump
  get https://vcenter-a/index.html
}

scene_https-8443() {
  made_with openssl curl
  cast admin-pc vcenter-a
  start_https 8443
  record dumpcap -f 'tcp port 8443'
  get https://vcenter-a:8443/index.html
}

scene_https-snap64() {
  made_with openssl curl
  cast admin-pc vcenter-a
  start_https 443
  record tcpdump -s 64
  get https://vcenter-a/index.html
}

# Two ports of the switch in one file: every frame is there twice.
scene_https-two-ports() {
  made_with openssl curl
  cast admin-pc vcenter-a
  start_https 443
  record dumpcap -i port1 -i port2
  get https://vcenter-a/index.html
}

# The hosts leave segments and checksums to their cards: frames of many times the MTU.
scene_https-offload() {
  made_with openssl curl
  cast vcenter-a esx-a
  offload on
  start_https 443
  record tcpdump -s 96
  get https://esx-a/large
}

scene_postgres() {
  made_with postgresql-15
  cast vco-a pg-a
  local bin=/usr/lib/postgresql/15/bin
  install -d -o postgres "$work/db" "$work/socket"
  chmod 711 "$work"
  runuser -u postgres -- "$bin/initdb" -D "$work/db" -A trust >>"$work/server.log" 2>&1
  echo 'host all all 10.77.0.0/24 trust' >>"$work/db/pg_hba.conf"
  serve setpriv --reuid postgres --regid postgres --clear-groups \
    "$bin/postgres" -D "$work/db" -c 'listen_addresses=*' -c "unix_socket_directories=$work/socket"
  await tcp 5432
  record dumpcap
  play psql -w -h pg-a -U postgres -c 'select 1'
}

scene_mariadb() {
  made_with mariadb-server mariadb-client
  cast vco-a mysql-a
  mkdir -p "$work/db"
  mariadb-install-db --no-defaults --user=mysql --datadir="$work/db" --skip-test-db >>"$work/server.log" 2>&1
  echo "create user vco@'%';" >"$work/init.sql"
  serve mariadbd --no-defaults --user=mysql --datadir="$work/db" --socket="$work/db/socket" --skip-name-resolve \
    --init-file="$work/init.sql" --innodb-log-file-size=8M
  await tcp 3306
  record tcpdump
  play mariadb --no-defaults -h mysql-a -u vco -e 'select 1'
}

scene_ajp() {
  made_with tomcat10 apache2 libapache2-mod-jk
  cast security-a view-a
  mkdir -p "$work/tomcat/conf" "$work/tomcat/webapps/ROOT" "$work/tomcat/temp" "$work/tomcat/logs" "$work/logs"
  echo 'view-a' >"$work/tomcat/webapps/ROOT/index.html"
  cat >"$work/tomcat/conf/server.xml" <<'EOF'
<Server port="-1"><Service name="Catalina">
  <Connector protocol="AJP/1.3" address="0.0.0.0" port="8009" secretRequired="false"/>
  <Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine>
</Service></Server>
EOF
  cp /etc/tomcat10/web.xml "$work/tomcat/conf/web.xml"
  cat >"$work/workers" <<'EOF'
worker.list=view
worker.view.type=ajp13
worker.view.host=10.77.0.31
worker.view.port=8009
EOF
  cat >"$work/apache.conf" <<EOF
ServerName security-a
Listen 127.0.0.1:8080
PidFile /run/apache.pid
ErrorLog $work/logs/error
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule jk_module /usr/lib/apache2/modules/mod_jk.so
JkWorkersFile $work/workers
JkLogFile $work/logs/jk
JkShmFile $work/logs/shm
JkMount /* view
EOF
  serve env "CATALINA_BASE=$work/tomcat" CATALINA_HOME=/usr/share/tomcat10 "JAVA_HOME=$(java_home)" \
    /usr/share/tomcat10/bin/catalina.sh run
  await tcp 8009
  record tcpdump
  play bash -c 'apache2 -f "$1" -k start; sleep 2; curl -sS --retry 3 --retry-connrefused http://127.0.0.1:8080/index.html' \
    ajp "$work/apache.conf"
}

java_home() { dirname "$(dirname "$(readlink -f "$(command -v java)")")"; }

# tunnel SERVER_PROTOCOL CLIENT_PROTOCOL: one ping through a tunnel by certificate.
tunnel() {
  certificate peer
  local common=(--dev tun --persist-tun --verb 1 --dh none --ca "$work/cert.pem" --cert "$work/cert.pem" --key "$work/key.pem"
    --cipher AES-256-GCM --ping 0)
  serve openvpn "${common[@]}" --ifconfig 10.78.0.1 10.78.0.2 --tls-server --proto "$1" --port 1194
  await "${1:0:3}" 1194
  record "$3"
  play bash -c 'openvpn "$@" & for try in {1..40}; do ping -c 1 -W 1 10.78.0.1 && exit 0; sleep 0.5; done; exit 1' \
    tunnel "${common[@]}" --ifconfig 10.78.0.2 10.78.0.1 --tls-client --proto "$2" --remote probe-a 1194
}

scene_openvpn-udp() {
  made_with openvpn
  cast appspeed-a probe-a
  tunnel udp4 udp4 dumpcap
}

scene_openvpn-tcp() {
  made_with openvpn
  cast appspeed-a probe-a
  tunnel tcp4-server tcp4-client tcpdump
}
