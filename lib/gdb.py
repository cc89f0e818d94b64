"""Shows spans, lists and maps of freshet in gdb.

    (gdb) source lib/gdb.py
    (gdb) print feed->key->topic                     $1 = "board/b1"
    (gdb) print worker->feeds                        $2 = map of 1 = {["..."] = 0x5555...}
    (gdb) print feed->fanouts                        $3 = list of 1
    (gdb) freshet-each worker->feeds fr_feed node    each feed of the map, in full
    (gdb) freshet-each feed->fanouts fr_fanout in_feed

The head of a list and the links embedded in what is in it are of one type: each says how many others there are.
"""
import gdb
import gdb.printing

MOST = 10000  # nodes that are visited of one list: what is broken may have no end


def nodes_of_list(head):
    """The addresses of all nodes of the ring but `head`."""
    node = head['next']
    for _ in range(MOST):
        if node == 0 or node == head.address:
            return
        yield node
        node = node.dereference()['next']


def nodes_of_map(table):
    for i in range(int(table['bucket_count'])):
        node = table['buckets'][i]
        while node != 0:
            yield node
            node = node.dereference()['next']


class Span:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        length = int(self.value['len'])
        return self.value['data'].string('utf-8', 'backslashreplace', length) if length > 0 else ''

    def display_hint(self):
        return 'string'


class List:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        if self.value['next'] == 0:
            return 'list that is not initialized'
        return f'list of {sum(1 for _ in nodes_of_list(self.value))}'


class Map:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return f'map of {int(self.value["count"])}'

    def children(self):
        for i, node in enumerate(nodes_of_map(self.value)):
            yield f'key {i}', node.dereference()['key']
            yield f'node {i}', node

    def display_hint(self):
        return 'map'


class Each(gdb.Command):
    """freshet-each LIST-OR-MAP STRUCT MEMBER: prints each struct whose MEMBER is a node of it."""

    def __init__(self):
        super().__init__('freshet-each', gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        if len(argument.split()) < 3:
            raise gdb.GdbError('It takes three arguments: freshet-each LIST-OR-MAP STRUCT MEMBER')
        expression, struct, member = argument.rsplit(None, 2)
        value, kind = gdb.parse_and_eval(expression), gdb.lookup_type(f'struct {struct}')
        nodes = nodes_of_map if value.type.strip_typedefs().tag == 'fr_map' else nodes_of_list
        for node in nodes(value):
            address = int(node) - kind[member].bitpos // 8
            print(f'({kind} *) {address:#x} =', gdb.Value(address).cast(kind.pointer()).dereference())


printers = gdb.printing.RegexpCollectionPrettyPrinter('freshet')
printers.add_printer('span', '^freshet_span$', Span)
printers.add_printer('list', '^fr_list$', List)
printers.add_printer('map', '^fr_map$', Map)
gdb.printing.register_pretty_printer(None, printers, replace=True)
Each()
