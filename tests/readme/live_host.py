"""A host in a process of its own, for tests that follow a page word for word."""
import signal
import subprocess
import time


class LiveHost:
    """Runs `command` and waits for its `jobhost ready` line; stop() ends it. What it logs is in the file `log`."""

    def __init__(self, command, cwd, log):
        self.log = log
        self._out = open(log, "w", encoding="utf-8")
        self._process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=self._out, text=True)
        ready = self._process.stdout.readline()
        if not ready.startswith("jobhost ready "):
            self.stop()
            raise AssertionError(f"the host did not start: {ready}\n{self.last_log()}")
        self.url = ready.split()[2]

    def last_log(self):
        return self.log.read_text(encoding="utf-8")[-4000:]

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._out.close()


def wait_for_type(test, plugins, name):
    """A dropped plugin is offered once it lay still: there is no event for that, so `plugins()`, its list, is asked."""
    deadline = time.monotonic() + 180
    while f'"{name}"' not in plugins():
        test.assertLess(time.monotonic(), deadline, f"the host never offered {name}")
        time.sleep(0.1)
