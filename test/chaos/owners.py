"""Which process a connection on loopback comes from, as the kernel says. So one door can treat each differently.

sock_diag(7) tells the inode of one socket by its two ends; /proc/net/tcp would have to be read whole, which takes a
tenth of a second on a machine with many connections.
"""
import os
import socket
import struct

SOCK_DIAG, BY_FAMILY, REQUEST = 4, 20, 1
LOOPBACK = socket.inet_aton("127.0.0.1") + bytes(12)
HEADER = struct.Struct("=IHHII")
ANY_COOKIE = b"\xff" * 8
INODE_AT = HEADER.size + 68  # in struct inet_diag_msg


def inode_of(port, peer_port):
    """The socket that is bound to `port` and connected to `peer_port`; None if it is gone."""
    query = (struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xffffffff) +
             struct.pack("!HH", port, peer_port) + LOOPBACK + LOOPBACK + struct.pack("=I", 0) + ANY_COOKIE)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as kernel:
        kernel.send(HEADER.pack(HEADER.size + len(query), BY_FAMILY, REQUEST, 0, 0) + query)
        answer = kernel.recv(4096)
    if HEADER.unpack_from(answer)[1] != BY_FAMILY:
        return None
    return struct.unpack_from("=I", answer, INODE_AT)[0]


def has_open(pid, inode):
    wanted = "socket:[%d]" % inode
    folder = "/proc/%d/fd" % pid
    try:
        return any(os.readlink(os.path.join(folder, name)) == wanted for name in os.listdir(folder))
    except OSError:  # it has ended, or one of its files was closed meanwhile
        return False


def owner_of(port, peer_port, pids):
    """`pids`: names by process id, to which threads may add. None: it is none of these."""
    inode = inode_of(port, peer_port)
    if not inode:
        return None
    return next((name for pid, name in list(pids.items()) if has_open(pid, inode)), None)
