"""The network between the processes of a run: each address that they know is a door of ours, and what goes through can
be held up, slowed down, cut and torn.

A *link* is one connection through a door, with an owner (who has opened it) and a node (whom the door leads to). A
*disturbance* touches some links, now and as long as it lasts; several add up.
"""
import asyncio
import contextlib
import socket
import struct

from owners import owner_of
from support import free_port

TO, FROM = "to the node", "from the node"
BOTH = (TO, FROM)
PIECE = 16384
NO_LINGER = struct.pack("ii", 1, 0)  # closing sends a reset


class Disturbance:
    """`nodes`, `owners`: names of those whose links it touches, None for all. `holds`: ways on which nothing gets
    through, as in a network that loses everything: what was sent comes when it is over. `refuses`: new connections."""

    def __init__(self, nodes=None, owners=None, holds=(), delay_s=0, bytes_per_s=None, refuses=False):
        self.nodes, self.owners, self.holds = nodes, owners, holds
        self.delay_s, self.bytes_per_s, self.refuses = delay_s, bytes_per_s, refuses

    def touches(self, link):
        return ((self.nodes is None or link.door.name in self.nodes) and
                (self.owners is None or link.owner in self.owners))


class Network:
    def __init__(self):
        self.pids = {}  # names of processes, by process id
        self.doors = []
        self.links = set()
        self.disturbances = []
        self.change = asyncio.Event()

    def address_of(self, port):
        """The port by which others are to know a server that listens on this one: a door is opened there."""
        return free_port()

    async def door(self, name, port, target):
        """Opens `port`; `target` is where it leads to, and may be changed."""
        door = Door(self, name, target)
        door.listener = await asyncio.start_server(door.admit, "127.0.0.1", port, limit=PIECE)
        self.doors.append(door)
        return door

    @contextlib.contextmanager
    def disturbed(self, disturbance):
        self.disturbances.append(disturbance)
        try:
            yield disturbance
        finally:
            self.disturbances.remove(disturbance)
            self.change.set()
            self.change = asyncio.Event()

    def touching(self, link):
        return [disturbance for disturbance in self.disturbances if disturbance.touches(link)]

    def touched(self, disturbance):
        return [link for link in self.links if disturbance.touches(link)]

    async def carry(self, link, ways, size):
        """Returns when so many bytes have got through."""
        while any(way in disturbance.holds for disturbance in self.touching(link) for way in ways):
            await self.change.wait()
        slow = self.touching(link)
        seconds = sum(disturbance.delay_s for disturbance in slow)
        seconds += sum(size / disturbance.bytes_per_s for disturbance in slow if disturbance.bytes_per_s)
        if seconds > 0:  # or until one of them is over: what is held back by it comes then
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.change.wait(), seconds)

    async def close(self):
        for door in self.doors:
            door.listener.close()
        self.disturbances.clear()
        self.change.set()
        while self.links:
            for link in list(self.links):
                link.reset()
            await asyncio.sleep(0.01)


class Door:
    def __init__(self, network, name, target):
        self.network, self.name, self.target = network, name, target
        self.listener = None

    async def admit(self, reader, writer):
        port, own_port = writer.get_extra_info("peername")[1], writer.get_extra_info("sockname")[1]
        link = Link(self, owner_of(port, own_port, self.network.pids), reader, writer)
        self.network.links.add(link)
        try:
            await link.run()
        finally:
            link.reset()
            self.network.links.discard(link)


class Link:
    def __init__(self, door, owner, reader, writer):
        self.door, self.owner = door, owner
        self.network = door.network
        self.client, self.node = (reader, writer), None
        self.forgotten = False
        self.ended = set()  # ways on which nothing comes any more

    async def run(self):
        if any(disturbance.refuses for disturbance in self.network.touching(self)):
            return
        await self.network.carry(self, BOTH, 0)  # a handshake needs both ways
        with contextlib.suppress(OSError):
            self.node = await asyncio.open_connection("127.0.0.1", self.door.target, limit=PIECE)
            await asyncio.gather(self.pump(TO, self.client[0], self.node[1]),
                                 self.pump(FROM, self.node[0], self.client[1]))

    async def pump(self, way, reader, writer):
        """Until `reader` ends, whose end is handed on. One whose node has forgotten it is never told."""
        try:
            while piece := await reader.read(PIECE):
                await self.network.carry(self, (way,), len(piece))
                if not self.forgotten and way not in self.ended:
                    writer.write(piece)
                    await writer.drain()
            if not self.forgotten:
                writer.write_eof()
        except OSError:
            if not (self.forgotten and way == FROM):
                self.reset()

    def reset(self):
        """Ends it for both sides at once, with what is on its way."""
        for end in (self.client, self.node):
            if end is not None and not end[1].transport.is_closing():
                end[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                end[1].transport.abort()

    def half_close(self, way):
        """One side sends no more; the other may."""
        self.ended.add(way)
        writer = self.client[1] if way == FROM else self.node and self.node[1]
        if writer and not writer.transport.is_closing():
            writer.write_eof()

    def forget(self):
        """The node loses it without a word, as when a machine dies: the client's side stands and is silent."""
        self.forgotten = True
        if self.node is not None:
            self.node[1].transport.abort()
