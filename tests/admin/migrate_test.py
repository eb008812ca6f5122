#!/usr/bin/env python3
"""`epodectl db migrate` with the real programs, over SQLite: migrate_test.py EPODED EPODECTL"""
import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

SERVER, TOOL = sys.argv[1:3]


def free_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return probe.getsockname()[1]


class Migrate(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="epode-migrate-")
        self.addCleanup(folder.cleanup)
        self.data = folder.name + "/data"
        self.config = folder.name + "/epode.toml"
        self.configure()

    def configure(self, database=""):
        with open(self.config, "w") as file:
            file.write('[host."localhost"]\n[listen]\naddresses = ["127.0.0.1"]\nstarttls_port = %d\n'
                       "tls_port = 0\n[http]\nplain_port = 0\ntls_port = 0\n[database]\n%s\n" % (free_port(), database))

    @contextlib.contextmanager
    def server(self):
        process = subprocess.Popen([SERVER, "--config", self.config, "--data", self.data],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            deadline = time.monotonic() + 30
            while self.ctl("status").returncode != 0:
                if process.poll() is not None or time.monotonic() > deadline:
                    self.fail("the server did not start:\n" + process.stdout.read())
                time.sleep(0.05)  # lint: polls
            yield
        finally:
            process.terminate()
            self.log = process.communicate(timeout=60)[0]

    def refused_start(self):
        run = subprocess.run([SERVER, "--config", self.config, "--data", self.data],
                             capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 1, run)
        return run.stderr

    def ctl(self, *words):
        return subprocess.run([TOOL, "--socket", self.data + "/control.sock", *words],
                              capture_output=True, text=True, timeout=60,
                              env={**os.environ, "EPODE_DAEMON": SERVER})

    def migrate(self, *words):
        return self.ctl("db", "migrate", "--config", self.config, "--data", self.data, *words)

    def sql(self, *statements):
        with contextlib.closing(sqlite3.connect(self.data + "/epode.db")) as database:
            for statement in statements:
                rows = database.execute(statement).fetchall()
            database.commit()
        return rows

    def make_older(self):
        """As if this version had brought the table of sessions."""
        with self.server():
            pass
        self.sql("DROP TABLE saved_session",
                 "DELETE FROM schema_version WHERE component = 'store.session'")

    def has_sessions(self):
        return bool(self.sql("SELECT 1 FROM sqlite_schema WHERE name = 'saved_session'"))

    def test_a_running_server_lists_its_schema_and_has_nothing_pending(self):
        with self.server():
            shown = self.ctl("db", "migrate")
            self.assertEqual(shown.returncode, 0, shown)
            self.assertIn("The schema is up to date.", shown.stdout)
            self.assertIn("store.archive", shown.stdout)
            answer = json.loads(self.ctl("db", "migrate", "--json").stdout)
            self.assertEqual(answer["pending"], 0, answer)

    def test_a_dry_run_tells_what_is_pending_and_changes_nothing(self):
        self.make_older()
        before = self.sql("SELECT * FROM schema_version ORDER BY 1, 2")
        run = self.migrate("--dry-run")
        self.assertEqual(run.returncode, 0, run)
        self.assertRegex(run.stdout, r"store\.session +1  pending")
        self.assertRegex(run.stdout, r"store\.account +1  applied 20\d\d-")
        self.assertIn("1 change to be made", run.stdout)
        self.assertEqual(self.sql("SELECT * FROM schema_version ORDER BY 1, 2"), before)
        self.assertFalse(self.has_sessions())

    def test_the_command_makes_what_is_pending_once(self):
        self.make_older()
        self.assertIn("Done: 1 change.", self.migrate().stdout)
        self.assertTrue(self.has_sessions())
        self.assertIn("up to date", self.migrate().stdout)

    def test_a_server_migrates_at_its_start_unless_it_is_told_not_to(self):
        self.make_older()
        self.configure("migrate_at_start = false")
        refusal = self.refused_start()
        self.assertIn("lacks 1 change of this version (store.session 1)", refusal)
        self.assertIn("epodectl db migrate", refusal)
        self.assertFalse(self.has_sessions())
        self.configure("migrate_at_start = true")
        with self.server():
            pass
        self.assertTrue(self.has_sessions())
        self.assertIn("schema migrated", self.log)

    def test_by_command_alone_a_new_database_is_made_and_an_old_one_served_after_the_command(self):
        self.configure("migrate_at_start = false")
        self.make_older()
        self.assertEqual(self.migrate().returncode, 0)
        with self.server():
            pass

    def test_a_schema_of_a_newer_version_is_refused_by_server_and_command_and_left_alone(self):
        self.make_older()
        self.sql("INSERT INTO schema_version VALUES('store.archive', 99, 0, 'of the future')")
        for refusal in (self.refused_start(), self.migrate().stderr,
                        self.migrate("--dry-run").stderr):
            self.assertIn('has version 99 of the schema of "store.archive"', refusal)
            self.assertIn("knows only up to version", refusal)
            self.assertIn("restore a backup", refusal)
        self.assertFalse(self.has_sessions(), "nothing else was migrated either")

    def test_tables_of_a_plugin_that_is_gone_are_listed_and_left_alone(self):
        self.make_older()
        self.sql("INSERT INTO schema_version VALUES('plugin.gone', 1, 0, 'tables of it')")
        run = self.migrate()
        self.assertEqual(run.returncode, 0, run)
        self.assertRegex(run.stdout, r"plugin\.gone +1  of no plugin here")

    def test_the_command_does_not_work_beside_a_server(self):
        with self.server():
            beside = subprocess.run([SERVER, "--config", self.config, "--data", self.data, "--migrate"],
                                    capture_output=True, text=True, timeout=60)
        self.assertEqual(beside.returncode, 1)
        self.assertIn("works on the data folder", beside.stderr)

    @unittest.skipUnless(os.getuid() == 0, "needs root")
    def test_files_of_another_user_are_not_touched(self):
        self.make_older()
        os.chown(self.data, 65534, 65534)
        run = self.migrate()
        self.assertEqual(run.returncode, 1, run)
        self.assertIn("belongs to nobody", run.stderr)
        self.assertFalse(self.has_sessions())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
