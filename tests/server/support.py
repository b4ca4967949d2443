"""What the end-to-end tests of the server share: starting gemma3n serve, and HTTP over plain sockets.

The program is $GEMMA3N_BIN, the repository $GEMMA3N_SOURCE. The model is models/tiny of this repository.
"""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

BIN = os.environ.get('GEMMA3N_BIN', 'build/release/bin/gemma3n')
SOURCE = pathlib.Path(os.environ.get('GEMMA3N_SOURCE', pathlib.Path(__file__).resolve().parents[2]))
MODEL = SOURCE / 'models' / 'tiny'
EXAMPLES = SOURCE / 'examples'
PATIENCE = float(os.environ.get('GEMMA3N_PATIENCE', 1))  # what limits of time are multiplied by: a sanitizer is slow


class Server:
    """A running gemma3n serve: with Server('--parallel', 4) as server: server.url, server.port, ...

    One thread unless a test says otherwise: on a busy machine the threads of a tiny model only wait for each other.
    """

    def __init__(self, *args, model=MODEL, env=None):
        args = [str(a) for a in args]
        if '--threads' not in args:
            args += ['--threads', '1']
        if '--port' not in args and '--unix-socket' not in args:
            args += ['--port', '0']
        self._stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen([BIN, 'serve', '--model', str(model), *args], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self._stderr, env=env)
        guard = threading.Timer(60 * PATIENCE, self.process.kill)
        guard.start()
        line = self.process.stdout.readline().decode()
        guard.cancel()
        if not line.startswith('listening on '):
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            raise AssertionError(f'the server did not start: {line!r} {self.stderr()[-2000:]!r}')
        self.url = line[len('listening on '):].rstrip('\n')
        found = re.fullmatch(r'http://(.*):(\d+)', self.url)
        self.host, self.port = (found[1].strip('[]'), int(found[2])) if found else (None, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop(check=exc[0] is None)

    def stderr(self):
        self._stderr.seek(0)
        return self._stderr.read().decode(errors='replace')

    def stop(self, number=signal.SIGTERM, check=True, timeout=60):
        """Ends the server and returns its exit code; with check it must be 0 after SIGTERM or SIGINT. With
        number None only waits."""
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError('the server does not end') from None
        finally:
            self.process.stdout.close()
        if check and number != signal.SIGKILL and code != 0:
            raise AssertionError(f'the server ended with {code}: {self.stderr()[-2000:]}')
        self._stderr.close()
        return code

    def connect(self, timeout=30, receive_buffer=None):
        """A plain socket to the server."""
        sock = socket.socket(socket.AF_INET6 if ':' in self.host else socket.AF_INET)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(timeout * PATIENCE)
        try:
            sock.connect((self.host, self.port))
        except OSError:
            sock.close()
            raise
        return sock

    def request(self, method, path, body=None, headers=None, timeout=60):
        """One request on a connection of its own: status, headers (lower-case names), body (bytes). A body that is no
        bytes and no text is sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault('Content-Type', 'application/json')
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout * PATIENCE)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def get(self, path, **kwargs):
        return self.request('GET', path, **kwargs)

    def post(self, path, body, **kwargs):
        return self.request('POST', path, body, **kwargs)

    def json(self, method, path, body=None, status=200, **kwargs):
        """The answer's JSON; its status must be `status`."""
        got, _, text = self.request(method, path, body, **kwargs)
        if got != status:
            raise AssertionError(f'{method} {path}: status {got}, expected {status}: {text[:500]!r}')
        return json.loads(text)

    def events(self, path, body, headers=None, timeout=60):
        """POSTs and yields the server-sent events of the answer as (event or None, data) while they come."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout * PATIENCE)
        try:
            connection.request('POST', path, json.dumps(body), {'Content-Type': 'application/json', **(headers or {})})
            response = connection.getresponse()
            if response.status != 200:
                raise AssertionError(f'POST {path}: status {response.status}: {response.read()[:500]!r}')
            yield from parse_events(response)
        finally:
            connection.close()

    def metrics(self):
        """Samples of /metrics: name with labels -> value."""
        status, _, text = self.get('/metrics')
        assert status == 200, text
        lines = [line for line in text.decode().splitlines() if line and not line.startswith('#')]
        return {name: float(value) for name, value in (line.rsplit(' ', 1) for line in lines)}

    def wait_for_metric(self, name, wanted, timeout=90):
        """Returns when the sample has the wanted value."""
        deadline = time.monotonic() + timeout * PATIENCE
        while (value := self.metrics().get(name)) != wanted:
            if time.monotonic() > deadline:
                raise AssertionError(f'{name} is {value}, expected {wanted}')
            time.sleep(0.02)


def parse_events(lines):
    """(event or None, data) of a stream of server-sent events, from its lines as bytes."""
    event, data = None, []
    for line in lines:
        line = line.decode().rstrip('\r\n')
        if line.startswith('event:'):
            event = line[6:].strip()
        elif line.startswith('data:'):
            data.append(line[5:].removeprefix(' '))
        elif not line and data:
            yield event, '\n'.join(data)
            event, data = None, []


class ServerTest(unittest.TestCase):
    """Each test class gets one server, self.server, with the arguments in ARGS."""
    ARGS = ()
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.ARGS)
        cls.addClassCleanup(cls.server.stop)
