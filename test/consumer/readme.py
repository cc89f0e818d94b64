"""Takes the C program out of README.md, builds it against an installed tree and uses it.

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


def program():
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as readme:
        found = re.findall(r"^```c\n(.*?)^```$", readme.read(), re.S | re.M)
    programs = [text for text in found if "int main(" in text]
    assert len(programs) == 1, "README.md has %d programs" % len(programs)
    lines = [line for line in programs[0].splitlines() if line.strip()]
    assert len(lines) <= MAX_LINES, "the short program has %d lines" % len(lines)
    return programs[0]


def compile_program(prefix, folder):
    source = os.path.join(folder, "counter.c")
    with open(source, "w", encoding="utf-8") as out:
        out.write(program())
    packages = os.path.dirname(glob.glob(prefix + "/**/freshet.pc", recursive=True)[0])
    flags = subprocess.run(["pkg-config", "--static", "--cflags", "--libs", "freshet-h2o"], check=True,
                           env={**os.environ, "PKG_CONFIG_PATH": packages}, stdout=subprocess.PIPE, text=True)
    binary = os.path.join(folder, "counter")
    subprocess.run(["cc", "-Wall", "-Werror", "-o", binary, source, *shlex.split(flags.stdout)], check=True)
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


def main():
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        use(compile_program(sys.argv[1], folder), folder)


if __name__ == "__main__":
    main()
