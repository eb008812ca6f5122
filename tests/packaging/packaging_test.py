#!/usr/bin/env python3
"""What a package has beside the programs: packaging_test.py manuals|unit|install SOURCE BUILD

Exits 77 when a tool that is needed isn't installed.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SUBJECT, SOURCE, BUILD = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
SKIPPED = 77


def need(*programs):
    for program in programs:
        if found := shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            return found
    print("skipped: none of these is installed: " + ", ".join(programs))
    sys.exit(SKIPPED)


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **more)


def warnings_of(page):
    """What groff says about a manual page, all warnings enabled."""
    return run(need("groff"), "-man", "-Tutf8", "-ww", "-z", "-rLL=100n", input=page).stderr


def manuals():
    pages = sorted((SOURCE / "docs/man").glob("*.[0-9]"))
    assert [page.name for page in pages] == ["epode.1", "epode.toml.5", "epodectl.1", "epoded.8"], pages
    for page in pages:
        text = page.read_text(encoding="ascii")
        assert warnings_of(text) == "", page.name + ":\n" + warnings_of(text)
        shown = run(need("groff"), "-man", "-Tascii", "-P-cbou", input=text).stdout
        for section in ("NAME", "DESCRIPTION", "SEE ALSO"):
            assert re.search("^" + section + "$", shown, re.M), page.name + " has no " + section
    # A check that can't fail would be none.
    assert "macro" in warnings_of(".TH A 1\n.NOSUCH x\n")
    assert warnings_of(".TH A 1\n\\fQ\\[nosuch]\n")


def unit():
    """The unit as it is installed, but for the programs, which aren't at their place here."""
    verify = need("systemd-analyze")
    original = (SOURCE / "systemd/epoded.service").read_text()

    def verdict(text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "epoded.service"
            path.write_text(text.replace("/usr/sbin/epoded", "/bin/true")
                            .replace("/usr/bin/epodectl", "/bin/true"))
            done = run(verify, "verify", "--man=no", str(path))
            lines = [line for line in done.stderr.splitlines() if "epoded.service" in line]
            return "\n".join(lines)

    assert verdict(original) == "", verdict(original)
    assert "NoSuchSetting" in verdict(original.replace("[Service]", "[Service]\nNoSuchSetting=1"))


def install():
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "usr"
        done = run("cmake", "--install", str(BUILD), "--prefix", str(prefix))
        assert done.returncode == 0, done.stderr
        have = {str(path.relative_to(prefix)) for path in prefix.rglob("*") if path.is_file()}
        wanted = {"sbin/epoded", "bin/epode", "bin/epodectl", "share/man/man8/epoded.8",
                  "share/man/man1/epodectl.1", "share/man/man1/epode.1", "share/man/man5/epode.toml.5",
                  "lib/systemd/system/epoded.service", "lib/sysusers.d/epode.conf"}
        if (BUILD / "web/version").exists():
            wanted |= {"share/epode/web/version", "share/epode/web/index.html", "share/epode/web/files/start.js.gz",
                       "share/epode/web/files/converse/converse.min.js.gz",
                       "share/epode/web/files/converse/LICENSE.txt", "share/doc/epode/NOTICE"}
        assert wanted <= have, wanted - have
        plugins = [path for path in have if re.search(r"/epode/plugins/[a-z0-9_]+\.so$", path)]
        assert len(plugins) >= 12, have
        environment = {**os.environ, "EPODE_PLUGINS": str((prefix / plugins[0]).parent)}
        sample = run(str(prefix / "sbin/epoded"), "--sample", env=environment)
        assert "[archive]" in sample.stdout, sample
        # The tool finds the server's program beside itself.
        check = run(str(prefix / "bin/epodectl"), "--socket", folder + "/none", "config", "check",
                    env=environment)
        assert check.returncode == 0, check


{"manuals": manuals, "unit": unit, "install": install}[SUBJECT]()
