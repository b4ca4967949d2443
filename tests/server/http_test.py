"""HTTP as clients speak it, well or badly, over plain sockets."""
import json
import os
import pathlib
import random
import re
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import support

KEY = 'sk-0123456789abcdef'


def read_response(sock, head_only=False, rest=b''):
    """One answer with Content-Length from a socket: status, headers, body, what came after it."""
    data = rest
    while b'\r\n\r\n' not in data:
        piece = sock.recv(65536)
        if not piece:
            raise EOFError(data)
        data += piece
    head, _, data = data.partition(b'\r\n\r\n')
    lines = head.decode().split('\r\n')
    status = int(re.fullmatch(r'HTTP/1\.1 (\d{3}) .*', lines[0])[1])
    headers = dict(re.fullmatch(r'([^:]+): (.*)', line).groups() for line in lines[1:])
    if status == 100:
        return status, headers, b'', data
    length = 0 if head_only else int(headers.get('content-length', 0))
    while len(data) < length:
        piece = sock.recv(65536)
        if not piece:
            raise EOFError(data)
        data += piece
    return status, headers, data[:length], data[length:]


def read_all(sock):
    """Until the server closes; a reset counts as that."""
    data = b''
    try:
        while piece := sock.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def status_of(data):
    """Of a whole answer, or None where nothing came."""
    return int(data.split(b' ')[1]) if data else None


class RawTest(support.ServerTest):
    def exchange(self, data, shutdown=False):
        """Sends bytes and returns all that comes until the server closes."""
        with self.server.connect() as sock:
            sock.sendall(data)
            if shutdown:
                sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def request_bytes(self, line, *headers, body=b''):
        return '\r\n'.join([line, 'Host: localhost', *headers, '', '']).encode() + body


class FormTest(RawTest):
    def test_health(self):
        status, headers, body = self.server.get('/health')
        self.assertEqual((status, json.loads(body)), (200, {'status': 'ok'}))
        self.assertEqual(headers['content-type'], 'application/json')
        self.assertRegex(headers['date'], r'^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$')

    def test_request_ids(self):
        self.assertRegex(self.server.get('/health')[1]['x-request-id'], r'^req_[0-9a-f]{16}$')
        self.assertEqual(self.server.get('/health', headers={'X-Request-Id': 'mine-1'})[1]['x-request-id'], 'mine-1')
        odd = self.server.get('/health', headers={'X-Request-Id': 'a b<script>'})[1]['x-request-id']
        self.assertRegex(odd, r'^req_[0-9a-f]{16}$')

    def test_paths_and_methods(self):
        self.assertEqual(self.server.get('/health?verbose=1')[0], 200)
        self.assertEqual(self.server.get('/he%61lth')[0], 200)
        for path, form in (('/nothing', ('error', 'message')), ('/v1/nothing', ('error', 'message')), ('/api/nothing', ('error',)),
                           ('/v1/messages/nothing', ('error', 'message'))):
            status, _, body = self.server.get(path)
            self.assertEqual(status, 404, path)
            value = json.loads(body)
            for key in form:
                value = value[key]
            self.assertIn(path, value)
        for method in ('POST', 'PUT', 'DELETE', 'PATCH', 'BREW'):
            status, headers, _ = self.server.request(method, '/health')
            self.assertEqual((status, headers['allow']), (405, 'GET, HEAD, OPTIONS'), method)

    def test_head_and_options(self):
        get = self.server.get('/health')
        status, headers, body = self.server.request('HEAD', '/health')
        self.assertEqual((status, headers['content-length'], body), (200, str(len(get[2])), b''))
        status, headers, body = self.server.request('OPTIONS', '/health')
        self.assertEqual((status, headers['allow'], body), (204, 'GET, HEAD, OPTIONS', b''))
        self.assertNotIn('access-control-allow-origin', headers)

    def test_absolute_form(self):
        data = self.exchange(self.request_bytes('GET http://localhost/health HTTP/1.1', 'Connection: close'))
        self.assertEqual(status_of(data), 200)

    def test_keep_alive_and_close(self):
        with self.server.connect() as sock:
            for _ in range(50):
                sock.sendall(self.request_bytes('GET /health HTTP/1.1'))
                status, headers, _, rest = read_response(sock)
                self.assertEqual((status, rest), (200, b''))
                self.assertNotIn('connection', headers)
            sock.sendall(self.request_bytes('GET /health HTTP/1.1', 'Connection: close'))
            status, headers, _, _ = read_response(sock)
            self.assertEqual((status, headers['connection']), (200, 'close'))
            self.assertEqual(read_all(sock), b'')

    def test_http_1_0(self):
        data = self.exchange(b'GET /health HTTP/1.0\r\n\r\n')
        self.assertEqual(status_of(data), 200)
        self.assertIn(b'connection: close', data)
        with self.server.connect() as sock:
            for _ in range(2):
                sock.sendall(b'GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
                status, headers, _, _ = read_response(sock)
                self.assertEqual((status, headers['connection']), (200, 'keep-alive'))

    def test_pipelined(self):
        """Answers come in the order of their requests, and one that fails in the middle does not disturb the others."""
        paths = [f'/nothing/{i}' if i % 3 else '/health' for i in range(200)]
        with self.server.connect() as sock:
            sock.sendall(b''.join(self.request_bytes(f'GET {path} HTTP/1.1', f'X-Request-Id: {i}') for i, path in enumerate(paths)))
            rest = b''
            for i, path in enumerate(paths):
                status, headers, _, rest = read_response(sock, rest=rest)
                self.assertEqual((status, headers['x-request-id']), (200 if path == '/health' else 404, str(i)))

    def test_byte_by_byte(self):
        with self.server.connect() as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in self.request_bytes('GET /health HTTP/1.1', 'X-Request-Id: drip'):
                sock.send(bytes([byte]))
            self.assertEqual(read_response(sock)[0], 200)

    def test_half_closed(self):
        """A client that has shut down its sending side still gets its answers."""
        one = self.request_bytes('GET /health HTTP/1.1')
        data = self.exchange(one * 3, shutdown=True)
        self.assertEqual(data.count(b'HTTP/1.1 200 OK'), 3)
        self.assertEqual(self.exchange(b'', shutdown=True), b'')
        self.assertEqual(self.exchange(b'GET /hea', shutdown=True), b'')

    def test_empty_lines_between_requests(self):
        with self.server.connect() as sock:
            sock.sendall(b'\r\n\r\n' + self.request_bytes('GET /health HTTP/1.1') + b'\r\n' + self.request_bytes('GET /health HTTP/1.1'))
            _, _, _, rest = read_response(sock)
            self.assertEqual(read_response(sock, rest=rest)[0], 200)

    def test_malformed(self):
        bad = {
            400: [b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', b'hello\r\n\r\n', b'GET\r\n\r\n', b'GET  HTTP/1.1\r\n\r\n',
                  b'GET /health HTTP/1.1\r\n\r\n',  # no Host
                  b'GET /health HTTP/1.1\r\nHost: \r\n\r\n',
                  b'GET /health HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n',
                  b'GET /health HTTP/1.1\r\nHost: localhost\r\nNo colon\r\n\r\n',
                  b'GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n',
                  b'GET /health HTTP/1.1\r\nHost: localhost\r\nBad name: 1\r\n\r\n',
                  b'GET health HTTP/1.1\r\nHost: localhost\r\n\r\n',
                  b'GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n',
                  b'GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n',
                  b'GET /a%0d%0aX:1 HTTP/1.1\r\nHost: localhost\r\n\r\n',
                  b'POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n',
                  b'POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1x\r\n\r\n',
                  b'POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n',
                  b'POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
                  b'POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
                  b'POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n'],
            417: [b'POST /health HTTP/1.1\r\nHost: localhost\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\n'],
            505: [b'GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
        }
        for status, requests in bad.items():
            for data in requests:
                with self.subTest(data=data):
                    answer = self.exchange(data + b'x' * 8)
                    self.assertEqual(status_of(answer), status)
                    self.assertIn(b'connection: close', answer)
                    self.assertEqual(answer.count(b'\r\nserver: gemma3n\r\n'), 1)
                    self.assertTrue(json.loads(answer.partition(b'\r\n\r\n')[2])['error']['message'])
        self.assertEqual(self.server.get('/health')[0], 200)

    def test_unsupported_content_encoding(self):
        data = self.exchange(self.request_bytes('GET /health HTTP/1.1', 'Content-Encoding: gzip', 'Content-Length: 3', body=b'abc'))
        self.assertEqual(status_of(data), 415)

    def test_upgrades_are_ignored(self):
        data = self.exchange(self.request_bytes('GET /health HTTP/1.1', 'Connection: Upgrade, HTTP2-Settings, close', 'Upgrade: h2c'))
        self.assertEqual(status_of(data), 200)

    def test_metrics(self):
        before = self.server.metrics()
        self.server.get('/nothing')
        after = self.server.metrics()
        name = 'gemma3n_http_requests_total{route="none",status="404"}'
        self.assertEqual(after[name], before.get(name, 0) + 1)
        self.assertGreater(after['gemma3n_http_read_bytes_total'], before['gemma3n_http_read_bytes_total'])
        self.assertEqual(after['gemma3n_http_request_seconds_bucket{le="+Inf"}'], after['gemma3n_http_request_seconds_count'])


class LimitsTest(RawTest):
    ARGS = ('--max-header-bytes', '2K', '--max-body-bytes', '100K', '--max-connections', '40', '--header-timeout', '0.6',
            '--body-timeout', '0.6', '--idle-timeout', '0.6')

    def test_header_too_large(self):
        for data in (self.request_bytes('GET /health HTTP/1.1', 'X: ' + 'y' * 3000), b'GET /' + b'a' * 3000,
                     self.request_bytes('GET /health HTTP/1.1', *[f'X{i}: {i}' for i in range(400)])):
            self.assertEqual(status_of(self.exchange(data)), 431)
        self.assertEqual(status_of(self.exchange(self.request_bytes('GET /health HTTP/1.1', 'Connection: close', 'X: ' + 'y' * 1500))), 200)

    def test_body_too_large_is_refused_unread(self):
        for path, key in (('/v1/chat/completions', 'message'), ('/health', 'message')):
            data = self.exchange(self.request_bytes(f'POST {path} HTTP/1.1', 'Content-Length: 102401'))
            self.assertEqual(status_of(data), 413, data)
            self.assertIn('102400', json.loads(data.partition(b'\r\n\r\n')[2])['error'][key])

    def test_answer_survives_a_body_under_way(self):
        """The refusal is readable though the client is still sending, many times what buffers hold."""
        with self.server.connect() as sock:
            sock.sendall(self.request_bytes('POST /health HTTP/1.1', f'Content-Length: {1 << 30}'))
            try:
                for _ in range(200):
                    sock.sendall(b'z' * 65536)
            except (BrokenPipeError, ConnectionResetError):
                self.fail('the connection was reset while the client was sending')
            self.assertEqual(read_response(sock)[0], 413)

    def test_slow_header(self):
        """Bytes that trickle in do not hold a connection: the time is for the whole header."""
        with self.server.connect() as sock:
            start = time.monotonic()
            try:
                for byte in self.request_bytes('GET /health HTTP/1.1', 'X: ' + 'y' * 500):
                    sock.send(bytes([byte]))
                    time.sleep(0.05)
            except (BrokenPipeError, ConnectionResetError):
                pass
            self.assertLess(time.monotonic() - start, 8 * support.PATIENCE)
        with self.server.connect() as sock:
            sock.sendall(b'GET /health HTTP/1.1\r\nHo')
            self.assertEqual(status_of(read_all(sock)), 408)

    def test_connections_without_a_request_end_silently(self):
        with self.server.connect() as sock:
            self.assertEqual(read_all(sock), b'')
        with self.server.connect() as sock:
            sock.sendall(self.request_bytes('GET /health HTTP/1.1'))
            self.assertEqual(read_response(sock)[0], 200)
            self.assertEqual(read_all(sock), b'')

    def test_too_many_connections(self):
        self.server.wait_for_metric('gemma3n_http_connections', 1)
        socks = []
        try:
            answers = []
            for _ in range(60):
                sock = self.server.connect()
                sock.sendall(self.request_bytes('GET /health HTTP/1.1'))
                socks.append(sock)
            for sock in socks:
                try:
                    answers.append(read_response(sock)[0])
                except (ConnectionResetError, EOFError):
                    answers.append(503)  # the refusal came while the request was under way
            self.assertEqual(sorted(set(answers)), [200, 503])
            self.assertEqual(answers.count(200), 40)
        finally:
            for sock in socks:
                sock.close()
        deadline = time.monotonic() + 10 * support.PATIENCE
        while self.status_or_none() != 200 and time.monotonic() < deadline:
            time.sleep(0.02)
        self.server.wait_for_metric('gemma3n_http_connections', 1)
        self.assertGreaterEqual(self.server.metrics()['gemma3n_http_connections_refused_total'], 20)

    def status_or_none(self):
        try:
            return self.server.get('/health')[0]
        except (ConnectionResetError, BrokenPipeError):
            return None


class KeysTest(RawTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix='gemma3n-server-')
        cls.addClassCleanup(cls.folder.cleanup)
        keys = pathlib.Path(cls.folder.name) / 'keys.txt'
        keys.write_text(f'# who may ask\n\nalice: {KEY}\n  bob :  sk-bob-bob-bob  \nsk-unnamed-0001\n')
        cls.ARGS = ('--api-key-file', keys, '--log', '--trusted-proxy', '127.0.0.1')
        super().setUpClass()

    def test_keys(self):
        for headers in ({'Authorization': f'Bearer {KEY}'}, {'authorization': f'bearer {KEY}'}, {'X-Api-Key': KEY},
                        {'X-Api-Key': 'sk-bob-bob-bob'}, {'Authorization': 'Bearer sk-unnamed-0001'}):
            self.assertEqual(self.server.get('/metrics', headers=headers)[0], 200, headers)
        for headers in ({}, {'Authorization': ''}, {'Authorization': 'Bearer '}, {'Authorization': f'Basic {KEY}'}, {'Authorization': KEY},
                        {'X-Api-Key': KEY[:-1]}, {'X-Api-Key': KEY + 'x'}, {'X-Api-Key': KEY.upper()}, {'X-Api-Key': KEY + KEY},
                        {'X-Api-Key': 'alice'}, {'X-Api-Key': 'x' * 5000}):
            status, answer, body = self.server.get('/metrics', headers=headers)
            self.assertEqual((status, answer['www-authenticate']), (401, 'Bearer'), headers)
            self.assertEqual(json.loads(body)['error']['code'], 'invalid_api_key')

    def test_open_without_a_key(self):
        self.assertEqual(self.server.get('/health')[0], 200)
        self.assertEqual(self.server.get('/')[0], 200)
        for path in ('/v1/models', '/nothing', '/api/tags'):
            self.assertEqual(self.server.get(path)[0], 401, path)

    def test_forms(self):
        self.assertEqual(json.loads(self.server.post('/v1/messages', {})[2])['error']['type'], 'authentication_error')
        self.assertIsInstance(json.loads(self.server.post('/api/chat', {})[2])['error'], str)

    def test_body_is_not_awaited(self):
        with self.server.connect() as sock:
            sock.sendall(self.request_bytes('POST /v1/chat/completions HTTP/1.1', 'Content-Length: 1000'))
            self.assertEqual(read_response(sock)[0], 401)

    def logged(self, request_id):
        deadline = time.monotonic() + 10 * support.PATIENCE
        while request_id not in self.server.stderr() and time.monotonic() < deadline:
            time.sleep(0.02)
        return next(line for line in self.server.stderr().splitlines() if request_id in line)

    def test_a_trusted_proxy_names_the_client(self):
        for i, (forwarded, client) in enumerate((('203.0.113.7', '203.0.113.7'), ('evil, 203.0.113.8', '203.0.113.8'), ('2001:db8::1', '2001:db8::1'),
                                  ('x y', '127.0.0.1'), ('x' * 99, '127.0.0.1'), ('', '127.0.0.1'))):
            name = f'proxied-{i}'
            self.server.get('/health', headers={'X-Forwarded-For': forwarded, 'X-Request-Id': name})
            self.assertEqual(self.logged(name).split()[1], client)

    def test_log_names_the_key_and_not_the_secret(self):
        self.server.get('/metrics?secret=words', headers={'X-Api-Key': KEY, 'X-Request-Id': 'find-me'})
        self.assertRegex(self.logged('find-me'), r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ alice GET /metrics 200 \d+ bytes \d+\.\d{3} s find-me$')
        self.assertNotIn(KEY, self.server.stderr())
        self.assertNotIn('words', self.server.stderr())


class OriginTest(RawTest):
    ARGS = ('--cors-origin', 'https://good.example', '--allowed-host', 'box.example')

    def test_host_header(self):
        """A page whose name was pointed at 127.0.0.1 does not get in."""
        for host, status in (('localhost', 200), ('LOCALHOST:1', 200), ('127.0.0.1:8080', 200), ('[::1]:80', 200), ('box.example', 200),
                             ('evil.example', 403), ('evil.example:8080', 403), ('127.0.0.1.evil.example', 403),
                             ('localhost.evil.example', 403)):
            self.assertEqual(self.server.get('/health', headers={'Host': host})[0], status, host)

    def test_other_origins_may_not_post(self):
        for origin, status in (('https://evil.example', 403), ('null', 403), ('https://good.example', 405),
                               (f'http://127.0.0.1:{self.server.port}', 405), ('http://127.0.0.1:1', 403)):
            self.assertEqual(self.server.post('/health', 'x', headers={'Origin': origin})[0], status, origin)

    def test_cors(self):
        preflight = {'Origin': 'https://good.example', 'Access-Control-Request-Method': 'GET',
                     'Access-Control-Request-Headers': 'authorization,content-type'}
        status, headers, _ = self.server.request('OPTIONS', '/health', headers=preflight)
        self.assertEqual((status, headers['access-control-allow-origin'], headers['access-control-allow-headers']),
                         (204, 'https://good.example', 'authorization,content-type'))
        self.assertIn('GET', headers['access-control-allow-methods'])
        headers = self.server.get('/health', headers={'Origin': 'https://good.example'})[1]
        self.assertEqual((headers['access-control-allow-origin'], headers['vary']), ('https://good.example', 'Origin'))
        for headers in (self.server.get('/health', headers={'Origin': 'https://evil.example'})[1],
                        self.server.request('OPTIONS', '/health', headers={**preflight, 'Origin': 'https://evil.example'})[1]):
            self.assertFalse([name for name in headers if name.startswith('access-control')])


# An answer as long as the context: the tokens that would end it are forbidden.
ENDS = json.loads((support.MODEL / 'generation_config.json').read_text())['eos_token_id']
LONG = {'model': 'tiny', 'messages': [{'role': 'user', 'content': 'Hello'}], 'stream': True, 'temperature': 0,
        'logit_bias': {str(token): -100 for token in ENDS}}


def post_bytes(body, *headers):
    data = json.dumps(body).encode()
    head = ['POST /v1/chat/completions HTTP/1.1', 'Host: localhost', 'Content-Type: application/json', f'Content-Length: {len(data)}',
            *headers, '', '']
    return '\r\n'.join(head).encode() + data


def begin_stream(server, body=LONG, **kwargs):
    """A socket on which the answer has begun to come."""
    sock = server.connect(**kwargs)
    sock.sendall(post_bytes(body, 'Connection: close'))
    start = b''
    while b'data: ' not in start:
        piece = sock.recv(1024)
        assert piece, start
        start += piece
    assert b' 200 OK' in start, start
    return sock


class AnswersTest(RawTest):
    ARGS = ('--parallel', '2', '--max-waiting', '2', '--prefix-cache', '0')

    def setUp(self):
        self.server.wait_for_metric('gemma3n_running', 0)
        self.before = self.server.metrics()

    def grown(self, name):
        return self.server.metrics()[name] - self.before[name]

    def wait_for_growth(self, name, by):
        self.server.wait_for_metric(name, self.before[name] + by)

    def test_clients_that_go_free_their_places(self):
        """Whether they close, reset or are killed; while streaming and while the whole answer is awaited."""
        def close(sock):
            sock.close()

        def reset(sock):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
            sock.close()

        cancelled = 0
        for stream in (True, False):
            for leave in (close, reset):
                if stream:
                    sock = begin_stream(self.server)
                else:
                    sock = self.server.connect()
                    sock.sendall(post_bytes({**LONG, 'stream': False}))
                    self.server.wait_for_metric('gemma3n_running', 1)
                leave(sock)
                cancelled += 1
                with self.subTest(stream=stream, leave=leave.__name__):
                    self.wait_for_growth('gemma3n_cancelled_total', cancelled)
                self.server.wait_for_metric('gemma3n_running', 0)
        self.assertEqual(self.grown('gemma3n_finished_total'), 0)

    def test_a_killed_client_frees_its_place(self):
        script = 'import socket,sys; s=socket.create_connection(("127.0.0.1",int(sys.argv[1]))); s.sendall(bytes.fromhex(sys.argv[2])); print(len(s.recv(99)),flush=True); s.recv(1)\nwhile 1: s.recv(100)'
        with subprocess.Popen(['python3', '-c', script, str(self.server.port), post_bytes(LONG).hex()], stdout=subprocess.PIPE) as client:
            client.stdout.readline()
            client.kill()
        self.wait_for_growth('gemma3n_cancelled_total', 1)
        self.server.wait_for_metric('gemma3n_running', 0)

    def test_a_half_closed_client_gets_its_answer(self):
        body = {**LONG, 'stream': False, 'max_tokens': 1500}
        with self.server.connect() as sock:
            sock.sendall(post_bytes(body))
            sock.shutdown(socket.SHUT_WR)
            data = read_all(sock)
        while data.startswith(b'HTTP/1.1 100 '):
            data = data.partition(b'\r\n\r\n')[2]
        self.assertEqual(status_of(data), 200)
        self.assertEqual(json.loads(data.partition(b'\r\n\r\n')[2])['usage']['completion_tokens'], 1500)

    def test_a_slow_reader_waits_alone(self):
        """Who does not read is paused, and gets all of it in the end; others are answered meanwhile."""
        with begin_stream(self.server, receive_buffer=4096) as sock:
            self.server.wait_for_metric('gemma3n_paused', 1)
            answer = self.server.json('POST', '/v1/chat/completions', {**LONG, 'stream': False, 'max_tokens': 20})
            self.assertEqual(answer['usage']['completion_tokens'], 20)
            self.assertEqual(self.server.metrics()['gemma3n_paused'], 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            data = read_all(sock)
        self.assertTrue(data.endswith(b'data: [DONE]\n\n\r\n0\r\n\r\n'), data[-200:])
        self.server.wait_for_metric('gemma3n_paused', 0)

    def test_too_many_wait(self):
        socks = [begin_stream(self.server) for _ in range(2)]
        self.server.wait_for_metric('gemma3n_running', 2)
        try:
            for waiting in (1, 2):
                sock = self.server.connect()
                sock.sendall(post_bytes({**LONG, 'max_tokens': 5}))
                socks.append(sock)
                self.server.wait_for_metric('gemma3n_waiting', waiting)
            status, headers, body = self.server.post('/v1/chat/completions', LONG)
            self.assertEqual((status, headers['retry-after']), (429, '1'))
            self.assertEqual(self.grown('gemma3n_refused_total'), 1)
            self.assertTrue(json.loads(body)['error']['message'])
            for sock in socks[:2]:
                sock.close()
            for sock in socks[2:]:  # their turn comes
                data = b''
                while b'[DONE]' not in data:
                    data += sock.recv(65536)
        finally:
            for sock in socks:
                sock.close()

    def test_times_of_tokens(self):
        self.server.json('POST', '/v1/chat/completions', {**LONG, 'stream': False, 'max_tokens': 10})
        self.assertEqual(self.grown('gemma3n_first_token_seconds_count'), 1)
        self.assertEqual(self.grown('gemma3n_generated_tokens_total'), 10)
        self.assertGreaterEqual(self.grown('gemma3n_token_gap_seconds_count'), 9)


class ChaosTest(RawTest):
    ARGS = ('--parallel', '4', '--max-waiting', '8', '--max-connections', '200', '--max-bodies-bytes', '1M', '--write-timeout', '0.5',
            '--header-timeout', '0.5', '--body-timeout', '0.5', '--idle-timeout', '0.5')

    def misbehave(self, draw, deadline):
        body = {**LONG, 'max_tokens': 300}
        while time.monotonic() < deadline:
            try:
                with self.server.connect(timeout=1, receive_buffer=draw.choice((None, 4096))) as sock:
                    data = draw.choice((
                        post_bytes(body), post_bytes({**body, 'stream': False}), post_bytes({**LONG, 'n': 3}), post_bytes(body) * 3,
                        post_bytes({'messages': 1}), draw.randbytes(300), self.request_bytes('GET /metrics HTTP/1.1') * 20,
                        self.request_bytes('POST /v1/chat/completions HTTP/1.1', 'Content-Length: 400000') + b' ' * 400000,
                        self.request_bytes('POST /v1/chat/completions HTTP/1.1', 'Content-Length: 90000') + b'[' * 70000))
                    sock.sendall(data[:draw.choice((len(data), len(data), draw.randrange(len(data))))])
                    if draw.random() < 0.3:
                        sock.shutdown(socket.SHUT_WR)
                    for _ in range(draw.choice((0, 1, 20))):
                        sock.recv(draw.choice((10, 100000)))
                    if draw.random() < 0.5:
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
            except (ConnectionResetError, BrokenPipeError, TimeoutError):
                pass

    def test_nothing_is_left_behind(self):
        """Many clients that do all kinds of things and go: afterwards the server holds nothing of theirs, and answers."""
        deadline = time.monotonic() + 3
        clients = [threading.Thread(target=self.misbehave, args=(random.Random(i), deadline)) for i in range(12)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        for name, idle in (('running', 0), ('waiting', 0), ('paused', 0), ('http_connections', 1), ('http_requests_active', 1),
                           ('http_body_bytes', 0)):
            self.server.wait_for_metric(f'gemma3n_{name}', idle)
        answer = self.server.json('POST', '/v1/chat/completions', {**LONG, 'stream': False, 'max_tokens': 20})
        self.assertEqual(answer['usage']['completion_tokens'], 20)
        files = len(os.listdir(f'/proc/{self.server.process.pid}/fd'))
        self.assertLess(files, 40)


class DrainTest(unittest.TestCase):
    def test_running_answers_end_well(self):
        server = support.Server()
        with server.connect() as old, begin_stream(server, {**LONG, 'max_tokens': 1500}) as sock:
            old.sendall(b'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n')
            read_response(old)
            server.process.send_signal(signal.SIGTERM)
            refused = False
            while not refused:
                try:
                    server.connect().close()
                except ConnectionResetError:
                    pass  # it had come in when the server stopped listening
                except ConnectionRefusedError:
                    refused = True
            old.sendall(b'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n')
            status, headers, body, _ = read_response(old)
            self.assertEqual((status, json.loads(body), headers['connection']), (503, {'status': 'draining'}, 'close'))
            data = read_all(sock)
        self.assertTrue(data.endswith(b'data: [DONE]\n\n\r\n0\r\n\r\n'), data[-200:])
        self.assertEqual(server.stop(number=None), 0)

    def test_what_takes_too_long_is_cut_off_with_a_word(self):
        server = support.Server('--drain-seconds', '0.2')
        with begin_stream(server) as sock:
            server.process.send_signal(signal.SIGTERM)
            data = read_all(sock)
        self.assertEqual(server.stop(number=None), 0)
        self.assertIn(b'error', data[-400:])
        self.assertTrue(data.endswith(b'0\r\n\r\n'), data[-200:])

    def test_a_second_signal_ends_at_once(self):
        server = support.Server()
        with begin_stream(server, receive_buffer=4096):  # not read: it would take for ever
            server.process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            self.assertIsNone(server.process.poll())
            self.assertEqual(server.stop(signal.SIGINT, check=False), 128 + signal.SIGINT)


class LifeTest(unittest.TestCase):
    def fails(self, *args, words=(), code=1):
        done = subprocess.run([support.BIN, 'serve', '--model', str(support.MODEL), *map(str, args)], capture_output=True,
                              timeout=60 * support.PATIENCE)
        text = done.stderr.decode()
        self.assertEqual((done.returncode, done.stdout), (code, b''), text)
        self.assertTrue(text.startswith('gemma3n: ') and text.count('\n') == 1, text)
        for word in words:
            self.assertIn(word, text)

    def test_what_cannot_start(self):
        with tempfile.TemporaryDirectory() as folder:
            keys = pathlib.Path(folder) / 'keys'
            with support.Server() as server:
                self.fails('--port', server.port, words=[str(server.port), 'taken'])
            self.fails('--host', '203.0.113.1', '--port', 0, words=['203.0.113.1'])
            self.fails('--host', 'no such host', words=['--host'])
            self.fails('--api-key-file', keys, words=[str(keys), 'cannot open'])
            keys.write_text('# none\n')
            self.fails('--api-key-file', keys, words=[str(keys), 'found none'])
            keys.write_text('short\n')
            self.fails('--api-key-file', keys, words=['line 1'])
            self.fails('--unix-socket', f'{folder}/{"x" * 200}', words=['--unix-socket'])
        self.fails('--port', 70000, words=['--port', '65535'], code=2)
        self.fails('--max-body-bytes', '12Q', words=['--max-body-bytes', '12Q'], code=2)
        self.fails('--media-folder', '/no/such/folder', words=['--media-folder'], code=2)
        self.fails('--remote-host', 'x', words=['--allow-remote-media'], code=2)

    def test_warns_where_everybody_may_ask(self):
        with support.Server('--host', '0.0.0.0') as server:
            self.assertIn('no --api-key-file', server.stderr())
        with support.Server() as server:
            self.assertEqual(server.stderr(), '')

    def test_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as sock:
                sock.bind(('::1', 0))
        except OSError:
            self.skipTest('this machine has no IPv6')
        with support.Server('--host', '::1') as server:
            self.assertTrue(server.url.startswith('http://[::1]:'), server.url)
            self.assertEqual(server.get('/health')[0], 200)

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f'{folder}/server.sock'
            for stop in (signal.SIGKILL, signal.SIGTERM):  # the file that a kill leaves behind is no obstacle
                server = support.Server('--unix-socket', path)
                self.assertEqual(server.url, f'unix:{path}')
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.connect(path)
                    sock.sendall(b'GET /health HTTP/1.1\r\nHost: any\r\n\r\n')
                    self.assertEqual(read_response(sock)[0], 200)
                server.stop(stop)
                self.assertEqual(os.path.exists(path), stop == signal.SIGKILL)

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = support.Server()
            with server.connect() as idle:
                idle.sendall(b'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n')
                read_response(idle)
                start = time.monotonic()
                self.assertEqual(server.stop(number), 0)
                self.assertLess(time.monotonic() - start, 5 * support.PATIENCE)  # idle connections are not waited for
                self.assertEqual(read_all(idle), b'')

    def test_killed_and_started_again_on_the_same_port(self):
        server = support.Server()
        with server.connect() as sock:
            sock.sendall(b'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n')
            read_response(sock)
            server.stop(signal.SIGKILL)
        with support.Server('--port', server.port) as again:
            self.assertEqual((again.port, again.get('/health')[0]), (server.port, 200))

    def test_many_connections(self):
        """Each open connection is served in its turn, and costs little memory."""
        wanted = 1500
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < wanted + 100:
            self.skipTest(f'a process may open {hard} files only')
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted + 100), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        one = b'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'
        with support.Server() as server:
            resident = lambda: int(re.search(r'VmRSS:\s+(\d+)', pathlib.Path(f'/proc/{server.process.pid}/status').read_text())[1])
            before = resident()
            socks = [server.connect() for _ in range(wanted)]
            try:
                for sock in socks:
                    sock.sendall(one)
                for sock in socks:
                    self.assertEqual(read_response(sock)[0], 200)
                self.assertLess((resident() - before) / wanted, 32)  # KiB each
            finally:
                for sock in socks:
                    sock.close()
            server.wait_for_metric('gemma3n_http_connections', 1)


if __name__ == '__main__':
    unittest.main()
