#!/usr/bin/env python3
"""`epodectl restart` and planned ends with the real programs: restart_test.py EPODED EPODECTL PLUGINS"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../crash"))
import xmpplite  # noqa: E402

SERVER, TOOL, PLUGINS = sys.argv[1:4]
PATIENCE = 30


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class Restart(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="epode-restart-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.data = self.folder + "/data"
        self.port = free_port()
        with open(self.folder + "/epode.toml", "w") as file:
            file.write('[host."localhost"]\n[listen]\naddresses = ["127.0.0.1"]\nstarttls_port = %d\n'
                       "tls_port = 0\n[http]\nplain_port = 0\ntls_port = 0\n" % self.port)
        # What systemd would hear.
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.told.close)
        self.told.bind(self.folder + "/notify")
        self.told.settimeout(PATIENCE)
        self.program = self.folder + "/epoded"
        shutil.copy2(SERVER, self.program)
        log = open(self.folder + "/log", "w")
        self.addCleanup(log.close)
        self.process = subprocess.Popen(
            [self.program, "--config", self.folder + "/epode.toml", "--data", self.data],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "EPODE_PLUGINS": PLUGINS, "NOTIFY_SOCKET": self.folder + "/notify"})
        self.addCleanup(self.end)
        self.hears("READY=1")

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if sys.exc_info()[0]:
            with open(self.folder + "/log") as log:
                sys.stderr.write(log.read()[-4000:])

    def hears(self, wanted):
        """Reads until the state is told; the states on the way."""
        on_the_way = []
        while True:
            state = self.told.recv(4096).decode().split("\n")[0]
            if state == wanted:
                return on_the_way
            on_the_way.append(state)

    def ctl(self, *words, status=0, **more):
        done = subprocess.run([TOOL, "--socket", self.data + "/control.sock", "--yes", *words],
                              capture_output=True, text=True, timeout=PATIENCE, **more)
        self.assertEqual(done.returncode, status, done)
        return done.stdout + done.stderr

    def facts(self):
        return json.loads(self.ctl("--json", "status"))

    def client(self):
        return xmpplite.Conn("127.0.0.1", self.port, "localhost", tls="starttls")

    def test_clients_resume_after_a_restart_within_the_process(self):
        for name in ("juliet", "romeo"):
            self.ctl("user", "add", name + "@localhost", "--password-file", "-", input="secret\n")
        juliet = xmpplite.login("127.0.0.1", self.port, "localhost", "juliet", "secret", tls="starttls")
        juliet.presence()
        enabled = juliet.sm_enable()
        descriptors = len(os.listdir("/proc/%d/fd" % self.process.pid))
        # An upgrade has put another program there.
        with open(self.folder + "/new", "w") as file:
            file.write('#!/bin/sh\necho "$$" > %s/upgraded\nexec %s "$@"\n' % (self.folder, SERVER))
        os.chmod(self.folder + "/new", 0o755)
        os.replace(self.folder + "/new", self.program)

        self.ctl("restart")
        states = self.hears("READY=1")
        self.assertIn("RELOADING=1", states)
        self.assertNotIn("STOPPING=1", states)
        with open(self.folder + "/upgraded") as file:
            self.assertEqual(int(file.read()), self.process.pid)
        self.assertEqual(self.facts()["process"], self.process.pid)
        juliet.close()

        again = self.client()
        again.negotiate()
        again.auth("juliet", "secret")
        again.open_stream()
        again.send_raw("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='0'/>" % enabled.get("id"))
        again.wait(lambda stanza: stanza.tag == "{urn:xmpp:sm:3}resumed", PATIENCE)
        romeo = xmpplite.login("127.0.0.1", self.port, "localhost", "romeo", "secret", tls="starttls")
        romeo.send_raw("<message to='juliet@localhost' type='chat'><body>Hark</body></message>")
        again.wait(lambda stanza: stanza.find("{jabber:client}body") is not None, PATIENCE)
        # Nothing of before is still open.
        self.assertLess(len(os.listdir("/proc/%d/fd" % self.process.pid)), descriptors + 12)
        for one in (again, romeo):
            one.close(polite=True)
        # And again, from the program that is there now; then it stops as ever.
        self.ctl("restart")
        self.hears("READY=1")
        self.process.terminate()
        self.hears("STOPPING=1")
        self.assertEqual(self.process.wait(PATIENCE), 0)

    def test_an_end_that_is_to_come_is_seen_and_taken_back(self):
        self.assertIn("not-found", self.ctl("--json", "stop", "--cancel", status=1))
        self.assertIn("in 1 h", self.ctl("stop", "--delay", "1h"))
        self.assertIn("stops-in", self.facts())
        # The last counts.
        self.ctl("restart", "--delay", "2h")
        self.assertNotIn("stops-in", self.facts())
        self.assertIn("restarts-in", self.facts())
        self.ctl("restart", "--cancel")
        self.assertNotIn("restarts-in", self.facts())
        self.assertIn("invalid", self.ctl("--json", "stop", "--delay", "30d", status=1))
        self.ctl("stop", "--delay", "100ms", "--announcement", "Good night")
        self.assertEqual(self.process.wait(PATIENCE), 0)

    def test_long_work_is_told_and_can_be_ended(self):
        self.ctl("db", "verify")
        self.ctl("db", "backup", self.folder + "/copy.sqlite")
        self.assertTrue(os.path.getsize(self.folder + "/copy.sqlite") > 0)
        deadline = time.monotonic() + PATIENCE
        while self.facts()["database"] != "available":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)  # lint: polls


unittest.main(argv=sys.argv[:1])
