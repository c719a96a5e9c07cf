# shellcheck shell=bash
# People at machines: shells, files, screens.

server_packages+=(openssh-server openssh-client vsftpd curl inetutils-inetd inetutils-telnetd inetutils-telnet
  x11vnc xvfb vncsnapshot xrdp freerdp2-x11)

# start_sshd: with a host key and one user's key of the scene.
start_sshd() {
  ssh-keygen -q -t ed25519 -N '' -C scene -f "$work/host_key"
  ssh-keygen -q -t ed25519 -N '' -C scene -f "$work/user_key"
  cat >"$work/sshd_config" <<EOF
HostKey $work/host_key
AuthorizedKeysFile $work/user_key.pub
StrictModes no
PermitRootLogin yes
EOF
  serve bash -c 'mkdir /run/sshd && exec /usr/sbin/sshd -D -e -f "$1"' sshd "$work/sshd_config"
  await tcp 22
}

# ssh_to HOST: one command by ssh.
ssh_to() {
  play ssh -F none -i "$work/user_key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "root@$1" true
}

scene_ssh() {
  made_with openssh-server openssh-client
  cast admin-pc esx-a
  start_sshd
  record tcpdump
  ssh_to esx-a
}

scene_ssh-ipv6() {
  made_with openssh-server openssh-client
  cast admin-pc esx-a
  cast_ipv6
  start_sshd
  record dumpcap
  ssh_to fd77::b
}

# Every frame is seen where it enters the switch and where it leaves it, in Linux cooked mode.
scene_ssh-any() {
  made_with openssh-server openssh-client
  cast admin-pc esx-a
  start_sshd
  record tcpdump -i any
  ssh_to esx-a
}

start_ftpd() {
  mkdir -p "$work/pub" "$work/empty"
  printf 'a file\n' >"$work/pub/file.txt"
  cat >"$work/vsftpd.conf" <<EOF
listen=YES
anonymous_enable=YES
anon_root=$work/pub
secure_chroot_dir=$work/empty
connect_from_port_20=YES
background=NO
xferlog_enable=NO
EOF
  serve bash -c 'vsftpd "$1"; wait' ftp "$work/vsftpd.conf"
  await tcp 21
}

scene_ftp-active() {
  made_with vsftpd curl
  cast admin-pc esx-a
  start_ftpd
  record tcpdump
  play curl -sS --ftp-port - ftp://esx-a/file.txt
}

scene_ftp-passive() {
  made_with vsftpd curl
  cast admin-pc esx-a
  start_ftpd
  record dumpcap
  play curl -sS --disable-epsv ftp://esx-a/file.txt
}

scene_telnet() {
  made_with inetutils-telnetd inetutils-telnet
  cast admin-pc esx-a
  echo 'telnet stream tcp nowait root /usr/sbin/telnetd telnetd -h -E /bin/date' >"$work/inetd.conf"
  serve inetutils-inetd -d "$work/inetd.conf"
  await tcp 23
  record tcpdump
  play bash -c 'sleep 2 | telnet esx-a || true'
}

# start_screen COMMAND...: serves a command beside a small screen, which keeps the capture small.
start_screen() {
  serve bash -c 'Xvfb :1 -screen 0 64x48x8 -nolisten tcp & sleep 2; DISPLAY=:1 exec "$@"' screen "$@"
}

scene_vnc() {
  made_with x11vnc vncsnapshot
  cast esx-a esx-b
  start_screen x11vnc -rfbport 5900 -no6 -nopw -forever -desktop console -noxdamage
  await tcp 5900
  record dumpcap
  play vncsnapshot -quiet esx-b:0 "$work/screen.jpg"
}

scene_rdp() {
  made_with xrdp freerdp2-x11
  cast admin-pc desktop-a
  certificate desktop-a
  sed -e "s|^certificate=.*|certificate=$work/cert.pem|" -e "s|^key_file=.*|key_file=$work/key.pem|" \
    -e 's|^port=3389|port=tcp://0.0.0.0:3389|' /etc/xrdp/xrdp.ini >"$work/xrdp.ini"
  serve xrdp --nodaemon --config "$work/xrdp.ini"
  await tcp 3389
  record tcpdump -s 96
  play bash -c 'Xvfb :1 -nolisten tcp & sleep 2
    DISPLAY=:1 timeout 4 xfreerdp /v:desktop-a /u:nobody /p:nothing /size:320x240 /bpp:8 /cert:ignore || true'
}
