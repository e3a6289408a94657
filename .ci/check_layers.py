#!/usr/bin/env python3
"""Checks host/ against the two tables of docs/ARCHITECTURE.md: who may include whom, and one door for each effect."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
HOST = ROOT / "host"
COMMENT_OR_LITERAL = re.compile(r'//[^\n]*|/\*.*?\*/|(?<!include )"(?:\\.|[^"\\\n])*"', re.S)


def table(title):
    """The rows of the first table after the heading, as lists of cells."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8").split(f"\n## {title}\n", 1)[1]
    lines = [line for line in text.split("\n## ", 1)[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def main():
    allowed = {row[0].strip("`"): set(row[1].split()) for row in table("Parts, and who may include whom")}
    doors = [(row[0], re.findall(r"`([^`]+)`", row[1]), row[2].split()) for row in table("Doors")]
    assert allowed and doors, "the tables of docs/ARCHITECTURE.md were not found"
    wrong = [f"docs/ARCHITECTURE.md: the row {part} has no folder in host/" for part in allowed if not (HOST / part).is_dir()]
    for file in sorted(path for path in HOST.rglob("*") if path.suffix in (".hpp", ".cpp", ".h")):
        name = file.relative_to(HOST).as_posix()
        part = name.split("/")[0] if "/" in name else None  # None: app and main, which know all
        code = COMMENT_OR_LITERAL.sub(lambda hit: "\n" * hit.group().count("\n"), file.read_text(encoding="utf-8"))
        if part is not None and part not in allowed:
            wrong.append(f"host/{name}: the folder {part} has no row in docs/ARCHITECTURE.md")
        for number, line in enumerate(code.splitlines(), 1):
            where = f"host/{name}:{number}"
            include = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
            if include and part in allowed:
                target = "sdk" if include[1].startswith("jobhost/") else include[1].split("/")[0]
                known = target in allowed or target == "sdk"
                if "/" in include[1] and known and target != part and target not in allowed[part]:
                    wrong.append(f"{where}: {part} may not include {include[1]} (it may: {' '.join(sorted(allowed[part])) or 'nothing'})")
                ours, theirs = name.split("/"), include[1].split("/")
                if part == target == "api" and len(ours) > 2 and len(theirs) > 2 and "auth" not in (ours[1], theirs[1]) and ours[1] != theirs[1]:
                    wrong.append(f"{where}: the dialect {ours[1]} may not include another, {include[1]}")
            for effect, patterns, places in doors:
                inside = any(name == place or name.startswith(place + "/") for place in places)
                if not inside and any(re.search(pattern, line) for pattern in patterns):
                    wrong.append(f"{where}: {effect} belongs to {', '.join(places)}: {line.strip()}")
    print("\n".join(wrong) if wrong else "layers: all includes and doors are as docs/ARCHITECTURE.md says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
