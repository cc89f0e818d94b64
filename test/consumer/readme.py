"""Tries what README.md shows against an installed tree: builds the program and uses it, compiles every other piece
of C, has every piece of JavaScript parsed.

    readme.py PREFIX
"""
import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from support import TOP, Process, free_port, request, until  # noqa: E402
from streams import Stream  # noqa: E402

MAX_LINES = 35

# What stands around pieces of C: headers, and what they call of the reader's own.
AROUND = """#include <freshet/freshet.h>
#include <freshet/h2o.h>
#include <freshet/redis.h>
#include <h2o.h>
#include <stdio.h>
#include <stdlib.h>
char *read_board(struct freshet_span board_id);
bool find_user(struct freshet_span session, struct freshet_span *user);
"""


def sections():
    """The text under each heading of the second level."""
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as readme:
        return re.split(r"^## ", readme.read(), flags=re.M)


def blocks(text, language):
    """What is between fences of that language; none may go unseen."""
    found = re.findall(r"^```%s\n(.*?)^```$" % language, text, re.S | re.M)
    assert len(found) == len(re.findall(r"^ *```%s\b" % language, text, re.M)), "an odd fence of " + language
    return found


def program():
    programs = [text for section in sections() for text in blocks(section, "c") if "int main(" in text]
    assert len(programs) == 1, "README.md has %d programs" % len(programs)
    lines = [line for line in programs[0].splitlines() if line.strip()]
    assert len(lines) <= MAX_LINES, "the short program has %d lines" % len(lines)
    return programs[0]


def pieces():
    """The other blocks of C, those of a section together: each may use what stands before it."""
    for section in sections():
        found = [text for text in blocks(section, "c") if "int main(" not in text]
        if found:
            yield AROUND + "\n".join(found)


def compile_c(prefix, folder, name, text, parts, *more):
    """The path of what came out: a program, or with -c an object. Needs nothing but those parts of the library."""
    source = os.path.join(folder, name + ".c")
    with open(source, "w", encoding="utf-8") as out:
        out.write(text)
    packages = os.path.dirname(glob.glob(prefix + "/**/freshet.pc", recursive=True)[0])
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", *parts], check=True,
                           env={**os.environ, "PKG_CONFIG_PATH": packages}, stdout=subprocess.PIPE, text=True)
    binary = os.path.join(folder, name)
    subprocess.run(["cc", "-Wall", "-Werror", *more, "-o", binary, source, *shlex.split(flags.stdout)], check=True)
    os.environ["LD_LIBRARY_PATH"] = os.path.dirname(packages)
    return binary


def use(binary, folder):
    port = free_port()
    process = Process([binary, str(port)], os.path.join(folder, "log"))
    try:
        until(lambda: request(port, "GET", "/nothing").status == 404)
        streams = [Stream(port, "/live/counter").shows(0) for _ in range(3)]
        for count in (1, 2, 3):
            assert request(port, "POST", "/click").status in (200, 204)
            for stream in streams:
                stream.shows(count)
        assert process.running(), process.log()
    finally:
        process.kill()


def parse_javascript(folder):
    found = [text for section in sections() for text in blocks(section, "js")]
    assert len(found) > 1, found
    for number, text in enumerate(found):
        path = os.path.join(folder, "piece-%d.%s" % (number, "mjs" if "import " in text else "cjs"))
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        subprocess.run(["node", "--check", path], check=True)


def main():
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        use(compile_c(sys.argv[1], folder, "program", program(), ["freshet-h2o"]), folder)
        together = list(pieces())
        for number, text in enumerate(together):
            # Nobody calls what is only shown.
            compile_c(sys.argv[1], folder, "pieces-%d.o" % number, text, ["freshet-redis", "freshet-h2o"], "-c",
                      "-Wno-unused-function")
        assert len(together) > 1 and "FRESHET_CHANNEL(" in together[0], together
        parse_javascript(folder)


if __name__ == "__main__":
    main()
