"""What the tests with other clients share: the server's whereabouts, skipping, polling."""
import os
import shutil
import sys
import time

SERVER = os.environ.get("EPODE_TEST_SERVER", "")
HOST = os.environ.get("EPODE_TEST_HOST", "127.0.0.1")
PORT = int(os.environ.get("EPODE_TEST_PORT", "0"))
TLS_PORT = int(os.environ.get("EPODE_TEST_TLS_PORT", "0"))
DOMAIN = os.environ.get("EPODE_TEST_DOMAIN", "")
CA = os.environ.get("EPODE_TEST_CA", "")
SERVER_DATA = os.environ.get("EPODE_TEST_DATA", "")
FOLDER = os.environ.get("EPODE_TEST_FOLDER", "/tmp")
ACCOUNTS = dict(pair.split(":", 1) for pair in os.environ.get("EPODE_TEST_ACCOUNTS", "").split(",") if pair)
SKIPPED = 77
# Long enough for a busy machine; nothing waits this long unless something is wrong.
PATIENCE = 30


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIPPED)


def need(program):
    # Servers are where the path of a user without rights may not look.
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        skip(program + " is not installed")
    return path


def poll(what, condition, patience=PATIENCE):
    """Waits until condition() is true and returns its value; fails with `what` when it never is."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {patience} s")
        time.sleep(0.05)  # lint: polls


def address(name):
    return f"{name}@{DOMAIN}"


def run_case(cases, words):
    """The main function of a test with several cases."""
    if len(words) != 1 or words[0] not in cases:
        print("which case? " + " ".join(cases), file=sys.stderr)
        sys.exit(2)
    if not PORT:
        print("run me through server.py", file=sys.stderr)
        sys.exit(2)
    return cases[words[0]]
