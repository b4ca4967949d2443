"""The program on a pseudo-terminal, for tests that type and read as a person does."""
import os
import pty
import select
import signal
import termios
import time

import support


class Terminal:
    """The program on a pseudo-terminal."""

    def __init__(self, *args, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(support.BIN, support.command_line(*args), {**os.environ, 'TERM': 'xterm', **(env or {})})
        self.text = b''

    def expect(self, word, timeout=30):
        """Reads until `word` comes after what was expected before."""
        end = time.monotonic() + timeout
        while word not in self.text:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f'expected {word!r}, found {self.text[-2000:]!r}')
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b''
            if not data:
                raise AssertionError(f'expected {word!r} before the end, found {self.text[-2000:]!r}')
            self.text += data
        head, self.text = self.text.split(word, 1)
        # libedit writes its prompt before it takes the terminal over; what comes in between, the terminal itself would read.
        while word == b'> ' and termios.tcgetattr(self.fd)[3] & termios.ICANON and time.monotonic() < end:
            time.sleep(0.002)
        return head

    def send(self, data):
        os.write(self.fd, data)

    def finish(self, timeout=30):
        """Reads to the end; returns the exit code."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    if not os.read(self.fd, 65536):
                        break
                except OSError:
                    break
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        while pid == 0 and time.monotonic() < end:
            time.sleep(0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise AssertionError('did not end')
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)
