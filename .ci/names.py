#!/usr/bin/env python3
"""Finds comments that name a file or a function that there is not: it was renamed, and the comment stayed.

    .ci/names.py

Looks into the comments of all C files and at all of the READMEs and the contract. The exit status is 1 if something
was found. What a comment may name: a file of the tree, anything that some code of the tree says, or a metric.
"""
import os
import re
import subprocess
import sys

TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
FILE = re.compile(r'[\w./-]*\b[a-z]\w*\.[ch]\b')
NAME = re.compile(r'\b([a-z]\w*)\(\)|\b((?<!env: )(?:fr_|freshet_|FR_|FRESHET_)\w+\b)(?!\*|\.[a-z])')  # after env: it is the user's own
CHANGES = re.compile(r'^## Changes\n.*?(?=^## )', re.S | re.M)  # says what was renamed
SYSTEM = {'stdio.h', 'stdlib.h', 'program.c'}  # of examples for applications


def tree():
    return subprocess.check_output(['git', 'ls-files'], text=True).split()


def split(path, text):
    """Its comments, each with its offset, and the rest."""
    if path.endswith('.md'):
        return [(0, CHANGES.sub(lambda m: re.sub(r'[^\n]', ' ', m.group()), text))], ''
    comments = [(m.start(), m.group()) for m in TOKEN.finditer(text) if m.group()[0] == '/']
    return comments, TOKEN.sub(lambda m: ' ' if m.group()[0] == '/' else m.group(), text)


def read(paths):
    comments, said = [], set()
    for path in paths:
        with open(path, encoding='utf-8', errors='replace') as file:
            text = file.read()
        found, rest = split(path, text)
        said.update(re.findall(r'[A-Za-z_]\w*', rest))
        if path.endswith(('.c', '.h', '.md')):
            comments += [(path, text.count('\n', 0, at) + 1, comment) for at, comment in found]
    return comments, said


def find_stale(comment, files, said):
    for match in FILE.finditer(comment):
        name = match.group().lstrip('./')
        if not any(('/' + path).endswith('/' + name) for path in files) and name not in SYSTEM:
            yield match.start(), name
    for match in NAME.finditer(comment):
        name = match.group(1) or match.group(2)
        metric = name.removeprefix('freshet_')
        if name not in said and metric not in said and not name.endswith('_'):
            yield match.start(), name


def main():
    files = tree()
    sources = [path for path in files
               if path.endswith(('.c', '.h', '.cc', '.md', '.py', '.sh', '.txt', '.js', '.mjs', '.cmake'))
               or os.path.basename(path) == 'run']
    comments, said = read(sources)
    stale = [f'{path}:{line + comment[:at].count(chr(10))}: there is no {name}'
             for path, line, comment in comments for at, name in find_stale(comment, files, said)]
    print('\n'.join(stale) if stale else 'every name is one')
    return 1 if stale else 0


if __name__ == '__main__':
    sys.exit(main())
