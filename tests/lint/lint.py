#!/usr/bin/env python3
"""What a compiler doesn't check, in the whole tree: lint.py RULE...

coroutines  co_await stands in the one form that g++ 12 compiles right: `auto x = co_await f(named);`
            as a whole statement, or `co_await f(named);` when there is nothing to keep; an `if` that
            waits for nothing itself may stand before it
floors      an include points down, never up
waiting     no test sleeps
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Which floors a floor may include besides itself.
BELOW = {
    "core": [],
    "net": ["core"],
    "store": ["core"],
    "route": ["core", "net", "store"],
    "stream": ["core", "net", "store", "route"],
    "plugin": ["core", "net", "store", "route", "stream"],
    "control": ["core", "net", "store", "route", "stream", "plugin"],
    # Not floors, but they stand on some of them.
    "plugins": ["core", "net", "store", "route", "stream", "plugin"],
    "cli": ["core", "net"],
    # The admin tool shows what the control floor declares.
    "admin": ["core", "net", "control"],
}
FLOORS = ["core", "net", "store", "route", "stream", "plugin", "control"]


def without_comments_and_strings(text):
    """The same text, line for line, with comments, strings and characters blanked."""
    def blank(match):
        found = match.group(0)
        if found[0] in "\"'R":
            return '""' + "\n" * found.count("\n")
        return "\n" * found.count("\n")
    pattern = (r'R"([^()\\ ]{0,16})\(.*?\)\1"'   # raw strings
               r'|//[^\n]*|/\*.*?\*/'
               r'|"(?:\\.|[^"\\\n])*"'
               r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'")
    return re.sub(pattern, blank, text, flags=re.S)


def awaiting_statements(text):
    """(line, statement) around each co_await: from after the last ; { or } outside brackets to its ;"""
    for found in re.finditer(r"\bco_await\b", text):
        start, depth = found.start(), 0
        while start > 0:
            letter = text[start - 1]
            if letter in ")]":
                depth += 1
            elif letter in "([":
                depth -= 1
            elif letter in ";{}" and depth <= 0:
                break
            start -= 1
        end, depth = found.end(), 0
        while end < len(text) and not (text[end] == ";" and depth <= 0):
            depth += (text[end] in "([{") - (text[end] in ")]}")
            end += 1
        yield text.count("\n", 0, found.start()) + 1, text[start:end + 1]


def is_balanced(statement):
    return all(statement.count(a) == statement.count(b) for a, b in ("()", "[]", "{}"))


# The awaited call's arguments are names, members, literals and plain calls; what is built on the
# way (closures, braces, conditions) is what the compiler destroys twice.
UNSAFE = re.compile(r"co_await\b.*(?:\?|\{|&&|\|\||\[[^\]]*\]\s*(?:\(|\{|mutable))", re.S)
HEAD = re.compile(
    r"^\s*(?:(?:(?:else|do)\b|\bcase\b[^:]*:|default\s*:|(?:public|private|protected)\s*:)\s*)*"
    r"(?:(?:const\s+|constexpr\s+|static\s+)*(?:auto(?:\s*[&*]{1,2})?\s*(?:\[[\w\s,]+\]|\w+)"
    r"|(?:const\s+)?[\w:]+(?:<[^;=]*>)?(?:\s*[&*])?\s+\w+)\s*=\s*|[\w.\->\[\]]+\s*=\s*|co_return\s+)?"
    r"(?:\(void\)\s*)?co_await\s+[^;]*;$", re.S)


def coroutines(path, text):
    if "co_await" not in text:
        return
    for line, statement in awaiting_statements(without_comments_and_strings(text)):
        if "operator co_await" in statement:
            continue
        statement = re.sub(r"^(\s*#[^\n]*\n)+", "", statement)
        # `if (found) co_await …;` guards a whole statement, which is fine (tests/core/task_test.cpp). The
        # body of a loop stands in braces.
        bare = re.sub(r"^\s*(?:else\s+)?if\s*(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))",
                      lambda match: match.group(0) if "co_await" in match.group(1) else "", statement)
        if (not HEAD.match(bare) or UNSAFE.search(bare) or not is_balanced(bare)
                or bare.count("co_await") > 1):
            yield line, "co_await outside the form `auto x = co_await f(named);`: " + " ".join(statement.split())


def floors(path, text):
    parts = path.parts
    if parts[0] == "server" and len(parts) > 2:
        home = parts[1]
    elif parts[0] in ("plugins", "cli", "admin"):
        home = parts[0]
    else:
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*["<]((?:server/)?([a-z_]+)/[^">]+)[">]', line)
        if not found:
            continue
        floor = found.group(1).removeprefix("server/").split("/")[0]
        if floor in FLOORS and floor != home and floor not in BELOW[home]:
            yield number, f"{home} includes {found.group(1)}, which is not below it"


def waiting(path, text):
    # load and crash are tools that measure over time; lint has the words in its own examples.
    if path.parts[0] != "tests" or path.parts[1] in ("load", "crash", "lint"):
        return
    for number, line in enumerate(text.splitlines(), 1):
        # A poll with a deadline may wait between two looks, and says so on its line.
        if re.search(r"sleep_for|sleep_until|\busleep\s*\(|\bnanosleep\s*\(|(?<![_\w.])sleep\s*\(|time\.sleep\s*\(",
                     line.split("//")[0]) and "lint: polls" not in line:
            yield number, "a test sleeps; move its clock, or poll with a deadline: " + line.strip()


RULES = {"coroutines": (coroutines, ("*.h", "*.cpp")),
         "floors": (floors, ("*.h", "*.cpp")),
         "waiting": (waiting, ("*.h", "*.cpp", "*.py"))}


def run(rule):
    check, patterns = RULES[rule]
    count = 0
    for top in ("server", "plugins", "cli", "admin", "tests"):
        for pattern in patterns:
            for path in sorted((ROOT / top).rglob(pattern)):
                relative = path.relative_to(ROOT)
                for line, problem in check(relative, path.read_text(encoding="utf-8", errors="replace")):
                    print(f"{relative}:{line}: {problem}")
                    count += 1
    return count


GOOD = """
Task<int> f() {
    const auto found = co_await db.find(owner, name);
    auto [a, b] = co_await pair(x);
    co_await sleepUntil(deadline);
    if (found) co_await close(stream);
    else co_await open(name);
    if (!a.empty() || isOpen(stream)) co_await write(std::move(text));
    count_ = co_await db.count();
    const std::optional<Row> row = co_await db.row(key);
    for (const auto& item : items) {
        auto done = co_await put(item);
    }
    // if (co_await f()) is what g++ 12 miscompiles
    co_return co_await g(Key(1), "text {");
}
"""
BAD = [
    "void f() { if (co_await g()) h(); }",
    "void f() { while (!(co_await g())) {} }",
    "void f() { auto x = co_await g(Agg{1, 2}); }",
    "void f() { auto x = co_await g(c ? a : b); }",
    "void f() { auto x = co_await call([c]{ return c; }); }",
    "void f() { auto x = co_await call([c](int i) { return c; }); }",
    "void f() { std::vector<T> v{co_await g(), co_await g()}; }",
    "void f() { h(co_await g()); }",
    "void f() { switch (co_await g()) {} }",
    "void f() { while (more) co_await g(); }",
    "void f() { for (auto& x : all) co_await g(x); }",
    "void f() { for (;;) co_await g(); }",
    "void f() { if (found) co_await g(Agg{1}); }",
    "void f() { if (found) co_await g(c ? a : b); }",
    "void f() { if (auto x = co_await g(); x) h(); }",
    "void f() { if (found) if (co_await g()) h(); }",
    "void f() { if (found) x = !co_await g(); }",
    "void f() { auto x = a && co_await g(); }",
    "void f() { return co_await g() + 1; }",
]


def self_test():
    failures = []
    for line, problem in coroutines(Path("server/core/x.cpp"), GOOD):
        failures.append(f"refused the good line {line}: {problem}")
    for text in BAD:
        if not list(coroutines(Path("server/core/x.cpp"), text)):
            failures.append("missed: " + text)
    for path, text, wanted in [
            ("server/core/x.h", '#include "net/loop.h"\n', 1),
            ("server/route/x.h", '#include "stream/x.h"\n', 1),
            ("server/net/x.h", '#include "store/x.h"\n', 1),
            ("server/store/x.cpp", '#include <plugin/x.h>\n', 1),
            ("plugins/ping/ping.cpp", '#include "control/x.h"\n', 1),
            ("cli/x.cpp", '#include "store/x.h"\n', 1),
            ("server/stream/x.cpp", '#include "route/x.h"\n#include "net/x.h"\n#include "stream/y.h"\n', 0),
            ("server/main.cpp", '#include "control/x.h"\n', 0),
            ("server/core/x.cpp", '#include <sys/epoll.h>\n', 0)]:
        got = len(list(floors(Path(path), text)))
        if got != wanted:
            failures.append(f"floors: {path}: {got} findings instead of {wanted} in {text!r}")
    for text, wanted in [("std::this_thread::sleep_for(1s);", 1), ("usleep(10);", 1), ("sleep(1);", 1),
                         ("time.sleep(1)", 1), ("clock.advance(1s);", 0), ("co_await asleep(1);", 0),
                         ("time.sleep(0.05)  # lint: polls", 0)]:
        got = len(list(waiting(Path("tests/core/x_test.cpp"), text)))
        if got != wanted:
            failures.append(f"waiting: {got} findings instead of {wanted} in {text!r}")
    for failure in failures:
        print(failure)
    return len(failures)


def main():
    if sys.argv[1:] == ["--self-test"]:
        return 1 if self_test() else 0
    rules = sys.argv[1:] or list(RULES)
    if any(rule not in RULES for rule in rules):
        print(__doc__, file=sys.stderr)
        return 2
    return 1 if sum(run(rule) for rule in rules) else 0


if __name__ == "__main__":
    sys.exit(main())
