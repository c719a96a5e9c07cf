# shellcheck shell=bash
# Where machines lie: NFS, iSCSI, Windows file shares.

server_packages+=(rpcbind nfs-ganesha nfs-ganesha-vfs libnfs-utils tgt libiscsi-bin samba smbclient samba-common-bin)

start_nfs() {
  mkdir -p "$work/export"
  echo 'a file' >"$work/export/file.txt"
  cat >"$work/ganesha.conf" <<EOF
NFS_CORE_PARAM { Protocols = 3; Enable_NLM = false; Enable_RQUOTA = false; mount_path_pseudo = true; }
NFS_KRB5 { Active_krb5 = false; }
EXPORT {
  Export_Id = 1; Path = $work/export; Pseudo = /export; Access_Type = RO; Squash = None; SecType = sys;
  FSAL { Name = VFS; }
}
EOF
  serve bash -c 'mkdir -p /run/rpcbind /run/ganesha && rpcbind && exec ganesha.nfsd -F -f "$1" -L STDERR -p /run/ganesha/pid' \
    nfs "$work/ganesha.conf"
  await tcp 111
  await tcp 2049
}

# Port mapper, mount and NFS 3, all by TCP: the mount daemon's port is what the port mapper says.
scene_nfs-tcp() {
  made_with rpcbind nfs-ganesha libnfs-utils
  cast esx-a nfs-a
  start_nfs
  record tcpdump
  play nfs-ls nfs://10.77.0.49/export
}

# Port mapper and NFS by UDP: no call but the empty one.
scene_nfs-udp() {
  made_with rpcbind nfs-ganesha
  cast esx-a nfs-a
  start_nfs
  record dumpcap
  play rpcinfo -u nfs-a 100003 3
}

scene_iscsi() {
  made_with tgt libiscsi-bin
  cast esx-a san-a
  truncate -s 1M "$work/disk"
  serve bash -c 'tgtd -f & sleep 2
    tgtadm --lld iscsi --op new --mode target --tid 1 -T iqn.2015-10.test.example:disk
    tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b "$1"
    tgtadm --lld iscsi --op bind --mode target --tid 1 -I ALL
    wait' tgt "$work/disk"
  await tcp 3260
  sleep 2
  record dumpcap -s 96
  play iscsi-ls -i iqn.2015-10.test.example:esx-a -s iscsi://san-a
}

start_samba() {
  mkdir -p "$work/share" "$work/state"
  echo 'a file' >"$work/share/file.txt"
  cat >"$work/smb.conf" <<EOF
[global]
  netbios name = SMB-A
  workgroup = EXAMPLE
  interfaces = 10.77.0.139/24
  bind interfaces only = yes
  map to guest = Bad User
  disable spoolss = yes
  server services = smb
  private dir = $work/state
  lock directory = $work/state
  state directory = $work/state
  cache directory = $work/state
  pid directory = $work/state
  ncalrpc dir = $work/state/ncalrpc
  log file = $work/samba.log
[share]
  path = $work/share
  guest ok = yes
EOF
}

start_smbd() {
  start_samba
  serve smbd -F --no-process-group -s "$work/smb.conf"
  await tcp 445
  await tcp 139
}

scene_smb-445() {
  made_with samba smbclient
  cast esx-a smb-a
  start_smbd
  record dumpcap
  play smbclient -s /dev/null -N -p 445 //smb-a/share -c ls
}

scene_smb-139() {
  made_with samba smbclient
  cast esx-a smb-a
  start_smbd
  record tcpdump
  play smbclient -s /dev/null -N -p 139 -I 10.77.0.139 //SMB-A/share -c ls
}

start_nmbd() {
  start_samba
  serve bash -c 'mkdir -p /run/samba && exec nmbd -F --no-process-group -s "$1"' netbios "$work/smb.conf"
  await udp 137
  sleep 10 # nmbd claims its names before it answers for them
}

scene_netbios-query() {
  made_with samba samba-common-bin
  cast esx-a smb-a
  start_nmbd
  record tcpdump
  play nmblookup -s /dev/null -U 10.77.0.139 SMB-A
}

scene_netbios-broadcast() {
  made_with samba samba-common-bin
  cast esx-a smb-a
  start_nmbd
  record dumpcap
  play nmblookup -s /dev/null -B 10.77.0.255 SMB-A
}
