"""A program in a terminal (tmux) that a test types into and reads from, polling with a deadline."""
import asyncio
import os
import re
import subprocess
import time

import support


class Terminal:
    def __init__(self, command, environment=None, name="tmux"):
        support.need("tmux")
        self.socket = os.path.join(support.FOLDER, name)
        self.environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TERM": "screen",
                            "HOME": support.FOLDER, **(environment or {})}
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "150", "-y", "50", *command)
        self.tmux("set-option", "-g", "remain-on-exit", "on")

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-S", self.socket, *words], env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"tmux {words[0]}: {done.stderr}")
        return done.stdout

    def screen(self):
        return self.tmux("capture-pane", "-p", "-S", "-200")

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def key(self, *names):
        self.tmux("send-keys", *names)

    async def says(self, pattern, patience=support.PATIENCE):
        """Waits until the screen matches the regular expression; returns the match."""
        end = time.monotonic() + patience
        while True:
            shown = self.screen()
            match = re.search(pattern, shown, re.M)
            if match:
                return match
            if time.monotonic() > end:
                raise AssertionError(f"the screen doesn't show /{pattern}/ within {patience} s:\n{shown}")
            await asyncio.sleep(0.1)  # lint: polls

    async def does(self, line, pattern, patience=support.PATIENCE):
        """Types a line and waits for what it brings up."""
        self.type(line)
        self.key("Enter")
        return await self.says(pattern, patience)

    async def shows(self, line, pattern, patience=support.PATIENCE):
        """Types a line that shows something, again and again until it shows what it shall: what the
        program knows by then came over another way than what the test has waited for."""
        end = time.monotonic() + patience
        while True:
            try:
                return await self.does(line, pattern, 1)
            except AssertionError:
                if time.monotonic() > end:
                    raise

    async def ends(self):
        """Waits until the program has ended by itself."""
        end = time.monotonic() + support.PATIENCE
        while self.tmux("display-message", "-p", "#{pane_dead}").strip() != "1":
            if time.monotonic() > end:
                raise AssertionError(f"the program doesn't end within {support.PATIENCE} s:\n{self.screen()}")
            await asyncio.sleep(0.1)  # lint: polls

    def close(self):
        try:
            self.tmux("kill-server")
        except AssertionError:
            pass
