"""The page at / in a browser: headless Chromium, driven by clicks and keys, against gemma3n serve with models/tiny.

Needs Debian's chromium, chromium-driver and python3-selenium (tools/install_deps.sh test); skips itself where they are not.
"""
import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time
import unittest

try:
    from selenium import webdriver
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.chrome.service import Service
except ImportError:
    # Debian's selenium belongs to Debian's Python.
    if sys.executable != '/usr/bin/python3' and pathlib.Path('/usr/lib/python3/dist-packages/selenium').exists():
        os.execv('/usr/bin/python3', ['/usr/bin/python3', '-B', *sys.argv])
    webdriver = None

import support

MEDIA = support.EXAMPLES / 'media'
CHROMIUM, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')
NEVER_ENDS = """
  const ask = window.fetch;
  window.fetch = (url, options) => ask(url, options?.body ? {...options, body: JSON.stringify(
    {...JSON.parse(options.body), logit_bias: {1: -100, 106: -100}, max_tokens: 6000})} : options);"""


class FilesTest(support.ServerTest):
    """What the browser is given, without one."""

    def test_files(self):
        types = {'.html': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8', '.js': 'text/javascript; charset=utf-8',
                 '.svg': 'image/svg+xml'}
        files = list((support.SOURCE / 'web').iterdir())
        self.assertGreater(len(files), 8)
        tags = set()
        for file in files:
            path = '/' if file.name == 'index.html' else f'/page/{file.name}'
            status, headers, body = self.server.get(path)
            self.assertEqual((status, headers['content-type'], body), (200, types[file.suffix], file.read_bytes()), path)
            self.assertEqual(headers['x-content-type-options'], 'nosniff')
            for word in ("default-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"):
                self.assertIn(word, headers['content-security-policy'])
            tags.add(headers['etag'])
            for known in (headers['etag'], f'W/{headers["etag"]}', f'"x", {headers["etag"]}', '*'):
                status, _, body = self.server.get(path, headers={'If-None-Match': known})
                self.assertEqual((status, body), (304, b''), known)
            self.assertEqual(self.server.get(path, headers={'If-None-Match': '"other"'})[0], 200)
            self.assertEqual(self.server.post(path, {})[0], 405)
            self.assertEqual(re.findall(r'''(?:src|href)=["'](?:https?:)?//|@import|url\(|on(?:click|load|error)=|<script>|innerHTML|style="''',
                                        file.read_text()), [], f'{file.name}: something from elsewhere, or unsafe')
        self.assertEqual(len(tags), len(files))
        self.assertEqual(self.server.get('/page/')[0], 404)
        self.assertEqual(self.server.get('/page/..%2findex.html')[0] // 100, 4)

    def test_config(self):
        config = self.server.json('GET', '/page/config.json')
        self.assertEqual(config, {'model': 'tiny', 'context': 8192, 'max_body_bytes': 128 << 20, 'sees': True, 'hears': True})


@unittest.skipUnless(webdriver and CHROMIUM and DRIVER, 'no chromium, chromedriver or selenium')
class PageTest(support.ServerTest):
    ARGS = ('--max-body-bytes', '2M')

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.profile = tempfile.mkdtemp(prefix='gemma3n-page-')
        cls.addClassCleanup(shutil.rmtree, cls.profile, ignore_errors=True)
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--window-size=1200,800',
                     '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', f'--user-data-dir={cls.profile}'):
            options.add_argument(flag)
        options.add_experimental_option('prefs', {'download.default_directory': cls.profile})
        options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
        cls.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        cls.addClassCleanup(cls.driver.quit)
        # Greedy, so that the answers are known.
        cls.driver.execute_cdp_cmd('Page.addScriptToEvaluateOnNewDocument', {
            'source': "localStorage.settings ??= JSON.stringify({system: '', temperature: 0})"})
        cls.driver.execute_cdp_cmd('Browser.grantPermissions', {'permissions': ['clipboardReadWrite', 'clipboardSanitizedWrite']})

    def setUp(self):
        """Each test begins with a browser that has never seen the page, in light colours, at the width of a desk."""
        self.allowed_errors = ()
        self.driver.execute_cdp_cmd('Storage.clearDataForOrigin', {'origin': self.server.url, 'storageTypes': 'local_storage,indexeddb'})
        self.window(1200, 800)
        self.scheme('light')
        self.open(self.server.url)

    def tearDown(self):
        """Nothing was asked of other hosts, and the console has no errors."""
        entries = self.script("return performance.getEntries().map(e => e.name).filter(n => /^[a-z]+:/.test(n) && !n.startsWith('blob:'))")
        self.assertGreater(len(entries), 3)
        self.assertEqual([name for name in entries if not name.startswith(self.script('return location.origin'))], [])
        bad = [entry['message'] for entry in self.driver.get_log('browser') if entry['level'] == 'SEVERE'
               and not any(text in entry['message'] for text in self.allowed_errors)]
        self.assertEqual(bad, [])

    # Small words for what a user does and sees.

    def open(self, url, ready=True):
        self.driver.get(url)
        if ready:
            self.ready()

    def reload(self):
        self.driver.refresh()
        self.ready()

    def ready(self):
        self.wait(lambda: self.script("return document.body.dataset.ready === 'yes'"), 'the page is ready')

    def script(self, code, *args):
        return self.driver.execute_script(code, *args)

    def wait(self, true, what, seconds=15):
        end = time.monotonic() + seconds * support.PATIENCE
        while not (value := true()):
            if time.monotonic() > end:
                self.fail(f'not within {seconds} s: {what}')
            time.sleep(0.03)
        return value

    def window(self, width, height):
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride',
                                    {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': width < 500})

    def scheme(self, name):
        self.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [{'name': 'prefers-color-scheme', 'value': name}]})

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def click(self, label, inside='body'):
        self.find(f'{inside} [aria-label="{label}"]').click()

    def button(self, text, inside='body'):
        next(b for b in self.all(f'{inside} button') if b.text == text and b.is_displayed()).click()

    def attach(self, *names):
        before = len(self.all('#tray li'))
        for i, name in enumerate(names, 1):
            self.find('#files').send_keys(str(MEDIA / name))
            self.wait(lambda n=before + i: len(self.all('#tray li')) == n, f'{name} is attached')

    def ask(self, text):
        self.find('#prompt').send_keys(text, Keys.ENTER)
        return self.answer()

    def answer(self):
        """The text of the last answer, when it is complete."""
        self.wait(lambda: self.script("""const last = document.querySelector('#log > :last-child');
            return last?.classList.contains('answer') && last.getAttribute('aria-busy') === 'false'
                && document.getElementById('stop').hidden"""), 'an answer')
        texts = self.all('#log > :last-child .text')
        return texts[0].text if texts else ''

    def toast(self, *words):
        text = self.wait(lambda: ' '.join(t.text for t in self.all('.toast')), 'a message')
        for word in words:
            self.assertIn(word, text)

    def dropped(self, name, mime, event='drop'):
        """Drops or pastes a file as a user does."""
        data = base64.b64encode((MEDIA / name).read_bytes()).decode()
        self.script("""
            const [data, name, type, kind] = arguments, all = new DataTransfer();
            all.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name, {type}));
            if (kind === 'paste') return document.getElementById('prompt').dispatchEvent(new ClipboardEvent('paste',
                {clipboardData: all, bubbles: true, cancelable: true}));
            const main = document.getElementById('main');
            for (const step of ['dragenter', 'dragover']) main.dispatchEvent(new DragEvent(step, {dataTransfer: all, bubbles: true, cancelable: true}));
            if (document.getElementById('drop').hidden) throw new Error('nothing shows where to drop');
            main.dispatchEvent(new DragEvent('drop', {dataTransfer: all, bubbles: true, cancelable: true}));""", data, name, mime, event)
        self.wait(lambda: self.all('#tray li'), 'the file is attached')

    # Tests.

    def test_text_is_answered_and_counted(self):
        self.assertEqual(self.ask('What is three plus four?'), self.direct('What is three plus four?'))
        self.assertRegex(self.find('.answer .stats').text, r'^\d+ tokens? · .*first after [\d.]+ s · prompt of \d+')
        self.assertEqual(self.find('#title').text, 'What is three plus four?')
        self.assertEqual(self.find('#conversations [aria-current]').text, 'What is three plus four?')

    def direct(self, text):
        """The server's own answer."""
        return self.server.json('POST', '/v1/chat/completions', {
            'model': 'tiny', 'messages': [{'role': 'user', 'content': text}], 'temperature': 0})['choices'][0]['message']['content'].strip()

    def test_picture_clip_and_video(self):
        self.attach('picture.png')
        self.assertEqual(self.ask('What is in this picture?'), 'a blue star and the number 42 in orange')
        self.assertGreater(self.wait(lambda: self.script("return document.querySelector('#log img')?.naturalWidth"), 'the preview'), 0)
        self.click('Show picture.png', '#log')
        self.assertTrue(self.find('#viewer').is_displayed())
        self.click('Close picture')
        self.find('#new').click()
        self.dropped('speech.wav', 'audio/wav')
        self.assertEqual(self.ask('Transcribe the speech.'), 'yellow bird up')
        self.assertTrue(self.find('#log audio').is_displayed())
        self.find('#new').click()
        self.attach('video.mp4')
        self.assertEqual(self.ask('What does the counter show, and what is said?'), '17 18 19 20; go left')
        self.assertTrue(self.find('#log video').is_displayed())
        self.find('#new').click()
        self.dropped('picture.png', 'image/png', event='paste')
        self.click('Remove picture.png')
        self.assertEqual(self.all('#tray li'), [])
        self.assertEqual(len(self.all('#conversations .item')), 3)

    def test_stop_regenerate_edit(self):
        self.script(NEVER_ENDS)
        prompt = self.find('#prompt')
        prompt.send_keys('Repeat: red green blue', Keys.ENTER)
        self.wait(lambda: len(self.script("return document.querySelector('#log .text')?.textContent ?? ''")) > 40, 'the answer streams')
        self.assertTrue(self.find('#stop').is_displayed())
        self.assertEqual(self.find('.answer').get_attribute('aria-live'), 'off')
        prompt.send_keys(Keys.ESCAPE)
        stopped = self.answer()
        self.assertIn('Stopped.', self.find('.answer .end').text)
        self.assertTrue(stopped)
        self.server.wait_for_metric('gemma3n_running', 0)
        self.reload()  # without the change to fetch
        self.assertIn('Stopped.', self.find('.answer .end').text)
        self.click('Regenerate answer')
        self.assertEqual(self.answer(), 'red green blue')
        self.assertEqual(len(self.all('.answer')), 1)
        self.click('Earlier answer')
        self.assertEqual(self.answer(), stopped)
        self.assertIn('1 of 2', self.find('.answer .versions').text)
        self.click('Later answer')
        self.assertEqual(self.answer(), 'red green blue')
        self.assertEqual(self.ask('Repeat: cat dog'), self.answer())
        self.script("document.querySelector('[aria-label=\"Edit message\"]').click()")
        editor = self.find('textarea.edit')
        self.assertEqual(editor.get_attribute('value'), 'Repeat: red green blue')
        editor.send_keys(Keys.CONTROL, 'a')
        editor.send_keys('Repeat: go left', Keys.ENTER)
        self.wait(lambda: len(self.all('#log .message')) == 2, 'what followed is gone')
        self.assertEqual(self.answer(), 'go left')

    def test_copy(self):
        self.ask('Repeat: red green blue')
        self.click('Copy answer')
        self.wait(lambda: self.all('.icon.done'), 'it is copied')
        copied = lambda: self.driver.execute_async_script('navigator.clipboard.readText().then(arguments[0])')  # noqa: E731
        self.assertEqual(copied(), 'red green blue')
        # The tiny model writes no code: a block is shown by the same means as an answer.
        self.driver.execute_async_script("""const done = arguments[0];
            import('/page/markdown.js').then(({MarkdownView}) => {
              new MarkdownView(document.querySelector('.answer .text')).show('Look:\\n\\n```py\\nx = 1\\n\\ny = 2\\n```\\n'); done(); });""")
        self.click('Copy code')
        self.wait(lambda: self.all('.copy-code.done'), 'it is copied')
        self.assertEqual(copied(), 'x = 1\n\ny = 2')

    def test_markdown_is_safe(self):
        """The page's own renderer: nothing that a model writes becomes an element that acts."""
        text = ('# Title\n\n**bold** *it* `c<b>` snake_case 2 * 3\n\n- one\n  1. two\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n'
                '```py\n<script>1</script>\n```\n<script>alert(1)</script><img src=x onerror=alert(1)>\n\n'
                '[ok](https://example.org/a_(b)) [bad](javascript:alert(1)) ![p](https://example.org/p.png)')
        shown = self.driver.execute_async_script("""
            const [text, done] = arguments;
            import('/page/markdown.js').then(({MarkdownView}) => {
              const whole = document.createElement('div'), grown = document.createElement('div');
              new MarkdownView(whole).show(text);
              const view = new MarkdownView(grown);
              for (let i = 1; i <= text.length; i++) view.show(text.slice(0, i));
              const tags = [...whole.querySelectorAll('*')].map(e => e.tagName);
              done({whole: whole.innerHTML, grown: grown.innerHTML, tags, text: whole.textContent,
                    links: [...whole.querySelectorAll('a')].map(a => [a.getAttribute('href'), a.rel]),
                    attributes: [...whole.querySelectorAll('*')].flatMap(e => e.getAttributeNames())});
            });""", text)
        self.assertEqual(shown['whole'], shown['grown'])  # what grew letter by letter
        for tag in ('H3', 'STRONG', 'EM', 'CODE', 'UL', 'OL', 'TABLE', 'TH', 'PRE'):
            self.assertIn(tag, shown['tags'])
        self.assertFalse({'SCRIPT', 'IMG', 'IFRAME', 'STYLE'} & set(shown['tags']))
        self.assertFalse([name for name in shown['attributes'] if name.startswith('on')])
        self.assertEqual(shown['links'], [['https://example.org/a_(b)', 'noopener noreferrer nofollow'],
                                          ['https://example.org/p.png', 'noopener noreferrer nofollow']])
        self.assertIn('<script>alert(1)</script><img src=x onerror=alert(1)>', shown['text'])

    def test_conversations_are_kept(self):
        self.attach('picture.png')
        self.ask('What is in this picture?')
        self.find('#new').click()
        self.ask('Repeat: cat dog')
        self.reload()
        self.assertEqual(self.find('.answer .text').text, 'cat dog')
        self.button('What is in this picture?', '#conversations')
        self.assertEqual(self.answer(), 'a blue star and the number 42 in orange')
        self.assertGreater(self.wait(lambda: self.script("return document.querySelector('#log img')?.naturalWidth"), 'the preview'), 0)
        self.assertTrue(self.ask('What is in this picture?'))  # the file is sent again, from the browser's database
        self.button('Export all')
        path = pathlib.Path(self.profile) / 'gemma3n conversations.json'
        self.wait(path.exists, 'the export')
        exported = json.loads(path.read_text())
        self.assertEqual([len(c['messages']) for c in exported['conversations']], [4, 2])
        self.assertEqual(base64.b64decode(exported['conversations'][0]['messages'][0]['files'][0]['data'].split(',')[1]),
                         (MEDIA / 'picture.png').read_bytes())
        self.click('Delete What is in this picture?')
        self.assertEqual([b.text for b in self.all('#conversations .name')], ['Repeat: cat dog'])
        self.button('Undo')
        self.assertEqual(len(self.all('#conversations .name')), 2)
        self.find('#import-file').send_keys(str(path))
        self.wait(lambda: len(self.all('#conversations .name')) == 4, 'the import')

    def test_dark_and_narrow(self):
        ground = lambda: self.script("return getComputedStyle(document.body).backgroundColor")  # noqa: E731
        light = ground()
        self.scheme('dark')
        dark = ground()
        self.assertNotEqual(light, dark)
        self.click('Dark mode')
        self.assertEqual((ground(), self.find('#theme').get_attribute('aria-pressed')), (light, 'false'))
        self.driver.refresh()
        self.assertEqual(ground(), light)  # remembered
        self.window(360, 700)
        self.attach('picture.png', 'speech.wav', 'video.mp4')
        self.ask('What is in this picture? ' + 'averyveryverylongword' * 8)
        self.assertEqual(self.script('return [document.documentElement.scrollWidth, document.getElementById("scroll").scrollWidth <= innerWidth]'),
                         [360, True])
        self.assertFalse(self.find('#sidebar').is_displayed())
        self.click('Show conversations')
        self.wait(lambda: self.find('#sidebar').is_displayed(), 'the list')
        self.find('#hide-sidebar').send_keys(Keys.ESCAPE)
        self.wait(lambda: not self.find('#sidebar').is_displayed(), 'the list closes')
        self.click('Settings')
        self.assertLessEqual(self.script('return document.getElementById("settings").getBoundingClientRect().right'), 360)

    def test_keyboard_alone(self):
        active = lambda: self.driver.switch_to.active_element  # noqa: E731
        tab = lambda: ActionChains(self.driver).send_keys(Keys.TAB).perform()  # noqa: E731
        self.script('document.activeElement.blur()')
        tab()
        seen = []
        while True:
            name = self.script('const e = document.activeElement; return e === document.body ? "" : e.getAttribute("aria-label") || e.innerText || e.id')
            if name in seen or len(seen) > 40:
                break
            if name:
                seen.append(name)
                self.assertTrue(self.script("""const e = document.activeElement, s = getComputedStyle(e);
                    return e.id === 'prompt' || (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2)"""), f'{name} shows no focus')
            tab()
        for name in ('New conversation', 'Settings', 'Dark mode', 'Message', 'Attach files', 'Record sound', 'Import'):
            self.assertIn(name, seen)
        skip = self.find('.skip')
        self.script('arguments[0].focus()', skip)
        self.assertGreaterEqual(skip.rect['y'], 0)
        active().send_keys(Keys.ENTER)
        self.assertEqual(active().get_attribute('id'), 'prompt')
        active().send_keys('Repeat: cat', Keys.SHIFT, Keys.ENTER)
        self.assertEqual(active().get_attribute('value'), 'Repeat: cat\n')
        active().send_keys('dog', Keys.ENTER)
        self.answer()
        self.assertEqual(self.find('.bubble').text, 'Repeat: cat\ndog')
        active().send_keys(Keys.ARROW_UP)
        self.assertEqual(active().get_attribute('aria-label'), 'Edit message')
        active().send_keys(Keys.ESCAPE)
        self.assertEqual(self.all('textarea.edit'), [])

    def test_names_for_screen_readers(self):
        self.attach('picture.png', 'speech.wav')
        self.ask('What is in this picture?')
        self.click('Settings')
        for _ in range(2):  # with the dialog, and without
            nodes = self.driver.execute_cdp_cmd('Accessibility.getFullAXTree', {})['nodes']
            controls = [(n['role']['value'], n.get('name', {}).get('value', '')) for n in nodes if not n.get('ignored')
                        and n['role']['value'] in ('button', 'textbox', 'combobox', 'spinbutton', 'link', 'checkbox', 'image', 'log', 'article', 'Audio', 'searchbox')]
            self.assertGreater(len(controls), 8)
            self.assertEqual([c for c in controls if not c[1].strip()], [])
            if self.find('#settings').is_displayed():
                self.find('#settings-cancel').click()
        self.assertIn(('log', 'Conversation'), controls)
        self.assertIn(('article', 'Answer'), controls)
        self.wait(lambda: 'a blue star' in self.script("return document.getElementById('announce').textContent"), 'the answer is announced')

    def test_microphone(self):
        self.click('Record sound')
        self.wait(lambda: self.find('#recorder').is_displayed(), 'the recorder')
        self.wait(lambda: self.find('#recorder-time').text >= '0:01', 'a second')
        self.button('Use recording')
        self.wait(lambda: self.all('#tray audio'), 'the recording', 20)
        self.assertGreater(self.wait(lambda: self.script("return document.querySelector('#tray audio').duration"), 'its length'), 0.5)
        self.ask('Transcribe the speech.')
        self.assertFalse(self.all('.answer .error'))
        self.script("navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))")
        self.click('Record sound')
        self.toast('does not let this page use the microphone')

    def test_settings_reach_the_server(self):
        self.script("""window.sent = []; const ask = window.fetch;
            window.fetch = (url, options) => { if (options?.body) sent.push(JSON.parse(options.body)); return ask(url, options); };""")
        self.click('Settings')
        for name, value in {'system': 'Be short.', 'top_p': '0.9', 'top_k': '7', 'max_tokens': '2', 'seed': '11'}.items():
            self.find(f'#s-{name}').send_keys(value)
        self.button('Save')
        # At one go: the page makes the list anew when the server has named its models.
        options = self.script("return [...document.querySelectorAll('#model option')].map(o => o.value)")
        self.assertIn('tiny', options)
        self.ask('Repeat: red green blue cat dog bird')
        sent = self.script('return sent.at(-1)')
        self.assertEqual({k: sent[k] for k in ('model', 'temperature', 'top_p', 'top_k', 'max_tokens', 'seed', 'stream')},
                         {'model': 'tiny', 'temperature': 0, 'top_p': 0.9, 'top_k': 7, 'max_tokens': 2, 'seed': 11, 'stream': True})
        self.assertEqual(sent['messages'][0], {'role': 'system', 'content': 'Be short.'})
        self.assertIn('limit of tokens', self.find('.answer .end').text)
        self.assertIn('2 tokens', self.find('.answer .stats').text)

    def test_errors_in_plain_words(self):
        self.allowed_errors = ('400', '401', '413', 'ERR_CONNECTION')
        self.script("""const big = new DataTransfer();
            big.items.add(new File([new Uint8Array(3 << 20)], 'big.wav', {type: 'audio/wav'}));
            document.getElementById('main').dispatchEvent(new DragEvent('drop', {dataTransfer: big, bubbles: true, cancelable: true}));""")
        self.toast('big.wav', 'too large')
        self.script("document.querySelector('#prompt').value = 'word '.repeat(9000)")
        self.ask(' ')
        self.assertIn('could not take this message', self.find('.error').text)
        self.button('Try again', '#log')
        self.answer()
        self.assertEqual(len(self.all('.answer')), 1)
        with tempfile.NamedTemporaryFile('w', suffix='.keys') as keys:
            keys.write('ann: secret-key-of-ann\n')
            keys.flush()
            server = support.Server('--api-key-file', keys.name)
            with contextlib.ExitStack() as over:
                over.callback(server.stop)
                self.open(server.url, ready=False)
                self.wait(lambda: self.find('#ask').is_displayed(), 'the question for the key')
                self.find('#ask-value').send_keys('wrong', Keys.ENTER)
                self.wait(lambda: 'did not take' in self.find('#ask-text').text, 'another question')
                self.find('#ask-value').send_keys('secret-key-of-ann', Keys.ENTER)
                self.wait(lambda: self.all('#model option'), 'the models')
                self.assertEqual(self.ask('Repeat: cat dog'), 'cat dog')
            self.ask('Repeat: bird')
            self.assertIn('can’t be reached', self.find('.error').text)


if __name__ == '__main__':
    unittest.main()
