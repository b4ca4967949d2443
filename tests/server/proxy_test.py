"""packaging/: nginx.conf in front of two replicas, and the systemd unit, as far as the tools for them are there."""
import base64
import http.client
import json
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

import support

PACKAGING = support.SOURCE / 'packaging'
NGINX = shutil.which('nginx', path='/usr/sbin:/usr/bin:/sbin:/bin')


def free_port():
    """For nginx, which cannot be asked for any: below those that the system gives to others meanwhile."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as spare:
            try:
                spare.bind(('127.0.0.1', port))
                return port
            except OSError:
                pass


@unittest.skipUnless(NGINX, 'no nginx')
class ProxyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix='gemma3n-nginx-')
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        os.chmod(cls.folder, 0o755)  # nginx's workers are nobody, and keep large bodies there
        cls.replicas = [support.Server(), support.Server()]
        for replica in cls.replicas:
            cls.addClassCleanup(replica.stop)
        cls.port = free_port()
        conf = (PACKAGING / 'nginx.conf').read_text()
        for what, instead in ((r'server gemma3n:8080 (.*)', ' '.join(f'server 127.0.0.1:{r.port} \\1' for r in cls.replicas)),
                              (r'listen 8080', f'listen 127.0.0.1:{cls.port}'), (r'/dev/stdout', f'{cls.folder}/access.log'),
                              (r'/dev/stderr', f'{cls.folder}/error.log'),
                              (r'http \{', 'http { ' + ' '.join(f'{kind}_temp_path {cls.folder}/{kind};' for kind in (
                                  'client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi')))):
            conf, count = re.subn(what, instead, conf, count=1)
            assert count == 1, what
        path = f'{cls.folder}/nginx.conf'
        with open(path, 'w') as out:
            out.write(f'pid {cls.folder}/pid; daemon off;\n{conf}')
        subprocess.run([NGINX, '-t', '-q', '-c', path, '-e', f'{cls.folder}/error.log'], check=True)
        cls.nginx = subprocess.Popen([NGINX, '-c', path, '-e', f'{cls.folder}/error.log'])
        cls.addClassCleanup(cls.nginx.wait)
        cls.addClassCleanup(cls.nginx.terminate)
        for _ in range(200):
            try:
                cls.ask('GET', '/health')[2].close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError('nginx does not listen')

    @classmethod
    def ask(cls, method, path, body=None, headers=None):
        """Status, response, connection."""
        connection = http.client.HTTPConnection('127.0.0.1', cls.port, timeout=60)
        connection.request(method, path, body and json.dumps(body), {'Content-Type': 'application/json', **(headers or {})})
        response = connection.getresponse()
        return response.status, response, connection

    def chat(self, text, **more):
        body = {'model': 'tiny', 'temperature': 0, 'messages': [{'role': 'user', 'content': text}], **more}
        status, response, connection = self.ask('POST', '/v1/chat/completions', body, {'Origin': f'http://127.0.0.1:{self.port}'})
        self.addCleanup(connection.close)
        self.assertEqual(status, 200, response)
        return response

    def test_streams_are_not_held_back(self):
        status, response, connection = self.ask('POST', '/tokenize', {'prompt': ' red', 'add_special_tokens': False})
        word, = json.loads(response.read())['tokens']
        connection.close()
        # One word again and again: what a model would say past its end is not to be relied on.
        response = self.chat('Repeat: red green blue', stream=True, max_tokens=2000, logit_bias={str(word): 100})
        times = []
        for line in response:
            if line.startswith(b'data:'):
                times.append(time.monotonic())
        self.assertEqual(line.strip() or b'data: [DONE]', b'data: [DONE]')
        self.assertGreater(len(times), 300)
        # Held back they would all come at the end.
        self.assertLess(times[len(times) // 2] - times[0], 0.8 * (times[-1] - times[0]))
        self.assertGreater(times[-1] - times[0], 0.05)

    def test_a_picture_and_the_page(self):
        picture = base64.b64encode((support.EXAMPLES / 'media' / 'picture.png').read_bytes()).decode()
        answer = json.load(self.chat([{'type': 'image_url', 'image_url': {'url': f'data:image/png;base64,{picture}'}},
                                      {'type': 'text', 'text': 'What is in this picture?'}]))
        self.assertEqual(answer['choices'][0]['message']['content'], 'a blue star and the number 42 in orange')
        status, response, connection = self.ask('GET', '/')
        self.assertEqual((status, response.headers['Content-Type']), (200, 'text/html; charset=utf-8'))
        self.assertIn("default-src 'self'", response.headers['Content-Security-Policy'])
        tag = response.headers['ETag']
        connection.close()
        status, _, connection = self.ask('GET', '/', headers={'If-None-Match': tag})
        self.assertEqual(status, 304)
        connection.close()

    def test_z_a_replica_goes(self):
        """One client stays at one replica; when that goes, the other answers."""
        def asked(replica):
            return sum(v for k, v in replica.metrics().items() if k.startswith('gemma3n_http_requests_total') and 'chat' in k)
        before = [asked(replica) for replica in self.replicas]
        for _ in range(4):
            self.chat('Repeat: cat').read()
        for _ in range(200):  # an answer is counted once its last byte is sent
            gains = [asked(replica) - old for replica, old in zip(self.replicas, before)]
            if sum(gains) >= 4:
                break
            time.sleep(0.01)
        self.assertEqual(sorted(gains), [0, 4])
        home = gains.index(4)
        self.replicas[home].stop()
        self.assertEqual(json.load(self.chat('Repeat: cat'))['choices'][0]['message']['content'], 'cat')


class UnitTest(unittest.TestCase):
    def test_systemd_unit(self):
        systemd = shutil.which('systemd-analyze')
        if not systemd:
            self.skipTest('no systemd-analyze')
        unit = (PACKAGING / 'gemma3n.service').read_text()
        with tempfile.TemporaryDirectory() as folder:
            path = f'{folder}/gemma3n.service'
            with open(path, 'w') as out:
                out.write(re.sub(r'/usr/local/bin/gemma3n', support.BIN, unit).replace('EnvironmentFile=', 'EnvironmentFile=-'))
            done = subprocess.run([systemd, 'verify', path], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            said = subprocess.run([systemd, 'security', '--offline=true', path], capture_output=True, text=True).stdout
            self.assertLess(float(re.search(r'exposure level for gemma3n.service: ([\d.]+)', said)[1]), 2)

    def test_container_has_what_the_build_needs(self):
        """Every path that the Dockerfile copies is there and not ignored, and every folder that CMake adds is copied."""
        docker = (PACKAGING / 'Dockerfile').read_text()
        copied = [path.rstrip('/') for line in re.findall(r'^COPY (?!--)(.*)', docker, flags=re.M) for path in line.split()[:-1]]
        kept = re.findall(r'^!(.*)', (PACKAGING / 'Dockerfile.dockerignore').read_text(), flags=re.M)
        self.assertEqual(sorted(copied), sorted(kept))
        for path in copied:
            self.assertTrue((support.SOURCE / path).exists(), path)
        for folder in re.findall(r'^add_subdirectory\((\w+)\)', (support.SOURCE / 'CMakeLists.txt').read_text(), flags=re.M):
            self.assertIn(folder, copied)


if __name__ == '__main__':
    unittest.main()
