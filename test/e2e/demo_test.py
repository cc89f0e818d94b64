"""bridge/demo as a person or a script runs it (issue 2)."""
import os
import re
import signal
import subprocess

from support import TOP, deadline, main, request, test, until

DEMO = os.path.join(TOP, "bridge", "demo")


@test
def the_check_heals_and_ends_on_the_newest_count(_case):
    answer = subprocess.run([DEMO, "--check"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=deadline(30), check=False)
    print(answer.stdout[-3000:])
    assert answer.returncode == 0, "bridge/demo --check left with %d" % answer.returncode
    assert "median" in answer.stdout and "worst" in answer.stdout


@test
def the_demo_shows_two_urls_and_stops_all_of_it(case):
    process = case.run([DEMO])
    urls = until(lambda: two(re.findall(r"http://127\.0\.0\.1:(\d+)", process.log())), 20, "two URLs")
    for port in urls:
        until(lambda: request(port, "GET", "/health/ready").status == 200, 3)
    assert request(urls[0], "POST", "/counter/increment").status == 200
    process.signal(signal.SIGINT)
    process.wait(5)
    for port in urls:
        until(lambda: gone(port), what="port %d is closed" % port)


def two(ports):
    found = list(dict.fromkeys(int(port) for port in ports))
    return found[:2] if len(found) >= 2 else None


def gone(port):
    try:
        request(port, "GET", "/health/live")
    except ConnectionRefusedError:
        return True
    return False


if __name__ == "__main__":
    main()
