"""Event streams in gzip, taken apart by Python's zlib and by gzip, and compared with plain ones (contract 5.11)."""
import gzip
import json
import os
import subprocess
from urllib.parse import quote

from support import deadline, main, test, until
from streams import Crowd, Stream

GZIP = {"Accept-Encoding": "gzip"}
FIREFOX = "gzip, deflate, br, zstd"
WEBKIT_GTK = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Safari/605.1.15"
CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605"


def views_path(*views):
    return "/live?" + "&".join("v=" + quote("%s~%s" % view, safe="~") for view in views)


def fill(bridge, board, tasks):
    for number in range(tasks):
        bridge.add_task(board, "Look at number %d again, %d" % (number, number * 7919))


def shows_tasks(count, view=""):
    """Whether the newest snapshot of the board has so many; that of a view stands behind its version."""
    def holds(stream):
        boards = [event.data.split("\n")[-1] for event in stream.events if event.name == view]
        return boards and boards[-1].startswith("{") and len(json.loads(boards[-1])["tasks"]) == count
    return holds


def is_whole(stream):
    """That the body, as it was sent, is what gzip calls a whole file."""
    assert stream.gzip.eof and stream.gzip.unused_data == b""
    checked = subprocess.run(["gzip", "-t"], input=stream.body, timeout=deadline(3), capture_output=True)
    assert checked.returncode == 0 and checked.stderr == b"", checked
    return gzip.decompress(stream.body)


@test
def each_event_is_that_of_the_plain_stream(case):
    bridge = case.bridge("--threads", "1")
    fill(bridge, "b1", 30)
    paths = "/live/board/b1", "/live/counter", views_path(("/counter", ""), ("/board/b1", ""), ("/nothing", ""))
    pairs = [(Stream(bridge.port, path), Stream(bridge.port, path, GZIP)) for path in paths]
    for plain, packed in pairs:
        assert "content-encoding" not in plain.headers and plain.opened().headers["vary"] == "Accept-Encoding"
        assert packed.opened().headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == "Accept-Encoding"
    for number in range(31, 41):
        fill(bridge, "b1", 1)
        count = bridge.increment()
        for stream in pairs[0]:
            stream.until(shows_tasks(number), what="%d tasks" % number)
        for stream in pairs[1]:
            stream.shows(count)
        for stream in pairs[2]:
            stream.until(lambda s: any(e.name == "/counter" and e.data.endswith("\n%d" % count) for e in s.events))
            stream.until(shows_tasks(number, "/board/b1"), what="%d tasks" % number)
    bridge.stop()
    for plain, packed in pairs:
        plain.ends(), packed.ends()
        assert is_whole(packed).startswith(b": freshet 1 heartbeat=")
        # How a stream ends and of which snapshots it is told is a matter of time; what it is told is not.
        shown = {event for event in plain.events if event.name != "end"}
        assert shown >= {event for event in packed.events[-4:] if event.name != "end"}
        assert packed.end is not None and packed.errors == plain.errors == []
    for _, packed in pairs[0], pairs[2]:
        assert len(packed.body) * 3 < len(gzip.decompress(packed.body)), len(packed.body)


@test
def accept_encoding_decides(case):
    bridge = case.bridge("--threads", "1")
    for asked, packed in ((None, False), ("", False), ("gzip", True), (FIREFOX, True), ("GZIP;q=0.5", True),
                          ("x-gzip", True), ("*", True), ("*;q=0", False), ("gzip;q=0", False),
                          ("gzip; q=0.000, *", False), ("br", False), ("identity", False), ("identity, gzip", True),
                          ("identity;q=0.5, gzip;q=0.2", False), ("identity;q=0.2, gzip;q=0.5", True),
                          ("identity;q=0", False), ("identity, *;q=0.1", False), ("gzip;q=banana", True),
                          ("gzip;q=0.0000", False), ("gzip;q=0.0001", True), ("identity;q=0.2, gzip;q=0.1111", False),
                          (",, ;q=1,gzip;;q=0.5;q=", True), ("gzip;q=1;q=0", False), ("gzip;q=-1", True),
                          ("deflate, gzip;q=1.0, *;q=0.5", True)):
        stream = Stream(bridge.port, "/live/counter", None if asked is None else {"Accept-Encoding": asked})
        assert (stream.shows(0).headers.get("content-encoding") == "gzip") == packed, asked
        assert stream.headers["vary"] == "Accept-Encoding", asked
        stream.close()


@test
def a_page_can_ask_for_none(case):
    bridge = case.bridge("--threads", "1")
    for accept, packed in (("text/event-stream;gzip=0", False), ("text/event-stream; gzip=1", True),
                           ("text/event-stream;differences=1; GZIP = 0 ;q=1", False), ("text/html;gzip=0", True)):
        for path in "/live/counter", views_path(("/counter", "")):
            stream = Stream(bridge.port, path, {**GZIP, "Accept": accept}).opened()
            assert (stream.headers.get("content-encoding") == "gzip") == packed, accept
            stream.close()


@test
def agents_that_keep_events_back_get_them_plain(case):
    bridge = case.bridge("--threads", "1")
    for agent, packed in ((WEBKIT_GTK, False), (CHROMIUM, True), (SAFARI, True), ("curl/7.88.1", True)):
        stream = Stream(bridge.port, "/live/counter", {**GZIP, "User-Agent": agent}).shows(0)
        assert (stream.headers.get("content-encoding") == "gzip") == packed, agent
        stream.close()
    off = case.bridge("--gzip", "off", "--threads", "1")
    assert "content-encoding" not in Stream(off.port, "/live/counter", GZIP).shows(0).headers


@test
def http_1_0_has_the_same_without_chunks(case):
    bridge = case.bridge("--threads", "1")
    stream = Stream(bridge.port, "/live/counter", GZIP, version="1.0").shows(0)
    assert stream.headers["content-encoding"] == "gzip" and stream.chunks is None
    stream.shows(bridge.increment())
    bridge.stop()
    stream.ends()
    assert stream.end is not None and is_whole(stream)


@test
def what_curl_has_saved_is_a_gzip_file(case):
    bridge = case.bridge("--threads", "1")
    fill(bridge, "b1", 30)
    saved = os.path.join(case.folder, "saved.gz")
    curl = ["curl", "-sN", "http://127.0.0.1:%d/live/board/b1" % bridge.port]
    raw = case.run(curl + ["-H", "Accept-Encoding: gzip", "-o", saved])
    read = case.run(curl + ["--compressed"])
    until(lambda: "30 again" not in read.log() and "29 again" in read.log(), what="curl shows the board")
    fill(bridge, "b1", 1)
    until(lambda: read.log().count("29 again") > 1, what="curl shows it again")
    bridge.stop()
    assert raw.wait() == read.wait() == 0
    subprocess.run(["gzip", "-t", saved], check=True, timeout=deadline(3))
    assert gzip.open(saved).read().decode().count("29 again") >= 2


@test
def who_comes_back_with_what_it_has_is_told_so(case):
    bridge = case.bridge("--threads", "1")
    fill(bridge, "b1", 30)
    first = Stream(bridge.port, "/live/board/b1", GZIP).until(shows_tasks(30))
    version = first.events[-1].id
    first.close()
    again = Stream(bridge.port, "/live/board/b1", {**GZIP, "Last-Event-ID": version})
    again.until(lambda s: "unchanged" in s.comments)
    fill(bridge, "b1", 1)
    again.until(shows_tasks(31))
    assert len(again.events) == 1
    several = Stream(bridge.port, views_path(("/board/b1", version), ("/counter", "")), GZIP)
    several.until(lambda s: {e.name for e in s.events} == {"/board/b1", "/counter"})


@test
def who_reads_nothing_for_a_while_has_the_newest_afterwards(case):
    bridge = case.bridge("--threads", "1")
    fill(bridge, "b1", 200)
    views = views_path(("/board/b1", ""), ("/board/b2", ""))
    streams = [Stream(bridge.port, path, GZIP) for path in ("/live/board/b1", views)]
    plain = Stream(bridge.port, "/live/board/b1")
    for stream in streams:
        stream.opened()
    for number in range(200):
        fill(bridge, "b2" if number % 5 == 0 else "b1", 1)
        if number % 7 == 0:
            streams[1].read(0.01)
    for stream, view in zip(streams + [plain], ("", "/board/b1", "")):
        stream.until(shows_tasks(360, view), what="360 tasks")
    newest = [stream.events[-1] for stream in (streams[0], plain)]
    assert newest[0] == newest[1]


@test
def a_thousand_streams_cost_one_encoding_a_publish(case):
    bridge = case.bridge("--threads", "1")
    fill(bridge, "b1", 60)
    crowd = Crowd().open(1000, [bridge.port], "/live/board/b1", GZIP)
    crowd.until(lambda: all(p.newest and len(json.loads(p.newest)["tasks"]) == 60 for p in crowd.parsers()), 3)
    names = ["freshet_gzip_%s" % name for name in ("deflated_total", "continued_total", "in_bytes_total",
                                                  "out_bytes_total")]
    before = [bridge.metric(name) for name in names]
    for number in range(61, 71):
        fill(bridge, "b1", 1)
        crowd.until(lambda: all(len(json.loads(p.newest)["tasks"]) == number for p in crowd.parsers()), 3)
    alone, continued, content, sent = [bridge.metric(name) - value for name, value in zip(names, before)]
    assert (alone, continued) == (0, 10), (alone, continued)
    assert content >= 10 * 1000 * 4000 and sent * 10 < content, (content, sent)
    assert bridge.metric("freshet_streams_gzip_total") == 1000
    crowd.close()


if __name__ == "__main__":
    main()
