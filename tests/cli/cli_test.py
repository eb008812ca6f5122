#!/usr/bin/env python3
"""Tests of the command-line client as people and scripts use it.

    cli_test.py PATH_OF_EPODE [SUBJECT...]

Ends with 77 when there is no server to test against. server.py says how to name another server.
"""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import server as servers

EPODE = None
PATIENCE = 30  # seconds until something that has to happen is missed
DONE, REFUSED, USAGE, NO_CONNECTION, TIMED_OUT, PARTLY = range(6)


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def error(self):
        return json.loads(self.err.splitlines()[-1])["error"]


class Running:
    """epode as a process whose output is read as it comes."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.seen = {"out": b"", "err": b""}

    def _read(self, deadline):
        files = {self.process.stdout: "out", self.process.stderr: "err"}
        ready, _, _ = select.select(list(files), [], [], max(0, deadline - time.monotonic()))
        got = False
        for file in ready:
            data = os.read(file.fileno(), 65536)
            self.seen[files[file]] += data
            got = got or bool(data)
        return got

    def out(self):
        return self.seen["out"].decode()

    def err(self):
        return self.seen["err"].decode()

    def await_text(self, text, where="out"):
        deadline = time.monotonic() + PATIENCE
        while text.encode() not in self.seen[where]:
            if not self._read(deadline) and (time.monotonic() >= deadline
                                             or self.process.poll() is not None):
                raise AssertionError("%r did not come.\nout: %s\nerr: %s"
                                     % (text, self.out(), self.err()))
        return self

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def end_input(self):
        self.process.stdin.close()

    def finish(self):
        self.process.wait(PATIENCE)
        while self._read(time.monotonic() + 0.2):
            pass
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()
        return Result(self.process.returncode, self.out(), self.err())

    def stop(self):
        self.process.kill()
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.process.stderr):
            file.close()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.finish()


class Case(unittest.TestCase):
    """A home of its own, without accounts."""

    maxDiff = None

    def setUp(self):
        self.home = tempfile.TemporaryDirectory(prefix="epode-home-")
        self.addCleanup(self.home.cleanup)
        self.environment = {"HOME": self.home.name, "PATH": os.environ["PATH"],
                            "LANG": "C.UTF-8", "TZ": "UTC", "NO_COLOR": "1"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def path(self, name):
        return os.path.join(self.home.name, name)

    def write(self, name, text, mode=0o600):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def read(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def epode(self, *words, stdin=b"", environment=None):
        if isinstance(stdin, str):
            stdin = stdin.encode()
        done = subprocess.run([EPODE, *map(str, words)], input=stdin, timeout=120,
                              env={**self.environment, **(environment or {})},
                              capture_output=True, start_new_session=True)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ends_with(self, code, result):
        self.assertEqual(result.code, code, "out: %s\nerr: %s" % (result.out, result.err))
        return result


class ServerCase(Case):
    """Two accounts at the server: alice and bob are their names in the accounts file."""

    @classmethod
    def start(cls):
        return servers.start_server()

    @classmethod
    def setUpClass(cls):
        cls.server = cls.start()
        cls.addClassCleanup(cls.server.stop)
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run(
                [EPODE, "register", "nobody@" + cls.server.domain, "--host", cls.server.host,
                 "--port", str(cls.server.port), "--password-command", "echo x"],
                env={"HOME": home, "PATH": os.environ["PATH"]}, capture_output=True)
        cls.fingerprint = re.search(r"[0-9a-f]{64}", done.stderr.decode()).group()

    def setUp(self):
        super().setUp()
        tag = os.urandom(4).hex()
        self.alice = "alice-%s@%s" % (tag, self.server.domain)
        self.bob = "bob-%s@%s" % (tag, self.server.domain)
        self.password = self.write("password", "a secret of alice\n")
        for name, address in (("alice", self.alice), ("bob", self.bob)):
            self.ends_with(DONE, self.epode("register", address, "--save", name, "--password-file",
                                            self.password, *self.there()))

    def there(self, port=None):
        return ["--host", self.server.host, "--port", port or self.server.port,
                "--trust-fingerprint", self.fingerprint]

    def as_alice(self, verb, *words, **more):
        return self.epode(*verb.split(), "--account", "alice", *words, **more)

    def as_bob(self, verb, *words, **more):
        return self.epode(*verb.split(), "--account", "bob", *words, **more)

    def start_epode(self, verb, who, *words):
        running = Running([EPODE, *verb.split(), "--account", who, *map(str, words)],
                          self.environment)
        self.addCleanup(running.stop)
        return running

    def bob_listens(self, *words):
        return self.start_epode("listen", "bob", *words).await_text("listening", "err")


class Usage(Case):
    def test_a_wrong_command_line_ends_with_2_and_says_why(self):
        for words, says in [
            ([], "Commands:"),
            (["sned"], "Did you mean send?"),
            (["roster"], "epode roster list"),
            (["roster", "lost"], "epode roster list"),
            (["send"], "Who shall get it?"),
            (["send", "romeo@montague.example", "--wiat", "stored"], "Did you mean --wait?"),
            (["send", "romeo@montague.example", "hi", "--wait", "forever"], "sent, stored"),
            (["send", "romeo@montague.example", "hi", "--wait"], "--wait HOW_FAR"),
            (["send", "romeo@montague.example", "hi", "--wait", "sent", "--wait", "stored"], "twice"),
            (["send", "romeo@montague.example", "hi", "--timeout", "soon"], "500ms"),
            (["send", "romeo@montague.example", "hi", "--timeout", "-1"], "500ms"),
            (["send", "romeo@", "hi"], "no address"),
            (["send", "@montague.example", "hi"], "no address"),
            (["send", "ro meo@montague.example", "hi"], "no address"),
            (["send", "romeo@montague.example/", "hi"], "no address"),
            (["send", "romeo@montague.example", "hi", "--file", "/dev/null"], "twice"),
            (["send", "romeo@montague.example", "--file", "/nonexistent"], "cannot be read"),
            (["send", "romeo@montague.example", "hi", "--type", "shout"], "headline"),
            (["send", "--batch", "romeo@montague.example", "hi"], "standard input"),
            (["send", "romeo@montague.example", ""], "no text"),
            (["listen", "--count", "0"], "from 1"),
            (["listen", "--count", "many"], "from 1"),
            (["listen", "--count", "3x"], "from 1"),
            (["listen", "--priority", "128"], "127"),
            (["listen", "extra"], "extra"),
            (["listen", "--json=yes"], "takes no value"),
            (["listen", "--port", "0", "--jid", "juliet@capulet.example"], "65535"),
            (["listen", "--port", "65536", "--jid", "juliet@capulet.example"], "65535"),
            (["listen", "--tls", "maybe", "--jid", "juliet@capulet.example"], "starttls"),
            (["listen", "--trust-fingerprint", "abc", "--jid", "juliet@capulet.example"], "64"),
            (["listen", "--ca-file", "/nonexistent", "--jid", "juliet@capulet.example"],
             "cannot be read"),
            (["listen", "--jid", "capulet.example"], "no address"),
            (["listen", "--jid", "juliet@capulet.example", "--account", "x"], "exclude"),
            (["listen"], "There is no account yet"),
            (["ping", "-n"], "--count N"),
            (["history", "--since", "yesterday"], "2h"),
            (["history", "--before", "1", "--after", "2"], "exclude"),
            (["register", "capulet.example"], "no address"),
            (["register", "juliet@capulet.example/balcony"], "no address"),
            (["account", "remove", "home"], "no account"),
            (["help", "sned"], "Did you mean send?"),
        ]:
            with self.subTest(words=words):
                result = self.ends_with(USAGE, self.epode(*words))
                self.assertIn(says, result.err + result.out)

    def test_an_error_is_an_object_with_json(self):
        error = self.ends_with(USAGE, self.epode("sned", "--json")).error()
        self.assertEqual(error["condition"], "usage")
        self.assertEqual(error["exit"], USAGE)
        self.assertIn("send", error["advice"])

    def test_every_verb_explains_itself(self):
        overview = self.ends_with(DONE, self.epode("help")).out
        names = re.findall(r"^  epode ([a-z]+(?: [a-z]+)?)  ", overview, re.M)
        self.assertGreater(len(names), 12)
        for name in names:
            with self.subTest(verb=name):
                text = self.ends_with(DONE, self.epode("help", *name.split())).out
                self.assertIn("epode " + name, text)
                self.assertEqual(text, self.epode(*name.split(), "--help").out)

    def test_the_reference_page_is_that_of_the_program(self):
        page = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "cli.md")
        with open(page, encoding="utf-8") as file:
            self.assertTrue(file.read().endswith(self.epode("help", "--markdown").out),
                            "docs/cli.md is old: epode help --markdown makes its reference")

    def test_the_manual_page_is_that_of_the_program(self):
        page = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "man", "epode.1")
        with open(page, encoding="utf-8") as file:
            self.assertEqual(file.read(), self.epode("help", "--man").out,
                             "docs/man/epode.1 is old: `ninja reference` makes it anew")

    def test_text_that_xml_cannot_carry_is_refused_before_anything_is_sent(self):
        for text in (b"\xff\xfe", b"bell \x07", b"\xc0\x80", b"\xed\xa0\x80", b"nul \x00"):
            with self.subTest(text=text):
                result = self.epode("send", "romeo@montague.example", "--jid",
                                    "juliet@capulet.example", stdin=text)
                self.assertIn("UTF-8", self.ends_with(USAGE, result).err)

    def test_version_needs_no_account(self):
        self.assertRegex(self.ends_with(DONE, self.epode("--version")).out, r"^epode \d+\.\d+")


class AccountsFile(Case):
    FILE = ".config/epode/accounts.toml"

    def add(self, *words):
        return self.epode("account", "add", *words)

    def test_accounts_are_added_listed_chosen_and_removed(self):
        self.ends_with(DONE, self.add("home", "juliet@capulet.example", "--password-command",
                                      "echo 'a \"quoted\" \\ secret'"))
        self.ends_with(DONE, self.add("work", "nurse@capulet.example", "--port", "5223", "--default"))
        listed = self.ends_with(DONE, self.epode("account", "list", "--json")).lines()
        self.assertEqual([(a["account"], a["jid"], a["default"]) for a in listed],
                         [("home", "juliet@capulet.example", False),
                          ("work", "nurse@capulet.example", True)])
        self.assertIn("echo 'a \\\"quoted\\\" \\\\ secret'", self.read(self.FILE))
        self.ends_with(DONE, self.epode("account", "default", "home"))
        self.ends_with(DONE, self.epode("account", "remove", "home"))
        listed = self.epode("account", "list", "--json").lines()
        self.assertEqual([(a["account"], a["default"]) for a in listed], [("work", True)])

    def test_what_people_wrote_themselves_stays(self):
        self.write(self.FILE, '# Mine.\n\n[accounts.a]\njid = "a@capulet.example" # me\n\n'
                              '[accounts.b]\njid = "b@capulet.example"\n')
        self.ends_with(DONE, self.add("c", "c@capulet.example"))
        self.ends_with(DONE, self.epode("account", "default", "c"))
        self.ends_with(DONE, self.epode("account", "remove", "b"))
        text = self.read(self.FILE)
        self.assertIn("# Mine.", text)
        self.assertIn('jid = "a@capulet.example" # me', text)
        self.assertNotIn("b@capulet", text)

    def test_a_name_is_taken_once(self):
        self.ends_with(DONE, self.add("home", "juliet@capulet.example"))
        before = self.read(self.FILE)
        self.ends_with(USAGE, self.add("home", "nurse@capulet.example"))
        self.assertEqual(self.read(self.FILE), before)

    def test_the_file_is_for_its_owner_alone(self):
        self.add("home", "juliet@capulet.example")
        self.assertEqual(os.stat(self.path(self.FILE)).st_mode & 0o777, 0o600)

    def test_a_file_with_passwords_that_others_can_read_is_warned_of(self):
        text = '[accounts.home]\njid = "juliet@capulet.example"\npassword = "x"\n'
        self.write(self.FILE, text, 0o644)
        self.assertIn("others can read", self.epode("account", "list").err)
        self.write(self.FILE, text, 0o600)
        self.assertEqual(self.epode("account", "list").err, "")
        self.write(self.FILE, text.replace("password =", "password_file ="), 0o644)
        self.assertEqual(self.epode("account", "list").err, "")

    def test_all_mistakes_are_told_at_once_with_their_lines(self):
        self.write(self.FILE, 'defualt = "home"\n[accounts.home]\njid = "capulet.example"\n'
                              'prot = 5222\nport = 70000\ntls = "no"\ntrust_fingerprint = "12"\n'
                              '[accounts.work]\n')
        err = self.ends_with(USAGE, self.epode("account", "list")).err
        for text in ("line 1:", "line 3:", "line 4:", "Did you mean port?", "line 5:", "line 6:",
                     "line 7:", "line 8:", '"work" has no jid'):
            self.assertIn(text, err)

    def test_what_is_no_toml_is_told_with_its_line(self):
        self.write(self.FILE, "[accounts.home]\njid = juliet\n")
        self.assertIn("line 2", self.ends_with(USAGE, self.epode("account", "list")).err)

    def test_another_file_and_another_folder_can_be_named(self):
        named = self.path("mine.toml")
        self.ends_with(DONE, self.add("a", "a@capulet.example", "--config", named))
        self.assertTrue(os.path.exists(named))
        folder = {"XDG_CONFIG_HOME": self.path("elsewhere")}
        self.ends_with(DONE, self.epode("account", "add", "b", "b@capulet.example",
                                        environment=folder))
        self.assertTrue(os.path.exists(self.path("elsewhere/epode/accounts.toml")))


class Register(ServerCase):
    def test_a_taken_name_is_refused(self):
        result = self.epode("register", self.alice, "--json", "--password-file", self.password,
                            *self.there())
        self.assertEqual(self.ends_with(REFUSED, result).error()["condition"], "conflict")

    def test_a_registered_account_is_kept_and_works(self):
        name = "carol-%s@%s" % (os.urandom(4).hex(), self.server.domain)
        self.ends_with(DONE, self.epode("register", name, "--save", "carol", "--password-file",
                                        self.password, *self.there()))
        self.ends_with(DONE, self.epode("ping", "--account", "carol", "--count", 1))

    def test_a_name_of_the_file_is_not_overwritten(self):
        self.ends_with(USAGE, self.epode("register", "dora@" + self.server.domain, "--save", "alice",
                                         "--password-file", self.password, *self.there()))

    def test_the_new_password_is_asked_for_twice_and_not_shown(self):
        name = "erin-%s@%s" % (os.urandom(4).hex(), self.server.domain)
        shown, code = at_terminal([EPODE, "register", name, "--save", "erin",
                                   *map(str, self.there())], self.environment,
                                  [("New password", "pa55word\r"), ("same again", "pa55word\r")])
        self.assertEqual(code, DONE, shown)
        self.assertNotIn("pa55word", shown)
        self.assertIn('password = "pa55word"', self.read(".config/epode/accounts.toml"))

    def test_two_different_passwords_register_nothing(self):
        name = "fay-%s@%s" % (os.urandom(4).hex(), self.server.domain)
        shown, code = at_terminal([EPODE, "register", name, *map(str, self.there())],
                                  self.environment,
                                  [("New password", "one\r"), ("same again", "two\r")])
        self.assertEqual(code, USAGE, shown)


class Login(ServerCase):
    def ping(self, *words, **more):
        return self.epode("ping", "--count", 1, *words, **more)

    def with_jid(self, *words):
        return self.ping("--jid", self.alice, *self.there(), *words)

    def test_a_wrong_password_is_refused_in_clear_words(self):
        result = self.ends_with(REFUSED, self.with_jid("--password-command", "echo wrong", "--json"))
        self.assertEqual(result.error()["condition"], "not-authorized")
        result = self.with_jid("--password-command", "echo wrong")
        self.assertIn("password is wrong", self.ends_with(REFUSED, result).err)

    def test_an_unknown_account_looks_the_same(self):
        result = self.ping("--jid", "nobody-here@" + self.server.domain, *self.there(), "--json",
                           "--password-command", "echo wrong")
        self.assertEqual(self.ends_with(REFUSED, result).error()["condition"], "not-authorized")

    def test_the_password_comes_from_a_file_or_a_command(self):
        self.ends_with(DONE, self.with_jid("--password-file", self.password))
        self.ends_with(DONE, self.with_jid("--password-command", "cat " + self.password))

    def test_the_password_comes_from_the_accounts_file(self):
        self.write("own.toml", '[accounts.only]\njid = "%s"\npassword = "a secret of alice"\n'
                   % self.alice)
        self.ends_with(DONE, self.ping("--config", self.path("own.toml"), *self.there()))

    def test_the_password_is_asked_for_at_a_terminal_and_not_shown(self):
        shown, code = at_terminal([EPODE, "ping", "--count", "1", "--jid", self.alice,
                                   *map(str, self.there())], self.environment,
                                  [("Password of", "a secret of alice\r")])
        self.assertEqual(code, DONE, shown)
        self.assertNotIn("a secret of alice", shown)

    def test_without_a_terminal_nobody_is_asked(self):
        self.assertIn("--password-file", self.ends_with(USAGE, self.with_jid()).err)

    def test_a_password_that_is_not_to_be_had_is_a_usage_error(self):
        for words in (["--password-file", "/nonexistent"], ["--password-command", "exit 3"],
                      ["--password-command", "true"]):
            with self.subTest(words=words):
                self.ends_with(USAGE, self.with_jid(*words))

    def test_the_environment_names_the_account(self):
        self.assertIn("Which account?", self.ends_with(USAGE, self.ping()).err)
        self.ends_with(DONE, self.ping(environment={"EPODE_ACCOUNT": "bob"}))
        result = self.ping(environment={"EPODE_ACCOUNT": "bib"})
        self.assertIn("Did you mean bob?", self.ends_with(USAGE, result).err)

    def test_a_trace_shows_the_stanzas_and_no_secret(self):
        err = self.ends_with(DONE, self.as_alice("ping", "--count", 1, "--trace")).err
        self.assertIn("urn:xmpp:ping", err)
        self.assertNotRegex(err, r"<(auth|response|challenge)\b[^>]*>[^<…]+<")
        name = "gale-%s@%s" % (os.urandom(4).hex(), self.server.domain)
        err = self.epode("register", name, "--password-file", self.password, "--trace",
                         *self.there()).err
        self.assertRegex(err, r"<password>…|\"password\"[^>]*><value>…")
        self.assertNotIn("a secret of alice", err)

    def test_direct_tls_is_spoken_where_it_is_asked_for(self):
        if not self.server.direct_port:
            self.skipTest("the server has no port for direct TLS")
        self.ends_with(DONE, self.as_alice("ping", "--count", 1, "--port", self.server.direct_port,
                                           "--tls", "direct"))
        name = "hal-%s@%s" % (os.urandom(4).hex(), self.server.domain)
        self.ends_with(DONE, self.epode("register", name, "--password-file", self.password,
                                        "--tls", "direct", *self.there(self.server.direct_port)))

    def test_the_other_kind_of_tls_is_named_when_one_does_not_work(self):
        result = self.as_alice("ping", "--count", 1, "--tls", "direct")
        self.assertIn("--tls starttls", self.ends_with(NO_CONNECTION, result).err)

    def test_a_server_of_another_domain_is_refused(self):
        result = self.ping("--jid", "juliet@capulet.example", "--password-command", "echo x",
                           "--json", *self.there())
        self.ends_with(REFUSED, result)
        self.assertEqual(result.error()["condition"], "host-unknown")


class Certificates(ServerCase):
    def ping(self, *words):
        return self.epode("ping", "--count", 1, "--jid", self.alice, "--password-file",
                          self.password, "--host", self.server.host, "--port", self.server.port,
                          *words)

    def test_an_unknown_certificate_is_refused_with_its_fingerprint(self):
        result = self.ends_with(NO_CONNECTION, self.ping())
        self.assertIn("--trust-fingerprint " + self.fingerprint, result.err)
        self.assertEqual(self.ping("--json").error()["condition"], "certificate")

    def test_its_fingerprint_makes_it_trusted(self):
        self.ends_with(DONE, self.ping("--trust-fingerprint", self.fingerprint))
        colons = ":".join(re.findall("..", self.fingerprint.upper()))
        self.ends_with(DONE, self.ping("--trust-fingerprint", colons))

    def test_another_fingerprint_does_not(self):
        self.ends_with(NO_CONNECTION, self.ping("--trust-fingerprint", "0" * 64))

    def test_its_authority_makes_it_trusted(self):
        if not self.server.certificate:
            self.skipTest("the server's certificate is not known")
        self.ends_with(DONE, self.ping("--ca-file", self.server.certificate))

    def test_insecure_takes_any(self):
        self.ends_with(DONE, self.ping("--insecure"))

    def test_registration_checks_it_too(self):
        result = self.epode("register", "ivy@" + self.server.domain, "--password-file",
                            self.password, "--host", self.server.host, "--port", self.server.port)
        self.assertIn(self.fingerprint, self.ends_with(NO_CONNECTION, result).err)

    def against(self, serve, *words):
        listener = servers.Listener(serve)
        self.addCleanup(listener.stop)
        result = self.epode("ping", "--jid", self.alice, "--password-file", self.password,
                            "--host", "127.0.0.1", "--port", listener.port, *words)
        return result, listener

    def test_nobody_there_is_no_connection(self):
        result = self.epode("ping", "--jid", self.alice, "--password-file", self.password, "--json",
                            "--host", "127.0.0.1", "--port", servers.free_port())
        self.assertEqual(self.ends_with(NO_CONNECTION, result).error()["condition"],
                         "connection-refused")

    def test_a_host_without_address_is_no_connection(self):
        result = self.epode("ping", "--jid", self.alice, "--password-file", self.password, "--json",
                            "--host", "nowhere.invalid")
        self.assertEqual(self.ends_with(NO_CONNECTION, result).error()["condition"],
                         "host-unresolved")

    def test_a_silent_server_is_left_in_time(self):
        for tls in ("starttls", "direct"):
            with self.subTest(tls=tls):
                result, _ = self.against(servers.silent, "--tls", tls, "--connect-timeout", "700ms",
                                         "--json")
                self.assertEqual(self.ends_with(NO_CONNECTION, result).error()["condition"],
                                 "connect-timeout")

    def test_what_is_no_xmpp_server_is_left(self):
        result, _ = self.against(servers.web_server)
        self.ends_with(NO_CONNECTION, result)

    def test_no_password_goes_to_a_server_without_tls(self):
        result, listener = self.against(servers.without_tls)
        self.ends_with(NO_CONNECTION, result)
        self.assertIn(b"<stream:stream", listener.heard)
        self.assertNotIn(b"<auth", listener.heard)

    def test_no_registration_goes_to_a_server_without_tls(self):
        listener = servers.Listener(servers.without_tls)
        self.addCleanup(listener.stop)
        result = self.epode("register", "jo@localhost", "--password-file", self.password, "--host",
                            "127.0.0.1", "--port", listener.port, "--insecure")
        self.ends_with(NO_CONNECTION, result)
        self.assertNotIn(b"register", listener.heard)


class Send(ServerCase):
    def received(self, count):
        result = self.as_bob("listen", "--count", count, "--timeout", 20, "--json")
        return self.ends_with(DONE, result).lines()

    def test_the_text_comes_as_words_from_a_pipe_or_a_file(self):
        file = self.write("text", "from a file\nof two lines\n")
        self.ends_with(DONE, self.as_alice("send", self.bob, "two", "words <&>"))
        self.ends_with(DONE, self.as_alice("send", self.bob, stdin="from a pipe ✓\n\n"))
        self.ends_with(DONE, self.as_alice("send", self.bob, "--file", file, "--subject", "A file"))
        heard = self.received(3)
        self.assertEqual([m["text"] for m in heard],
                         ["two words <&>", "from a pipe ✓", "from a file\nof two lines"])
        self.assertEqual(heard[2]["subject"], "A file")
        self.assertTrue(heard[0]["from"].startswith(self.alice + "/"))

    def test_its_id_is_what_the_receiver_sees(self):
        printed = self.ends_with(DONE, self.as_alice("send", self.bob, "hello", "--wait", "stored"))
        self.assertEqual(self.received(1)[0]["id"], printed.out.strip())

    def test_an_option_after_the_text_and_a_text_like_an_option(self):
        self.ends_with(DONE, self.as_alice("send", self.bob, "--", "--wait", "-x"))
        self.assertEqual(self.received(1)[0]["text"], "--wait -x")

    def test_several_recipients_get_it(self):
        result = self.as_alice("send", self.bob, "all", "--to", self.alice, "--wait", "stored",
                               "--json")
        lines = self.ends_with(DONE, result).lines()
        self.assertEqual([(m["to"], m["state"]) for m in lines],
                         [(self.bob, "stored"), (self.alice, "stored")])
        self.assertEqual(self.received(1)[0]["id"], lines[0]["id"])

    def test_who_is_not_there_is_refused(self):
        nobody = "nobody-at-all@" + self.server.domain
        for wait in ("stored", "delivered"):
            with self.subTest(wait=wait):
                result = self.as_alice("send", nobody, "hello", "--wait", wait, "--json")
                line = self.ends_with(REFUSED, result).lines()[0]
                self.assertEqual((line["state"], line["condition"]),
                                 ("failed", "service-unavailable"))
        self.assertIn("no such user", self.as_alice("send", nobody, "hello", "--wait", "stored").err)

    def test_some_refused_is_partly_done(self):
        result = self.as_alice("send", self.bob, "hello", "--wait", "stored", "--to",
                               "nobody-at-all@" + self.server.domain)
        self.ends_with(PARTLY, result)
        self.assertIn(self.bob, result.out)

    def test_a_receipt_is_waited_for(self):
        bob = self.bob_listens("--receipts", "--count", 1)
        result = self.as_alice("send", self.bob, "there?", "--wait", "delivered", "--json")
        self.assertEqual(self.ends_with(DONE, result).lines()[0]["state"], "delivered")
        self.ends_with(DONE, bob.finish())

    def test_without_receipt_the_time_runs_out(self):
        result = self.as_alice("send", self.bob, "there?", "--wait", "delivered", "--timeout",
                               "300ms", "--json")
        self.assertEqual(self.ends_with(TIMED_OUT, result).lines()[0]["state"], "timeout")

    def test_a_batch_is_sent_and_its_bad_lines_are_told(self):
        batch = "\n".join([json.dumps({"to": self.bob, "text": "first"}), "no json",
                           json.dumps({"to": "@", "text": "bad address"}),
                           json.dumps({"to": self.bob}),
                           json.dumps({"to": self.bob, "text": "zwölf", "subject": "S"}), ""])
        result = self.as_alice("send", "--batch", "--json", "--wait", "stored", stdin=batch)
        self.ends_with(PARTLY, result)
        self.assertEqual(len(result.lines()), 2)
        self.assertEqual(len(result.err.splitlines()), 3)
        self.assertEqual([m["text"] for m in self.received(2)], ["first", "zwölf"])

    def test_a_batch_of_bad_lines_alone_is_a_usage_error(self):
        self.ends_with(USAGE, self.as_alice("send", "--batch", stdin="{}\n[]\n"))

    def test_many_lines_arrive_all_and_in_order(self):
        lines = ["line %d %s" % (i, "x" * (i % 700)) for i in range(500)]
        result = self.as_alice("send", self.bob, "--per-line", "--wait", "stored", "--json",
                               stdin="\n".join(lines))
        self.assertEqual(len(self.ends_with(DONE, result).lines()), 500)
        self.assertEqual([m["text"] for m in self.received(500)], lines)

    def test_lines_are_sent_as_they_come(self):
        alice = self.start_epode("send", "alice", self.bob, "--per-line", "--wait", "stored", "--json")
        alice.say("the first")
        alice.await_text('"stored"')
        self.assertEqual(self.received(1)[0]["text"], "the first")
        alice.end_input()
        self.ends_with(DONE, alice.finish())


class SendWithoutAcknowledgements(ServerCase):
    """A server without stream management: what is stored is known by a round trip."""

    @classmethod
    def start(cls):
        if "EPODE_TEST_HOST" in os.environ:
            raise unittest.SkipTest("the given server is what it is")
        if not servers.shutil.which("prosody"):
            raise unittest.SkipTest("Epode always has stream management, and Prosody is not installed")
        return servers.Prosody(modules="")

    def test_stored_is_known_by_a_round_trip(self):
        result = self.as_alice("send", self.bob, "hello", "--wait", "stored", "--json")
        self.assertEqual(self.ends_with(DONE, result).lines()[0]["state"], "stored")
        result = self.as_alice("send", "nobody-at-all@localhost", "hello", "--wait", "stored")
        self.ends_with(REFUSED, result)

    def test_a_chat_works_without_it(self):
        self.ends_with(DONE, self.as_alice("chat", self.bob, stdin="one\ntwo\n"))
        heard = self.ends_with(DONE, self.as_bob("listen", "--count", 2, "--timeout", 20, "--json"))
        self.assertEqual([m["text"] for m in heard.lines()], ["one", "two"])


class Listen(ServerCase):
    def test_what_was_kept_comes_first_with_its_time(self):
        self.as_alice("send", self.bob, "while you were away")
        line = self.ends_with(DONE, self.as_bob("listen", "--count", 1, "--timeout", 20,
                                                "--json")).lines()[0]
        self.assertTrue(line["delayed"])
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")

    def test_people_see_time_sender_and_text(self):
        bob = self.bob_listens("--count", 1)
        self.as_alice("send", self.bob, "hello")
        self.assertRegex(self.ends_with(DONE, bob.finish()).out,
                         r"^\d\d:\d\d %s: hello\n$" % re.escape(self.alice))

    def test_too_few_in_time_has_its_own_exit_code(self):
        self.ends_with(TIMED_OUT, self.as_bob("listen", "--count", 1, "--timeout", "300ms"))
        self.as_alice("send", self.bob, "one")
        self.ends_with(PARTLY, self.as_bob("listen", "--count", 2, "--timeout", "2s"))

    def test_a_time_without_a_number_is_just_an_end(self):
        self.ends_with(DONE, self.as_bob("listen", "--timeout", "300ms"))

    def test_others_are_left_out_on_demand(self):
        bob = self.bob_listens("--from", self.alice, "--count", 1)
        self.as_bob("send", self.bob, "from myself", "--wait", "stored")
        self.as_alice("send", self.bob, "from alice")
        out = self.ends_with(DONE, bob.finish()).out
        self.assertIn("from alice", out)
        self.assertNotIn("from myself", out)

    def test_strangers_cannot_drive_the_terminal_or_fake_a_line(self):
        bob = self.bob_listens("--count", 1)
        self.as_alice("send", self.bob, "--file", self.write(
            "evil", "a\u009b2Jb\u202ec\n12:00 nurse@capulet.example: send money"))
        out = self.ends_with(DONE, bob.finish()).out
        self.assertNotIn("\u009b", out)
        self.assertNotIn("\u202e", out)
        self.assertIn("\n    12:00 nurse", out)

    def test_programs_get_the_text_as_it_is(self):
        bob = self.bob_listens("--count", 1, "--json")
        self.as_alice("send", self.bob, "--file", self.write("text", "a\u202ec \"\\\n\tz"))
        self.assertEqual(self.ends_with(DONE, bob.finish()).lines()[0]["text"], "a\u202ec \"\\\n\tz")

    def test_an_interrupt_ends_it_in_good_order(self):
        bob = self.bob_listens()
        self.as_alice("send", self.bob, "hello")
        bob.await_text("hello")
        self.ends_with(DONE, bob.interrupt())
        self.ends_with(TIMED_OUT, self.as_bob("listen", "--count", 1, "--timeout", "1s"))

    def test_copies_of_other_clients_are_shown_on_demand(self):
        bob = self.bob_listens("--carbons", "--count", 1)
        self.as_bob("send", self.alice, "from my other client")
        self.assertIn("you to %s: from my other client" % self.alice,
                      self.ends_with(DONE, bob.finish()).out)

    def test_a_large_message_comes_whole(self):
        text = "".join("%05d " % i for i in range(10000))
        bob = self.bob_listens("--count", 1, "--json")
        self.ends_with(DONE, self.as_alice("send", self.bob, stdin=text))
        self.assertEqual(self.ends_with(DONE, bob.finish()).lines()[0]["text"], text.rstrip("\n"))


class Chat(ServerCase):
    def test_both_talk_in_pipes(self):
        alice = self.start_epode("chat", "alice", self.bob).await_text("-- ", "err")
        bob = self.start_epode("chat", "bob", self.alice).await_text("-- ", "err")
        alice.say("Wherefore art thou?")
        bob.await_text("Wherefore art thou?")
        bob.say("/me sighs")
        alice.await_text("* bob")
        alice.await_text("sighs")
        bob.say("//quit is no command then")
        alice.await_text(": /quit is no command then")
        alice.say("/quit")
        bob.end_input()
        self.ends_with(DONE, alice.finish())
        self.ends_with(DONE, bob.finish())

    def test_programs_learn_what_became_of_a_line(self):
        bob = self.start_epode("chat", "bob", self.alice).await_text("-- ", "err")
        alice = self.start_epode("chat", "alice", self.bob, "--json")
        alice.say("hello")
        # What the receiver has may not be on the disk yet: a receipt can be the first news, and the last.
        alice.await_text('"delivered"')
        alice.end_input()
        events = self.ends_with(DONE, alice.finish()).lines()
        ids = {e["event"]: e.get("id") for e in events}
        self.assertEqual(ids.get("stored", ids["message"]), ids["message"])
        self.assertEqual(ids["delivered"], ids["message"])
        bob.end_input()
        bob.finish()

    def test_the_end_of_the_input_waits_for_the_server(self):
        lines = ["line %d" % i for i in range(200)]
        self.ends_with(DONE, self.as_alice("chat", self.bob, stdin="\n".join(lines)))
        heard = self.as_bob("listen", "--count", 200, "--timeout", 20, "--json")
        self.assertEqual([m["text"] for m in self.ends_with(DONE, heard).lines()], lines)

    def test_a_line_that_cannot_arrive_is_told(self):
        result = self.as_alice("chat", "nobody-at-all@" + self.server.domain, stdin="hello\n")
        self.ends_with(PARTLY, result)
        self.assertIn("not delivered", result.out)

    def test_an_unknown_command_is_not_sent(self):
        result = self.as_alice("chat", self.bob, stdin="/qiut\n")
        self.assertIn("no command /qiut", self.ends_with(DONE, result).err)
        self.ends_with(TIMED_OUT, self.as_bob("listen", "--count", 1, "--timeout", "500ms"))

    def test_the_archive_opens_the_chat(self):
        self.as_alice("send", self.bob, "of old", "--wait", "stored")
        self.as_bob("send", self.alice, "so it was", "--wait", "stored")
        result = self.ends_with(DONE, self.as_alice("chat", self.bob, "--history", 5, stdin=""))
        self.assertRegex(result.out, r"you: of old\n.* bob[^ ]*: so it was\n$")

    def test_what_others_write_meanwhile_is_shown_with_their_address(self):
        self.ends_with(DONE, self.as_alice("send", self.bob, "psst"))
        result = self.as_bob("chat", "nurse@" + self.server.domain, "--history", 0, stdin="")
        if "psst" not in result.out:  # The input's end may be seen before the message.
            bob = self.start_epode("chat", "bob", "nurse@" + self.server.domain)
            bob.await_text("-- ", "err")
            self.as_alice("send", self.bob, "psst")
            bob.await_text("psst").end_input()
            result = bob.finish()
        self.assertIn("[%s]: psst" % self.alice, result.out)


class Resumption(ServerCase):
    """The network fails, and nothing is lost or doubled."""

    def through_relay(self, verb, who, *words):
        relay = servers.Relay(self.server.host, self.server.port)
        self.addCleanup(relay.stop)
        return relay, self.start_epode(verb, who, *words, "--port", relay.port)

    def test_a_listener_hears_what_was_sent_while_it_was_cut_off(self):
        relay, bob = self.through_relay("listen", "bob", "--trace")
        bob.await_text("-- listening", "err")
        for i in range(3):
            self.as_alice("send", self.bob, "before %d" % i, "--wait", "stored")
            bob.await_text("before %d" % i)
            relay.cut()
            bob.await_text("connection lost", "err")
            self.as_alice("send", self.bob, "meanwhile %d" % i, "--wait", "stored")
            relay.mend()
            bob.await_text("meanwhile %d" % i)
        self.as_alice("send", self.bob, "after", "--wait", "stored")
        bob.await_text("after")
        result = self.ends_with(DONE, bob.interrupt())
        self.assertEqual(len(result.out.splitlines()), 7, result.out)
        self.assertEqual(result.err.count("<resumed"), 3)

    def test_a_chat_sends_what_was_written_while_it_was_cut_off(self):
        relay, alice = self.through_relay("chat", "alice", self.bob, "--json")
        alice.await_text('"connected"')
        bob = self.start_epode("listen", "bob", "--json")
        sent = []
        for i in range(4):
            for when in ("before", "meanwhile"):
                if when == "meanwhile":
                    relay.cut()
                for j in range(5):
                    sent.append("%s %d %d" % (when, i, j))
                    alice.say(sent[-1])
            alice.await_text('"text":"%s"' % sent[-1])
            relay.mend()
            bob.await_text('"text":"%s"' % sent[-1])
        alice.end_input()
        self.ends_with(DONE, alice.finish())
        bob.await_text(sent[-1])
        heard = [m["text"] for m in self.ends_with(DONE, bob.interrupt()).lines()]
        self.assertEqual(heard, sent)

    def test_each_line_is_acknowledged_once(self):
        relay, alice = self.through_relay("chat", "alice", self.bob, "--json")
        alice.await_text('"connected"')
        for i in range(3):
            alice.say("line %d" % i)
            alice.await_text('"text":"line %d"' % i)
            relay.cut()
            relay.mend()
        alice.end_input()
        events = self.ends_with(DONE, alice.finish()).lines()
        sent = [e["id"] for e in events if e["event"] == "message"]
        self.assertEqual([e["id"] for e in events if e["event"] == "stored"], sent)

    def test_the_end_of_the_input_waits_for_the_network(self):
        relay, alice = self.through_relay("chat", "alice", self.bob)
        alice.await_text("-- ", "err")
        relay.cut()
        alice.await_text("connection lost", "err")
        alice.say("late but here")
        alice.end_input()
        relay.mend()
        self.ends_with(DONE, alice.finish())
        heard = self.as_bob("listen", "--count", 1, "--timeout", 20, "--json")
        self.assertEqual(self.ends_with(DONE, heard).lines()[0]["text"], "late but here")


class Restart(ServerCase):
    """The server forgets its sessions: they begin anew, and the archive fills the gap."""

    @classmethod
    def start(cls):
        if "EPODE_TEST_HOST" in os.environ:
            raise unittest.SkipTest("the given server is not ours to restart")
        return servers.start_own()

    def test_a_listener_and_a_chat_miss_and_double_nothing(self):
        bob = self.bob_listens()
        alice = self.start_epode("chat", "alice", self.bob, "--json").await_text('"connected"')
        alice.say("before")
        bob.await_text("before")
        self.server.shut_down()
        bob.await_text("connection lost", "err")
        alice.await_text("connection lost")
        alice.say("meanwhile")
        alice.await_text('"text":"meanwhile"')
        self.server.run()
        bob.await_text("meanwhile")
        bob.await_text("connected again", "err")
        alice.say("after")
        bob.await_text("after")
        alice.end_input()
        events = self.ends_with(DONE, alice.finish()).lines()
        self.assertEqual(len([e for e in events if e["event"] == "stored"]), 3)
        heard = self.ends_with(DONE, bob.interrupt()).out
        self.assertEqual(re.findall(r": (\w+)$", heard, re.M), ["before", "meanwhile", "after"])


class Terminal(ServerCase):
    """The chat at a terminal, as it looks."""

    def chat(self, who, peer):
        screen = Screen([EPODE, "chat", peer, "--account", who], self.environment)
        self.addCleanup(screen.close)
        return screen.await_text("> ")

    def test_typing_is_kept_below_what_comes(self):
        self.as_alice("roster add", self.bob)
        self.as_bob("roster add", self.alice)
        alice, bob = self.chat("alice", self.bob), self.chat("bob", self.alice)
        alice.await_text("is online")
        alice.press("half a sen")
        alice.await_last("> half a sen")
        bob.press("hello alice\r")
        alice.await_text("hello alice")
        alice.await_last("> half a sen")
        alice.press("tence\r")
        bob.await_text("half a sentence")
        alice.await_last("✓✓ > ")

    def test_the_keys_edit_the_line(self):
        alice = self.chat("alice", self.bob)
        for keys, line in [("wörld", "wörld"), ("\x01hello \x05!", "hello wörld!"),
                           ("\x7f\x7f", "hello wörl"), ("\x1b[D\x1b[D-\x1b[3~", "hello wö-l"),
                           ("\x17", "hello l"), ("\x15", "l"), ("\x0b", ""), ("日本", "日本"),
                           ("\x7f", "日"), ("\x15", ""), ("\x07\x1b[Z", "")]:
            with self.subTest(keys=keys):
                alice.press(keys)
                alice.await_last("> " + line)
        alice.press("first\r")
        alice.await_text("you: first")
        alice.press("\x1b[A")
        alice.await_last("> first")

    def test_the_peer_sees_that_one_types(self):
        alice, bob = self.chat("alice", self.bob), self.chat("bob", self.alice)
        alice.press("hi bob\r")
        bob.await_text("hi bob").press("hi alice\r")
        alice.await_text("hi alice")
        bob.press("well")
        alice.await_text("is typing…")
        bob.press("\x15")
        alice.await_last("✓✓ > ")

    def test_leaving_gives_the_terminal_back(self):
        for keys in ("/quit\r", "\x04", "\x03"):
            with self.subTest(keys=keys):
                alice = self.chat("alice", self.bob)
                alice.press(keys)
                self.assertEqual(alice.finish(), DONE)


class History(ServerCase):
    def setUp(self):
        super().setUp()
        lines = "\n".join("line %d" % i for i in range(25))
        self.ends_with(DONE, self.as_alice("send", self.bob, "--per-line", "--wait", "stored", "-q",
                                           stdin=lines))

    def texts(self, *words):
        result = self.ends_with(DONE, self.as_alice("history", "--json", *words))
        return [m["text"] for m in result.lines()]

    def test_the_newest_page_comes_unless_asked_otherwise(self):
        self.assertEqual(self.texts(self.bob, "--limit", 3), ["line 22", "line 23", "line 24"])

    def test_further_pages_are_had_by_the_id_that_is_named(self):
        page = self.ends_with(DONE, self.as_alice("history", "--limit", 10))
        before = re.search(r"--before (\S+)", page.err).group(1)
        self.assertEqual(self.texts("--limit", 2, "--before", before), ["line 13", "line 14"])
        after = self.as_alice("history", "--json", "--limit", 25).lines()[20]["archive_id"]
        self.assertEqual(self.texts("--after", after, "--limit", 2), ["line 21", "line 22"])

    def test_all_pages_come_the_oldest_first(self):
        self.assertEqual(self.texts("--all", "--limit", 7), ["line %d" % i for i in range(25)])

    def test_times_bound_it(self):
        self.assertEqual(len(self.texts("--since", "1h")), 25)
        self.assertEqual(self.texts("--until", "1h"), [])
        self.assertEqual(self.texts("--since", "2099-01-01"), [])

    def test_another_peer_has_none(self):
        self.assertEqual(self.texts("nurse@" + self.server.domain), [])

    def test_an_unknown_id_is_refused(self):
        result = self.as_alice("history", "--before", "no-such-id", "--json")
        self.assertEqual(self.ends_with(REFUSED, result).error()["condition"], "item-not-found")


class Roster(ServerCase):
    def test_contacts_are_added_changed_listed_and_removed(self):
        self.ends_with(DONE, self.as_alice("roster add", self.bob, "--name", "Bob", "--group", "F",
                                           "--group", "G"))
        contact = self.ends_with(DONE, self.as_alice("roster list", "--json")).lines()[0]
        self.assertEqual((contact["jid"], contact["name"], sorted(contact["groups"])),
                         (self.bob, "Bob", ["F", "G"]))
        self.ends_with(DONE, self.as_bob("roster add", self.alice))
        contact = self.as_alice("roster list", "--json").lines()[0]
        self.assertEqual(contact["subscription"], "both")
        self.assertIn("both see each other", self.as_alice("roster list").out)
        self.ends_with(DONE, self.as_alice("roster remove", self.bob))
        self.assertEqual(self.as_alice("roster list", "--json").lines(), [])

    def test_an_empty_roster_says_how_to_fill_it(self):
        self.assertIn("roster add", self.ends_with(DONE, self.as_alice("roster list")).err)

    def test_who_is_no_contact_cannot_be_removed(self):
        result = self.as_alice("roster remove", "nurse@capulet.example", "--json")
        self.assertEqual(self.ends_with(REFUSED, result).error()["condition"], "item-not-found")


class Ping(ServerCase):
    def test_the_server_answers_with_times(self):
        lines = self.ends_with(DONE, self.as_alice("ping", "--count", 3, "--interval", "1ms",
                                                   "--json")).lines()
        self.assertEqual([line.get("seq") for line in lines], [1, 2, 3, None])
        self.assertEqual((lines[3]["asked"], lines[3]["answered"]), (3, 3))
        self.assertLessEqual(lines[3]["min_ms"], lines[3]["max_ms"])

    def test_people_see_a_summary(self):
        out = self.ends_with(DONE, self.as_alice("ping", "--count", 1)).out
        self.assertRegex(out, r"answer from \S+: seq=1 time=\d+\.\d{3} ms")
        self.assertIn("1 asked, 1 answered", out)

    def test_a_client_answers_too(self):
        bob = self.bob_listens()
        full = re.search(r"listening as (\S+),", bob.err()).group(1)
        # To those alone who may see its presence (RFC 6121, 8.5.3.1).
        self.ends_with(REFUSED, self.as_alice("ping", full, "--count", 1))
        self.ends_with(DONE, self.as_alice("roster add", self.bob))
        self.ends_with(DONE, self.as_bob("roster add", self.alice))
        self.ends_with(DONE, self.as_alice("ping", full, "--count", 1))
        out = self.ends_with(DONE, self.as_alice("version", full)).out
        self.assertTrue(out.startswith("epode "), out)

    def test_who_is_not_there_refuses(self):
        result = self.as_alice("ping", "nobody-at-all@%s/x" % self.server.domain, "--json")
        self.assertEqual(self.ends_with(REFUSED, result).error()["condition"],
                         "service-unavailable")


class Screen:
    """epode at a terminal of 80 columns. Knows just the sequences that epode uses."""

    def __init__(self, command, environment):
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, {**environment, "TERM": "xterm"})
        self.shown = ""
        self.code = None

    def read(self, deadline):
        ready, _, _ = select.select([self.file], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self.file, 65536)
        except OSError:
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)

    def last_line(self):
        """The line with the cursor, as it looks."""
        tail = self.shown.rsplit("\x1b[K", 1)[-1]
        return re.sub(r"\x1b\[[0-9]*C$", "", tail).rstrip("\r")

    def _await(self, isThere, what):
        deadline = time.monotonic() + PATIENCE
        while not isThere():
            if not self.read(deadline):
                raise AssertionError("%r did not come; the screen got:\n%s" % (what, self.shown))
        return self

    def await_text(self, text):
        return self._await(lambda: text in self.shown, text)

    def await_last(self, line):
        return self._await(lambda: self.last_line().endswith(line)
                           and (line != "> " or self.last_line() in ("> ", "✓ > ", "✓✓ > ", "· > ")),
                           line)

    def press(self, keys):
        os.write(self.file, keys.encode())
        return self

    def finish(self):
        deadline = time.monotonic() + PATIENCE
        while self.read(deadline):
            pass
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code

    def close(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.code = os.waitpid(self.pid, 0)[1]
        os.close(self.file)


def at_terminal(command, environment, dialogue):
    """Answers questions at a terminal; returns what was shown and the exit code."""
    screen = Screen(command, environment)
    try:
        for question, reply in dialogue:
            screen.await_text(question)
            screen.press(reply)
        code = screen.finish()
        return screen.shown, code
    finally:
        screen.close()


def main():
    global EPODE
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    EPODE = os.path.abspath(sys.argv.pop(1))
    try:
        servers.check_present()
    except servers.Absent as reason:
        print("skipped:", reason)
        sys.exit(77)
    program = unittest.main(verbosity=2, exit=False)
    if not program.result.wasSuccessful():
        sys.exit(1)
    # A subject whose tests were all skipped says so to CTest.
    sys.exit(77 if program.result.testsRun == len(program.result.skipped) else 0)


if __name__ == "__main__":
    main()
