#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What of the mission tables is built, and which tests name each row.

usage: report.py [--area AREA] [--untested] [--missing] [--list] [BUILD]

Options count as built when their declaration says so (engine/options); devices and commands when
a kind or command of that name exists in the sources. A test names rows with a comment:
`mission: m.size boot.order` in any file under tests/; a trailing .* stands for all rows below.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DATA = ROOT / "data" / "mission"
TAG = re.compile(r"mission:\s+((?:[A-Za-z0-9_.*/-]+[ \t]*)+)")
SOURCES = (".c", ".h", ".py", ".sh", ".build", ".txt", ".S", ".md")


def read_table(name):
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    head = lines[0].split("\t")
    return [dict(zip(head, line.split("\t"))) for line in lines[1:]]


def declared(build):
    """Status and place of every option row, from the build tool."""
    tool = build / "engine" / "options" / "docs-generator"
    if not tool.exists():
        sys.exit(f"{tool} is not built yet: ./dev build")
    rows = {}
    rank = ["not-yet", "other-target", "other-host", "replaced", "needs-hardware", "available"]
    out = subprocess.run([tool, "mission"], check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        name, status, where = line.split("\t")
        if name not in rows or rank.index(status) > rank.index(rows[name][0]):
            rows[name] = (status, where)
    return rows


def tags():
    """Row -> tests that name it."""
    found = collections.defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("*")):
        if path.suffix not in SOURCES or path.parent.name == "mission":
            continue
        for match in TAG.finditer(path.read_text(encoding="utf-8", errors="replace")):
            for row in match.group(1).split():
                if row.strip("*/."):
                    found[row].add(str(path.relative_to(ROOT)))
    return found


def tests_of(row, found):
    names = set(found.get(row, ()))
    parts = row.split(".")
    for i in range(1, len(parts)):
        names |= found.get(".".join(parts[:i]) + ".*", set())
    return sorted(names)


def kinds_in_sources():
    """Names that appear as .name = "..." or first string of a descriptor in the engine."""
    names = set()
    for path in (ROOT / "engine").rglob("*.c"):
        if "options" in path.relative_to(ROOT).parts:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        names |= set(re.findall(r'\.name\s*=\s*"([^"]+)"', text))
        names |= set(re.findall(r'\{\s*"([A-Za-z0-9_.-]+)"\s*,', text))
        for group in re.findall(r"aliases\[\]\s*=\s*\{([^}]*)\}", text):
            names |= set(re.findall(r'"([^"]+)"', group))
    return names


def option_rows(build, found):
    rows = declared(build)
    for row in read_table("options.tsv"):
        status, where = rows.get(row["id"], ("missing", "-"))
        answers = status in ("other-host", "other-target", "replaced")
        built = status in ("available", "needs-hardware") or answers
        yield row["area"], row["id"], built, status, where, tests_of(row["id"], found)


def name_rows(table, column, area, found, names):
    for row in read_table(table):
        name = row[column]
        built = name in names
        # a tag has no blanks: "info-registers"
        yield (area + "/" + row.get("kind", ""), name, built,
               "available" if built else "not-yet", "-", tests_of(name.replace(" ", "-"), found))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--area", help="only rows of this area")
    parser.add_argument("--untested", action="store_true", help="rows that are built, but no test names")
    parser.add_argument("--missing", action="store_true", help="rows that are not built")
    parser.add_argument("--list", action="store_true", help="every row")
    args = parser.parse_args()

    found = tags()
    names = kinds_in_sources()
    rows = list(option_rows(args.build, found))
    rows += name_rows("devices.tsv", "name", "devices", found, names)
    rows += name_rows("commands.tsv", "name", "commands", found, names)
    if args.area:
        rows = [row for row in rows if row[0] == args.area or row[0].startswith(args.area + "/")]
    totals = collections.OrderedDict()
    for area, name, built, status, where, tests in rows:
        group = area.split("/")[0]
        count = totals.setdefault(group, [0, 0, 0])
        count[0] += 1
        count[1] += built
        count[2] += bool(tests)
        show = args.list or (args.missing and not built) or (args.untested and built and not tests)
        if show:
            print(f"{area}\t{name}\t{status}\t{where}\t{' '.join(tests) or '-'}")
    if not (args.list or args.missing or args.untested):
        print(f"{'area':<12}{'rows':>7}{'built':>7}{'tested':>8}")
        for group, (n, built, tested) in totals.items():
            print(f"{group:<12}{n:>7}{built:>7}{tested:>8}")
        n, built, tested = (sum(count[i] for count in totals.values()) for i in range(3))
        print(f"{'all':<12}{n:>7}{built:>7}{tested:>8}")
    # windows have no table: ui.* says only what a test is of
    known = {row[1].replace(" ", "-") for row in rows}
    unknown = sorted(row for row in found if not row.endswith(".*") and
                     not row.startswith("ui.") and row not in known) if not args.area else []
    for row in unknown:
        print(f"warning: {', '.join(sorted(found[row]))}: no mission row is called {row}",
              file=sys.stderr)
    return 1 if any(row[3] == "missing" for row in rows) else 0


sys.exit(main())
