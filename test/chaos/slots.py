"""Slots of a cluster, the partitions that topics are put into (contract 7.9), and who owns what."""
import binascii

SLOTS, PARTITIONS = 16384, 256


def slot_of(text):
    return binascii.crc_hqx(text.encode(), 0) % SLOTS


def partition_tags():
    """For each partition the smallest number whose slot is in it (contract 7.9)."""
    tags, number = {}, 0
    while len(tags) < PARTITIONS:
        tags.setdefault(slot_of(str(number)) * PARTITIONS // SLOTS, number)
        number += 1
    return tags


TAGS = partition_tags()


def tag_of(topic):
    return str(TAGS[slot_of(topic) * PARTITIONS // SLOTS])


def channel_of(topic):
    return "freshet:{%s}%s" % (tag_of(topic), topic)


def owners_of(view):
    """For each slot the port of its owner, None if it has none."""
    owners = [None] * SLOTS
    for first, last, port in view:
        owners[first:last + 1] = [port] * (last - first + 1)
    return owners
