#!/usr/bin/python3
"""Runs a server of Swift with its swift.conf in a folder of ours: swift_server.py FOLDER PROGRAM WORDS..."""
import runpy
import sys

folder, program, *words = sys.argv[1:]
import swift.common.utils  # noqa: E402

swift.common.utils.SWIFT_CONF_FILE = folder + "/swift.conf"
sys.argv = [program, *words]
runpy.run_path(program, run_name="__main__")
