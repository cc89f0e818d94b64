"""What goes wrong when, drawn from a seed: the same seed and topology give the same schedule."""
import collections
import itertools
import random

Item = collections.namedtuple("Item", "kind starts_s lasts_s seed")
# Nothing is published from `silent_at_s` on: what was newest then has to come through all that follows.
Round = collections.namedtuple("Round", "items silent_at_s")

LASTS_S = (0.2, 0.5, 1, 1.5, 2, 3, 7)  # half-open links are given up after 5 s
AT_ONCE = (1, 1, 2, 3, 4)
SPREAD_S = 2.0


def rounds(seed, kinds):
    """Without end. Each kind comes once before one comes again."""
    draw = random.Random(seed)
    deck = []
    while True:
        items = []
        for _ in range(draw.choice(AT_ONCE)):
            if not deck:
                deck = sorted(kinds)
                draw.shuffle(deck)
            starts_s = round(draw.uniform(0, SPREAD_S), 2) if items else 0.0
            items.append(Item(deck.pop(), starts_s, draw.choice(LASTS_S), draw.getrandbits(32)))
        yield Round(items, round(draw.uniform(draw.choice([0, 0.8]), 1) * lasts_s(items), 2))


def lasts_s(items):
    return max(item.starts_s + item.lasts_s for item in items)


def text(its):
    faults = ["%s at %.1f s for %.1f s" % (item.kind, item.starts_s, item.lasts_s) for item in its.items]
    return "%s; silent at %.1f s" % ("; ".join(faults), its.silent_at_s)


def first(seed, kinds, count):
    return list(itertools.islice(rounds(seed, kinds), count))
