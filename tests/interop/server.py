#!/usr/bin/env python3
"""Starts a server on free ports with a fresh data folder, runs a command against it, and stops it.

  server.py [--accounts NAME,...] [--] COMMAND...

The command finds in its environment:
  EPODE_TEST_HOST, EPODE_TEST_PORT (STARTTLS), EPODE_TEST_TLS_PORT (direct TLS), EPODE_TEST_DOMAIN
  EPODE_TEST_HTTP_PORT, EPODE_TEST_HTTPS_PORT, and EPODE_TEST_FRONT_PORT for a proxy that a test starts
  EPODE_TEST_CA         the authority that has signed the server's certificate
  EPODE_TEST_ACCOUNTS   romeo:password,juliet:password
  EPODE_TEST_DATA       the server's data folder
  EPODE_TEST_FOLDER     a folder of its own, removed afterwards
  EPODE_TEST_COMPONENT_PORT, EPODE_TEST_COMPONENT_SECRET   for the components echo.<domain> and irc.<domain>
  EPODE_TEST_CONTROL    epodectl with the server's socket, as one line for a shell (Epode only)
  EPODE_TEST_TURN_PORT, EPODE_TEST_TURN_SECRET   of a TURN server that clients are told of; a test starts it
  EPODE_TEST_UPLOAD, when it is set before, are further lines of the server's configuration for uploads,
  EPODE_TEST_MORE further sections of it, EPODE_TEST_DISABLED plugins that it does without (Epode only).
The server is Epode ($EPODE_SERVER, default build/bin/epoded), or with EPODE_TEST_SERVER=prosody
Debian's Prosody, which shows that a test is fair. With EPODE_TEST_HOST, EPODE_TEST_PORT and the others
set already, that running server is used as it is.

The exit status is the command's (77: skipped). When it fails, the end of the server's log is shown.
"""
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DOMAIN = "capulet.example"
SKIPPED = 77
START_SECONDS = 30


def fail(text):
    print("server.py: " + text, file=sys.stderr)
    sys.exit(1)


def free_ports(count):
    """Ports that nobody had a moment ago; all are held until all are known."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        fail("openssl: " + done.stderr)


def make_certificates(folder):
    """An authority of our own and a certificate for the domain: as a client meets them in life."""
    def path(name):
        return os.path.join(folder, name)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=Authority of the interop tests", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", path("ca.key"), "-out", path("ca.pem"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + DOMAIN,
            "-keyout", path("server.key"), "-out", path("server.csr"))
    with open(path("extensions"), "w") as out:
        out.write(f"subjectAltName=DNS:{DOMAIN},DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n"
                  "extendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", path("server.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
            "-days", "2", "-extfile", path("extensions"), "-out", path("server.crt"))
    # One file with chain and key, as Epode takes it; Prosody takes two.
    with open(path("server.pem"), "w") as out:
        for name in ("server.crt", "ca.pem", "server.key"):
            with open(path(name)) as part:
                out.write(part.read())


def fill(template, result, values):
    with open(os.path.join(HERE, template)) as file:
        text = file.read()
    for name, value in values.items():
        text = text.replace("@" + name + "@", str(value))
    with open(result, "w") as out:
        out.write(text)


class Server:
    """log is the file that holds what it has to say."""

    def __init__(self, folder):
        self.folder = folder
        (self.port, self.tls_port, self.turn_port, self.proxy_port, self.component_port, self.http_port, self.https_port,
         self.front_port) = free_ports(8)
        self.turn_secret = secrets.token_hex(16)
        self.component_secret = secrets.token_hex(16)
        self.control_command = ""
        self.data = os.path.join(folder, "data")
        os.mkdir(self.data)
        self.log = os.path.join(folder, "server.log")
        # First: others of these names may be in it.
        self.values = {"MORE": os.environ.get("EPODE_TEST_MORE", ""),
                       "DISABLED": ", ".join(f'"{name}"' for name in os.environ.get("EPODE_TEST_DISABLED", "").split()),
                       "DATA": self.data, "PORT": self.port, "TLS_PORT": self.tls_port, "DOMAIN": DOMAIN,
                       "CERTIFICATE": os.path.join(folder, "server.pem"), "KEY": os.path.join(folder, "server.key"),
                       "TURN_PORT": self.turn_port, "TURN_SECRET": self.turn_secret,
                       "PROXY_PORT": self.proxy_port, "COMPONENT_PORT": self.component_port,
                       "COMPONENT_SECRET": self.component_secret,
                       "HTTP_PORT": self.http_port, "HTTPS_PORT": self.https_port,
                       "UPLOAD": os.environ.get("EPODE_TEST_UPLOAD", "")}
        self.process = None

    def spawn(self, command):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def wait_until_open(self):
        end = time.monotonic() + START_SECONDS
        for port in (self.port, self.tls_port):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    pass
                if self.process.poll() is not None:
                    return f"it ended with {self.process.returncode}"
                if time.monotonic() > end:
                    return f"port {port} did not open in {START_SECONDS} s"
                time.sleep(0.02)  # lint: polls
        # Open, but by us? Somebody may have been quicker with the port.
        return None if self.process.poll() is None else f"it ended with {self.process.returncode}"

    def stop(self):
        """Asks it to stop. Returns what is wrong with its end, if anything."""
        if self.process is None:
            return None
        early = self.process.poll()
        if early is not None:
            return f"the server ended during the test ({early})"
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "the server did not stop within 20 s"
        return None


class Epode(Server):
    name = "epode"

    def start(self):
        build = os.environ.get("EPODE_BUILD", os.path.join(HERE, "../../build"))
        self.binary = os.environ.get("EPODE_SERVER", os.path.join(build, "bin/epoded"))
        self.control = os.environ.get("EPODE_CONTROL", os.path.join(os.path.dirname(self.binary), "epodectl"))
        if not os.access(self.binary, os.X_OK):
            fail(f"there is no server at {self.binary}; build it, or set EPODE_SERVER or EPODE_TEST_SERVER=prosody")
        config = os.path.join(self.folder, "epode.toml")
        fill("epode.toml.in", config, self.values)
        self.control_command = shlex.join([self.control, "--socket", os.path.join(self.data, "control.sock")])
        self.spawn([self.binary, "--config", config, "--data", self.data])

    # The door for commands opens after those for clients.
    def wait_until_open(self):
        wrong = super().wait_until_open()
        end = time.monotonic() + START_SECONDS
        while wrong is None:
            done = subprocess.run([self.control, "--socket", os.path.join(self.data, "control.sock"), "status"],
                                  capture_output=True, text=True, timeout=30)
            if done.returncode == 0:
                return None
            if self.process.poll() is not None or time.monotonic() > end:
                return "it takes no commands: " + done.stderr
            time.sleep(0.02)  # lint: polls
        return wrong

    def add_account(self, name, password):
        done = subprocess.run([self.control, "--socket", os.path.join(self.data, "control.sock"), "user", "add",
                               f"{name}@{DOMAIN}", "--password-file", "-"],
                              input=password + "\n", capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            fail(f"epodectl user add: {done.stdout}{done.stderr}")

    # A clean end is part of what is tested.
    def stop(self):
        wrong = super().stop()
        if wrong is None and self.process is not None and self.process.returncode != 0:
            wrong = f"the server ended with status {self.process.returncode}"
        return wrong


class Prosody(Server):
    name = "prosody"

    def start(self):
        if shutil.which("prosody") is None:
            print("Prosody is not installed.")
            sys.exit(SKIPPED)
        self.values["CERTIFICATE"] = os.path.join(self.folder, "server.crt")
        self.config = os.path.join(self.folder, "prosody.cfg.lua")
        fill("prosody.cfg.lua.in", self.config, self.values)
        self.spawn(["prosody", "-F", "--config", self.config])
        self.log = os.path.join(self.data, "prosody.log")

    def add_account(self, name, password):
        sys.path.insert(0, os.path.join(HERE, "../crash"))
        import xmpplite
        if not xmpplite.register("127.0.0.1", self.port, DOMAIN, name, password, tls="starttls"):
            fail("Prosody did not register " + name)


def tail(path, lines=60):
    try:
        with open(path, errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError as error:
        return str(error) + "\n"


def run_command(command, environment):
    """In a group of its own, so that what it leaves behind ends with it."""
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)

    def end(*_):
        try:
            os.killpg(process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    status = process.wait()
    end()
    return status


def main():
    arguments = sys.argv[1:]
    accounts = ["romeo", "juliet"]
    while arguments and arguments[0].startswith("-"):
        word = arguments.pop(0)
        if word == "--":
            break
        if word == "--accounts" and arguments:
            accounts = arguments.pop(0).split(",")
        else:
            print(__doc__, file=sys.stderr)
            sys.exit(2)
    if not arguments:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    if os.environ.get("EPODE_TEST_PORT"):
        with tempfile.TemporaryDirectory(prefix="epode-interop-") as folder:
            sys.exit(run_command(arguments, dict(os.environ, EPODE_TEST_FOLDER=folder)))

    # Short: the path of a UNIX socket has 108 bytes.
    with tempfile.TemporaryDirectory(prefix="epode-") as folder:
        make_certificates(folder)
        for attempt in (1, 2, 3):
            kind = {"prosody": Prosody, "epode": Epode}[os.environ.get("EPODE_TEST_SERVER", "epode")]
            server = kind(folder)
            server.start()
            problem = server.wait_until_open()
            if problem is None:
                break
            # Somebody else may have taken a port between our look and the server's.
            server.stop()
            if attempt == 3:
                print(tail(os.path.join(folder, "server.log")) + tail(server.log), file=sys.stderr)
                fail("the server did not start: " + problem)
            shutil.rmtree(server.data)
        status, wrong = 1, None
        try:
            passwords = {name: secrets.token_hex(8) for name in accounts}
            for name, password in passwords.items():
                server.add_account(name, password)
            work = os.path.join(folder, "work")
            os.mkdir(work)
            status = run_command(arguments, dict(
                os.environ, EPODE_TEST_SERVER=server.name, EPODE_TEST_HOST="127.0.0.1",
                EPODE_TEST_PORT=str(server.port), EPODE_TEST_TLS_PORT=str(server.tls_port), EPODE_TEST_DOMAIN=DOMAIN,
                EPODE_TEST_CA=os.path.join(folder, "ca.pem"), EPODE_TEST_FOLDER=work, EPODE_TEST_DATA=server.data,
                EPODE_TEST_HTTP_PORT=str(server.http_port), EPODE_TEST_HTTPS_PORT=str(server.https_port),
                EPODE_TEST_FRONT_PORT=str(server.front_port),
                EPODE_TEST_TURN_PORT=str(server.turn_port), EPODE_TEST_TURN_SECRET=server.turn_secret,
                EPODE_TEST_COMPONENT_PORT=str(server.component_port),
                EPODE_TEST_COMPONENT_SECRET=server.component_secret, EPODE_TEST_CONTROL=server.control_command,
                EPODE_TEST_ACCOUNTS=",".join(f"{name}:{password}" for name, password in passwords.items())))
        finally:
            wrong = server.stop()
            if wrong or status not in (0, SKIPPED):
                print("---- the end of the server's log\n" + tail(server.log), file=sys.stderr)
            if wrong:
                print("server.py: " + wrong, file=sys.stderr)
        sys.exit(status or (1 if wrong else 0))


if __name__ == "__main__":
    main()
