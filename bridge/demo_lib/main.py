"""What bridge/demo runs once it has built: main.py BRIDGE [--check]. Without --check, for a person."""
import contextlib
import signal
import sys
import tempfile

from check import check
from live import Live
from programs import Programs
from wire import free_port

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ignore_signals():
    """What was started has to be ended, however impatient somebody is."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def main():
    bridge, *options = sys.argv[1:]
    sys.stdout.reconfigure(line_buffering=True)
    for number in ENDING:
        signal.signal(number, lambda *_, number=number: sys.exit(128 + number))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        control = None if options else free_port()
        programs = Programs(bridge, folder, control)
        stack.callback(programs.stop)
        stack.callback(ignore_signals)
        programs.start()
        if control is None:
            return 0 if check(programs) else 1
        Live(programs, control).run()
        return 0


if __name__ == "__main__":
    sys.exit(main())
