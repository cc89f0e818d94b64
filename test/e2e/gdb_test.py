"""lib/gdb.py: spans, lists and maps as gdb shows them."""
import os
import re
import subprocess

from support import BUILD, TOP, deadline, main, test

PROGRAM = os.path.join(BUILD, "test", "programs", "gdb_program")
SCRIPT = os.path.join(TOP, "lib", "gdb.py")
CITY = re.compile(r'\(struct city \*\) 0x[0-9a-f]+ = .*number = (\d+),.*key = "(\w+)"')


def gdb(*commands):
    """What gdb says to these, in a program that has stopped where all there is to see is there."""
    # LeakSanitizer, in a build that has it, can't work under a debugger.
    environment = {**os.environ, "DEBUGINFOD_URLS": "", "ASAN_OPTIONS": "detect_leaks=0"}
    before = ["set width 0", "source " + SCRIPT, "break stop_here", "run"]
    arguments = [argument for command in (*before, *commands) for argument in ("-ex", command)]
    answer = subprocess.run(["gdb", "-nx", "-batch", *arguments, PROGRAM], capture_output=True, text=True, check=False,
                            timeout=deadline(5))
    assert "Breakpoint 1, stop_here" in answer.stdout, answer
    return answer.stdout + answer.stderr


@test
def a_span_is_its_text(_):
    said = gdb("print text", "print empty", "print bytes")
    assert '$1 = "a \\"topic\\""\n' in said, said
    assert '$2 = ""\n' in said, said
    assert '$3 = "caf\u00e9\\\\xff"\n' in said, said


@test
def a_list_says_how_many_are_in_it(_):
    said = gdb("print cities", "print none", "print zeroed")
    assert re.findall(r"\$\d = (.*)", said) == ["list of 3", "list of 0", "list that is not initialized"], said


@test
def a_map_shows_keys_and_nodes(_):
    said = gdb("print names", "print names.count")
    shown = re.search(r"\$1 = map of 3 = \{(.*)\}", said)
    assert shown, said
    nodes = dict(re.findall(r'\["(\w+)"\] = (0x[0-9a-f]+)', shown.group(1)))
    assert sorted(nodes, key=lambda name: int(nodes[name], 16)) == ["Ulm", "Bonn", "Linz"], said


@test
def what_is_in_lists_and_maps_is_printed_in_full(_):
    for expression, member in (("cities", "link"), ("names", "node")):
        said = gdb(f"freshet-each {expression} city {member}")
        assert sorted(CITY.findall(said)) == [("100", "Ulm"), ("101", "Bonn"), ("102", "Linz")], said


@test
def a_mistake_in_the_command_is_told(_):
    assert "No struct type named town" in gdb("freshet-each cities town link")
    assert "freshet-each LIST-OR-MAP STRUCT MEMBER" in gdb("freshet-each cities")


if __name__ == "__main__":
    main()
