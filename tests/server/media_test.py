"""Which media a request may name, over plain HTTP: gemma3n serve with models/tiny; Python's standard library only."""
import base64
import http.server
import pathlib
import shutil
import tempfile
import threading
import unittest

import support

PICTURE = support.EXAMPLES / 'media' / 'picture.png'
QUESTION = {'type': 'text', 'text': 'What is in this picture?'}


class Web:
    """A web server on the loopback that counts who comes."""

    def __enter__(self):
        self.paths = paths = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                paths.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(PICTURE.read_bytes())

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()


def ask(server, url, status):
    """The answer's text, or the error's message."""
    answer = server.json('POST', '/v1/chat/completions', {
        'model': 'tiny', 'temperature': 0, 'max_tokens': 60,
        'messages': [{'role': 'user', 'content': [{'type': 'image_url', 'image_url': {'url': url}}, QUESTION]}]}, status=status)
    return answer['error']['message'] if status != 200 else answer['choices'][0]['message']['content']


class FolderTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix='gemma3n-media-'))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.folder = cls.root / 'media'
        cls.folder.mkdir()
        shutil.copyfile(PICTURE, cls.folder / 'a picture.png')
        shutil.copyfile(PICTURE, cls.root / 'secret.png')
        (cls.folder / 'out.png').symlink_to(cls.root / 'secret.png')
        cls.server = support.Server('--media-folder', cls.folder)
        cls.addClassCleanup(cls.server.stop)

    def test_files_below_it(self):
        for url in (f'{self.folder}/a picture.png', f'file://{self.folder}/a%20picture.png', 'a picture.png'):
            self.assertIn('blue star', ask(self.server, url, 200))

    def test_nothing_else(self):
        for url in (f'{self.root}/secret.png', '../secret.png', f'{self.folder}/../secret.png', f'{self.folder}/out.png',
                    f'file://{self.folder}/%2e%2e/secret.png', '/etc/passwd', 'file:///etc/passwd', '/proc/self/environ'):
            self.assertIn('--media-folder', ask(self.server, url, 400), url)
        self.assertIn('no such file', ask(self.server, f'{self.folder}/absent.png', 400))
        self.assertNotIn('no such file', ask(self.server, f'{self.root}/absent.png', 400))  # nor what there is

    def test_sizes(self):
        with support.Server('--media-folder', self.folder, '--max-media-bytes', '64K') as server:
            url = 'data:image/png;base64,' + base64.b64encode(PICTURE.read_bytes()).decode()
            for large in (url, 'a picture.png'):
                self.assertIn('limit of 65536 bytes', ask(server, large, 400))

    def test_other_apis_ask_the_same(self):
        url = f'{self.root}/secret.png'
        answer = self.server.json('POST', '/v1/messages', {'model': 'tiny', 'max_tokens': 9, 'messages': [
            {'role': 'user', 'content': [{'type': 'image', 'source': {'type': 'url', 'url': url}}]}]}, status=400)
        self.assertIn('--media-folder', answer['error']['message'])


class RemoteTest(unittest.TestCase):
    def test_off(self):
        with Web() as web, support.Server() as server:
            self.assertIn('--allow-remote-media', ask(server, f'http://127.0.0.1:{web.port}/a.png', 400))
            self.assertIn('--media-folder', ask(server, str(PICTURE), 400))
            url = 'data:image/png;base64,' + base64.b64encode(PICTURE.read_bytes()).decode()
            self.assertIn('blue star', ask(server, url, 200))
            self.assertEqual(web.paths, [])

    def test_never_the_machines_own_network(self):
        with Web() as web, support.Server('--allow-remote-media') as server:
            for host in ('127.0.0.1', 'localhost', '0', '127.1', '0x7f000001', '2130706433', '[::1]', '[::ffff:127.0.0.1]'):
                self.assertIn('not public', ask(server, f'http://{host}:{web.port}/a.png', 400), host)
            for host in ('10.0.0.1', '169.254.169.254', '192.168.1.1', '100.64.0.1', '[fd00::1]', '[fe80::1]'):
                self.assertIn('not public', ask(server, f'http://{host}/a.png', 400), host)
            self.assertEqual(web.paths, [])

    def test_only_listed_hosts(self):
        with support.Server('--allow-remote-media', '--remote-host', '*.example.org') as server:
            self.assertIn('does not allow', ask(server, 'https://example.net/a.png', 400))
            self.assertIn('does not allow', ask(server, 'https://example.org.example.net/a.png', 400))
            self.assertIn('credentials', ask(server, 'https://me:secret@a.example.org/a.png', 400))


if __name__ == '__main__':
    unittest.main()
