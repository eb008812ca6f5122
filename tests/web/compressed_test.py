#!/usr/bin/python3
"""A case of page_test.mjs with compressed messages over WebSocket: compressed_test.py NODE CASE, run through server.py."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop"))
import proxies  # noqa: E402
import support  # noqa: E402

if not support.PORT:
    sys.exit("run me through tests/interop/server.py")
config = os.path.join(proxies.TOP, "epode.toml")
with open(config) as file:
    text = file.read()
with open(config, "w") as out:
    out.write(proxies.replaced(text, "[http]\n", "[http]\nwebsocket_compression = true\n"))
proxies.control("reload")
done = subprocess.run([sys.argv[1], os.path.join(HERE, "page_test.mjs"), sys.argv[2]],
                      env={**os.environ, "EPODE_TEST_COMPRESSED": "1"}, timeout=160)
sys.exit(done.returncode)
