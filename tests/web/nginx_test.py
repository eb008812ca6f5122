#!/usr/bin/python3
"""A case of page_test.mjs with Debian's nginx in front: nginx_test.py NODE CASE, run through server.py."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop"))
import proxies  # noqa: E402
import support  # noqa: E402
import web_test  # noqa: E402

if not support.PORT:
    sys.exit("run me through tests/interop/server.py")
with proxies.in_front("nginx"):
    done = subprocess.run([sys.argv[1], os.path.join(HERE, "page_test.mjs"), sys.argv[2]],
                          env={**os.environ, "EPODE_TEST_HTTPS_PORT": str(web_test.FRONT_PORT),
                               "EPODE_TEST_FILES_PORT": str(web_test.HTTPS_PORT)}, timeout=160)
sys.exit(done.returncode)
