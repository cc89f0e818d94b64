"""Typed messages between C and Python's msgpack, which knows nothing of declarations (contract 1.5)."""
import json
import os
import subprocess

import msgpack

from support import BUILD, deadline, main, test

PEER = os.path.join(BUILD, "test", "programs", "typed_peer")

KINDS = {"yes": True, "number": -2**63, "size": 2**64 - 1, "ratio": 0.1, "title": "h\u00e9 \U0001f30a \"\\\n",
         "blob": b"\x00\xff", "at": {"x": 1.5, "y": -2.0, "name": "here"}}
LISTS = {"answers": [True, False], "numbers": [-1, 2**40], "sizes": [2**64 - 1], "ratios": [0.1, 1e300, -0.5],
         "titles": ["a", "", "\u00e9" * 300], "blobs": [b"", b"\x01"],
         "lines": [{"colour": "red", "points": [{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0, "name": "n"}]},
                   {"colour": "blue", "points": []}]}


def peer(job, payload):
    return subprocess.run([PEER, job], input=payload, capture_output=True, check=False, timeout=deadline(1))


def shown(job, message, **options):
    answer = peer(job, msgpack.packb(message, **options))
    assert answer.returncode == 0, answer
    return json.loads(answer.stdout)


def again(job, message):
    answer = peer("again-" + job, msgpack.packb(message))
    assert answer.returncode == 0, answer
    return msgpack.unpackb(answer.stdout)


def refused(job, message):
    answer = peer(job, msgpack.packb(message))
    assert answer.returncode == 1 and not answer.stdout, answer
    return answer.stderr.decode()


@test
def c_reads_every_kind_that_python_writes(_):
    wanted = {**KINDS, "blob": "00ff"}
    assert shown("kinds", KINDS) == wanted
    assert shown("kinds", KINDS, use_single_float=False) == wanted
    # Keys in another order, and more of them.
    assert shown("kinds", dict(reversed(KINDS.items()), later={"a": [1, None]})) == wanted


@test
def c_reads_floats_of_either_width_and_integers_for_them(_):
    assert shown("kinds", {**KINDS, "ratio": 0.25}, use_single_float=True)["ratio"] == 0.25
    assert shown("kinds", {**KINDS, "ratio": 3})["ratio"] == 3.0
    assert shown("kinds", {**KINDS, "ratio": -3})["ratio"] == -3.0
    assert shown("lists", {**LISTS, "ratios": [1, 2.5, -7]})["ratios"] == [1.0, 2.5, -7.0]


@test
def c_reads_arrays_and_nested_messages(_):
    assert shown("lists", LISTS) == {key: LISTS[key] for key in ("titles", "ratios", "lines")}


@test
def absent_and_none_are_the_same_for_optional_fields(_):
    assert shown("maybe", {}) == {"present": 0}
    assert shown("maybe", {"number": None, "title": None, "numbers": None, "at": None}) == {"present": 0}
    assert shown("maybe", {"number": 5, "title": "t", "numbers": [1, 2, 3]}) == {
        "present": 3, "number": 5, "title": "t", "numbers": [1, 2, 3]}
    assert shown("maybe", {"numbers": []}) == {"present": 1, "numbers": []}


@test
def python_reads_what_c_writes(_):
    assert again("kinds", KINDS) == KINDS
    assert again("lists", LISTS) == LISTS
    maybe = {"yes": False, "number": -5, "size": 0, "ratio": 1e-300, "title": "", "blob": b"", "numbers": [1]}
    assert again("maybe", maybe) == maybe
    assert again("maybe", {"number": 5, "unknown": 1, "title": None}) == {"number": 5}


@test
def errors_name_the_field(_):
    without = {key: value for key, value in KINDS.items() if key != "title"}
    assert 'field "title": it is required and missing' in refused("kinds", without)
    assert 'field "at.y": it is required and missing' in refused("kinds", {**KINDS, "at": {"x": 1.0}})
    assert 'field "number": int64 expected, float found' in refused("kinds", {**KINDS, "number": 1.0})
    assert 'field "blob": bytes expected, text found' in refused("kinds", {**KINDS, "blob": "text"})
    assert 'field "titles[1]": text expected, bytes found' in refused("lists", {**LISTS, "titles": ["a", b"b"]})
    assert "map expected, array found" in refused("kinds", [1, 2])


if __name__ == "__main__":
    main()
