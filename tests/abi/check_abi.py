#!/usr/bin/env python3
"""The plugin ABI against what was released.

check_abi.py lock HEADER                 prints the lock file of a header
check_abi.py check HEADER LOCK... [--cc COMPILER]...
                                         exit 1 and one line a finding when a plugin built with a released header could
                                         break with this one

A released lock must be a prefix of the header: each struct begins with the same members, at the same offsets, with the
same declarations; constants and extension ids keep their values. Only jh_str may not even grow. Declarations are
compared as text, because a function pointer whose signature changed has the same size and offset.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

FROZEN = {"jh_str"}  # has no struct_size, so it can never grow
NOT_ABI = {"JH_EXPORT", "JH_NOEXCEPT", "JH_CALL", "JH_INIT", "JH_HAS", "JH_MANIFEST_NOTE"}


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def normal(declaration):
    text = re.sub(r"\bJH_(CALL|NOEXCEPT)\b", " ", declaration)
    text = re.sub(r"\s+", " ", text)
    return re.sub(r" ?([*(),;\[\]]) ?", r"\1", text).strip()


def member_name(declaration):
    pointer = re.search(r"\(\s*(?:JH_CALL\s*)?\*\s*(\w+)\s*\)", declaration)
    if pointer:
        return pointer.group(1)
    return re.search(r"(\w+)\s*(?:\[[^\]]*\])?\s*$", declaration).group(1)


def members(body):
    fields, depth, start = [], 0, 0
    for at, char in enumerate(body):
        depth += (char == "(") - (char == ")")
        if char == ";" and depth == 0:
            text = body[start:at].strip()
            start = at + 1
            if text:
                fields.append((member_name(text), normal(text)))
    return fields


def parse(path):
    text = without_comments(pathlib.Path(path).read_text(encoding="utf-8"))
    structs = {name: members(body) for name, body in re.findall(r"typedef struct (jh_\w+) \{(.*?)\}\s*\1;", text, re.S)}
    constants = {}
    for name, value in re.findall(r"^#define (JH_\w+)[ \t]+(.+?)[ \t]*$", text, re.M):
        if name not in NOT_ABI:
            constants[name] = re.sub(r"\s+", " ", value)
    typedefs = {}
    for declaration in re.findall(r"^typedef (?!struct \w+ \{)([^;{]+);", text, re.M):
        typedefs[member_name(declaration)] = normal(declaration)
    entry = re.search(r"^JH_EXPORT ([^;]+);", text, re.M)
    return {"structs": structs, "constants": constants, "typedefs": typedefs,
            "entry": normal(entry.group(1)) if entry else ""}


def layout(path, structs, compiler):
    """Sizes and offsets as the compiler lays them out: {struct: [size, {member: [offset, size]}]}."""
    lines = ["#include <stdio.h>", "#include <stddef.h>", '#include "%s"' % pathlib.Path(path).resolve(),
             "int main(void) {"]
    for name, fields in structs.items():
        lines.append('printf("%s %%zu\\n", sizeof(%s));' % (name, name))
        for field, _ in fields:
            lines.append('printf("%s.%s %%zu %%zu\\n", offsetof(%s, %s), sizeof(((%s *)0)->%s));' %
                         (name, field, name, field, name, field))
    lines.append("return 0; }")
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "layout.c")
        source.write_text("\n".join(lines), encoding="utf-8")
        program = pathlib.Path(folder, "layout")
        subprocess.run(compiler.split() + ["-std=c99", "-o", str(program), str(source)], check=True)
        output = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    result = {}
    for line in output.splitlines():
        name, *numbers = line.split()
        if "." in name:
            struct, field = name.split(".")
            result[struct][1][field] = [int(number) for number in numbers]
        else:
            result[name] = [int(numbers[0]), {}]
    return result


def lock_of(path, compiler):
    parsed = parse(path)
    laid = layout(path, parsed["structs"], compiler)
    structs = {}
    for name, fields in parsed["structs"].items():
        structs[name] = {"size": laid[name][0],
                         "members": [[field, *laid[name][1][field], text] for field, text in fields]}
    return {"structs": structs, "constants": parsed["constants"], "typedefs": parsed["typedefs"],
            "entry": parsed["entry"]}


def number(text):
    return int(re.sub(r"[()uUlL ]", "", text), 0)


def findings(lock, now, label):
    grew = []
    for name, old in lock["structs"].items():
        new = now["structs"].get(name)
        if new is None:
            yield f"{label}: struct {name} is gone"
            continue
        for at, was in enumerate(old["members"]):
            if at >= len(new["members"]) or new["members"][at][0] != was[0]:
                is_now = new["members"][at][0] if at < len(new["members"]) else "nothing"
                yield f"{label}: {name} member {at} was {was[0]}, is {is_now}"
                break
            if new["members"][at][1:3] != was[1:3]:
                place = new["members"][at][1:3]
                yield f"{label}: {name}.{was[0]} was at {was[1]} with {was[2]} bytes, is at {place[0]} with {place[1]}"
            if new["members"][at][3] != was[3]:
                yield f"{label}: {name}.{was[0]} was declared `{was[3]}`, is `{new['members'][at][3]}`"
        if len(new["members"]) > len(old["members"]):
            grew.append(name)
            if name in FROZEN:
                yield f"{label}: {name} may not grow"
    for kind in ("constants", "typedefs"):
        for name, was in lock[kind].items():
            if name == "JH_ABI_MINOR":
                continue
            if now[kind].get(name) != was:
                yield f"{label}: {name} was `{was}`, is `{now[kind].get(name, 'gone')}`"
    if now["entry"] != lock["entry"]:
        yield f"{label}: the entry was `{lock['entry']}`, is `{now['entry']}`"
    added = [name for kind in ("structs", "constants", "typedefs") for name in now[kind] if name not in lock[kind]]
    was, is_now = number(lock["constants"]["JH_ABI_MINOR"]), number(now["constants"]["JH_ABI_MINOR"])
    if is_now < was:
        yield f"{label}: JH_ABI_MINOR went back from {was} to {is_now}"
    if is_now == was and (grew or added):
        yield f"{label}: JH_ABI_MINOR must be raised, because these are new: {', '.join(grew + added)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["lock", "check"])
    parser.add_argument("header")
    parser.add_argument("locks", nargs="*")
    parser.add_argument("--cc", action="append")
    args = parser.parse_args()
    if args.command == "lock":
        text = json.dumps(lock_of(args.header, (args.cc or ["cc"])[0]), indent=1)
        print(re.sub(r'\[\n\s+"(\w+)",\n\s+(\d+),\n\s+(\d+),\n\s+"(.*)"\n\s+\]', r'["\1", \2, \3, "\4"]', text))  # one member a line
        return 0
    bad = []
    for compiler in args.cc or ["cc"]:
        now = lock_of(args.header, compiler)
        for file in args.locks:
            lock = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
            bad += findings(lock, now, f"{pathlib.Path(file).stem} ({compiler})")
    print("\n".join(bad) if bad else f"{len(args.locks)} released versions hold with {', '.join(args.cc or ['cc'])}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
