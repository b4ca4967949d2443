#!/usr/bin/env python3
"""Many users at once against a server with OpenAI's /v1/chat/completions (gemma3n serve, llama-server, ...), all streaming:

  bench/serve_load.py http://127.0.0.1:8080 --connections 16 --prompt-tokens 512 --max-tokens 128 --duration 60 --pid PID

Each connection asks, reads its answer, asks again. Prompts are random words, another every time, so that only the shared
system prompt (--system-tokens) can be answered from a prefix cache. Prints a table and, with --json, all numbers. Standard
library only, and cheap: about 30 us of processor time for each token.
"""
import argparse
import array
import asyncio
import collections
import json
import os
import random
import re
import resource
import shlex
import subprocess
import sys
import time
import urllib.parse
import urllib.request

WORDS = ('red green blue star circle square one two three four five six seven eight nine cat dog bird fish up down left '
         'right stop go yes no open close time year people way day man thing woman life child world school state family '
         'student group country problem hand part place case week company system program question work number night '
         'point home water room mother area money story fact month lot right study book eye job word business').split()
USAGE = re.compile(rb'"(prompt_tokens|completion_tokens|cached_tokens)"\s*:\s*(\d+)')


class Load:
    """What all connections share: the work to do, and what came of it."""

    def __init__(self, options):
        self.options = options
        url = urllib.parse.urlsplit(options.url)
        self.host, self.port = url.hostname, url.port or 80
        self.path = url.path.rstrip('/') + '/v1/chat/completions'
        self.random = random.Random(options.seed)
        self.system = ''
        self.prompt_words = options.prompt_tokens
        self.cut = 0  # answers that had not ended at the end
        self.asked = self.finished = self.tokens = self.prompt_tokens = self.cached_tokens = 0
        self.first = array.array('d')   # seconds from a request to its first token
        self.gaps = array.array('f')    # and between two tokens that did not come together
        self.whole = array.array('d')   # and to the end
        self.errors = collections.Counter()
        self.start = self.deadline = 0.0
        self.last = 0.0

    def words(self, count):
        return ' '.join(self.random.choices(WORDS, k=count))

    def request(self):
        o = self.options
        messages = [{'role': 'user', 'content': self.words(self.prompt_words)}]
        if self.system:
            messages.insert(0, {'role': 'system', 'content': self.system})
        body = {'model': o.model, 'messages': messages, 'max_tokens': o.max_tokens, 'temperature': o.temperature,
                'stream': True, 'stream_options': {'include_usage': True}}
        if o.never:
            body['logit_bias'] = {str(token): -100 for token in o.never}
        if o.ignore_eos:
            body['ignore_eos'] = True
        text = json.dumps(body).encode()
        key = f'Authorization: Bearer {o.api_key}\r\n' if o.api_key else ''
        return (f'POST {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n{key}'
                f'Content-Length: {len(text)}\r\n\r\n').encode() + text

    def more(self, now):
        """Whether another request is to be sent."""
        return now < self.deadline and (not self.options.requests or self.asked < self.options.requests)


class Connection(asyncio.Protocol):
    def __init__(self, load, over):
        self.load, self.over = load, over
        self.transport = None
        self.rest = b''
        self.asking = False

    def connection_made(self, transport):
        self.transport = transport
        self.ask()

    def ask(self):
        if self.transport.is_closing():  # while its user thought
            return
        now = time.perf_counter()
        if not self.load.more(now):
            return self.end()
        self.load.asked += 1
        self.asking, self.rest, self.head = True, b'', None
        self.sent, self.before, self.events = now, 0.0, 0
        self.usage, self.done = {}, False
        self.transport.write(self.load.request())

    def data_received(self, data):
        if not self.asking:
            return
        now = time.perf_counter()
        self.rest += data
        if self.head is None:
            head, found, rest = self.rest.partition(b'\r\n\r\n')
            if not found:
                return
            self.head, self.rest = head, rest
        status = self.head[9:12]
        if status != b'200':
            self.load.errors[f'HTTP {status.decode(errors="replace")}'] += 1
            return self.end()
        parts = self.rest.split(b'\n\n')
        self.rest = parts.pop()
        new = 0
        for part in parts:
            if b'"content"' in part and b'"content":null' not in part and b'"content":""' not in part:
                new += 1
            elif b'"usage"' in part or b'[DONE]' in part or b'"error"' in part:
                for name, value in USAGE.findall(part):
                    self.usage[name] = int(value)
                self.done = self.done or b'[DONE]' in part
                if b'"error"' in part:
                    self.load.errors['error event'] += 1
                    return self.end()
        if new and now <= self.load.deadline:
            if self.before:
                self.load.gaps.append(now - self.before)
            else:
                self.load.first.append(now - self.sent)
            self.before, self.load.last = now, now
            self.events += new
            self.load.tokens += new
        if self.done and self.rest.endswith(b'0\r\n\r\n'):  # the last chunk
            self.finish(now)

    def finish(self, now):
        load = self.load
        load.finished += 1
        load.whole.append(now - self.sent)
        if now <= load.deadline:  # an event may hold several tokens: the server's count is right
            load.tokens += self.usage.get(b'completion_tokens', self.events) - self.events
        load.prompt_tokens += self.usage.get(b'prompt_tokens', 0)
        load.cached_tokens += self.usage.get(b'cached_tokens', 0)
        self.asking = False
        pause = load.options.pause
        loop = asyncio.get_running_loop()
        loop.call_later(self.load.random.expovariate(1 / pause), self.ask) if pause else loop.call_soon(self.ask)

    def connection_lost(self, error):
        if self.asking and self.transport is not None:
            if time.perf_counter() < self.load.deadline:
                self.load.errors[type(error).__name__ if error else 'closed early'] += 1
            self.asking = False
        if not self.over.done():
            self.over.set_result(None)

    def end(self):
        self.asking = False
        self.transport.abort()


async def user(load, delay):
    """One connection after another: the next where one was lost."""
    await asyncio.sleep(delay)
    while load.more(time.perf_counter()):
        over = asyncio.get_running_loop().create_future()
        try:
            _, connection = await asyncio.get_running_loop().create_connection(lambda: Connection(load, over), load.host, load.port)
        except OSError as error:
            load.errors[type(error).__name__] += 1
            await asyncio.sleep(0.5)
            continue
        try:
            await asyncio.wait_for(over, max(0.0, load.deadline + load.options.patience - time.perf_counter()))
        except asyncio.TimeoutError:
            if not connection.asking:  # its user thinks
                pass
            elif load.options.patience or load.options.requests:
                load.errors['unfinished at the end'] += 1
            else:
                load.cut += 1
            connection.end()
            return
        await asyncio.sleep(0.05)


class Watch:
    """A process's memory and processor time, by /proc."""

    def __init__(self, pid):
        self.pid = pid
        self.samples = []
        self.cpu_start = self.cpu()

    def cpu(self):
        if not self.pid:
            return 0.0
        fields = open(f'/proc/{self.pid}/stat').read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def memory(self):
        """Resident bytes: all, and those that are not mapped files."""
        lines = dict(line.split(':', 1) for line in open(f'/proc/{self.pid}/status') if ':' in line)
        return tuple(1024 * int(lines[name].split()[0]) for name in ('VmRSS', 'RssAnon'))

    async def run(self, load):
        while self.pid:
            try:
                self.samples.append((time.perf_counter() - load.start, *self.memory(), load.tokens))
            except (OSError, KeyError):
                load.errors['the server is gone'] += 1
                return
            await asyncio.sleep(1)


def post(load, messages):
    """One short answer's usage, by plain means."""
    key = {'Authorization': f'Bearer {load.options.api_key}'} if load.options.api_key else {}
    body = json.dumps({'model': load.options.model, 'messages': messages, 'max_tokens': 1}).encode()
    request = urllib.request.Request(f'http://{load.host}:{load.port}{load.path}', body, {'Content-Type': 'application/json', **key})
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)['usage']['prompt_tokens']


def calibrate(load):
    """How many words make the wanted tokens, by the server's own count."""
    def tokens(words):
        return post(load, [{'role': 'user', 'content': load.words(words)}])
    few, many = 20, max(40, load.options.prompt_tokens // 2)
    low, high = tokens(few), tokens(many)
    rate = (high - low) / (many - few)
    load.prompt_words = max(1, round((load.options.prompt_tokens - low) / rate + few))
    if load.options.system_tokens:
        load.system = load.words(round(load.options.system_tokens / rate))
    for _ in range(3):  # words differ: towards the count of three prompts
        measured = sum(tokens(load.prompt_words) for _ in range(3)) / 3
        load.prompt_words = max(1, round(load.prompt_words + (load.options.prompt_tokens - measured) / rate))
    return round(measured)


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else None


async def measure(load, watch):
    o = load.options
    cpu = time.process_time()
    load.start = load.last = time.perf_counter()
    load.deadline = load.start + o.duration
    watching = asyncio.create_task(watch.run(load))
    await asyncio.gather(*(user(load, o.ramp * i / o.connections) for i in range(o.connections)))
    watching.cancel()
    seconds = min(o.duration, load.last - load.start) if o.requests else o.duration
    ms = lambda values: {name: None if (v := quantile(values, q)) is None else round(1000 * v, 2)  # noqa: E731
                         for name, q in (('p50', 0.5), ('p90', 0.9), ('p99', 0.99), ('max', 1))}
    result = {
        'connections': o.connections, 'seconds': round(seconds, 2), 'requests': load.finished, 'cut_at_the_end': load.cut, 'tokens': load.tokens,
        'tokens_per_second': round(load.tokens / seconds, 2), 'prompt_tokens': load.prompt_tokens,
        'cached_prompt_tokens': load.cached_tokens, 'first_token_ms': ms(load.first), 'between_tokens_ms': ms(load.gaps),
        'whole_answer_ms': ms(load.whole), 'errors': dict(load.errors),
        'client_cpu_seconds': round(time.process_time() - cpu, 2),
        'client_peak_mb': round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, 1),
    }
    if watch.samples:
        mb = lambda value: round(value / 1e6, 1)  # noqa: E731
        result['server'] = {
            'rss_mb': {'start': mb(watch.samples[0][1]), 'max': mb(max(s[1] for s in watch.samples)), 'end': mb(watch.samples[-1][1])},
            'anonymous_mb': {'start': mb(watch.samples[0][2]), 'max': mb(max(s[2] for s in watch.samples)), 'end': mb(watch.samples[-1][2])},
            'cpu_seconds': round(watch.cpu() - watch.cpu_start, 2),
            'every_second': [[round(t, 1), mb(rss), mb(anonymous), tokens] for t, rss, anonymous, tokens in watch.samples],
        }
    return result


def show(result, out):
    def row(name, value):
        print(f'| {name} | {value} |', file=out)
    times = lambda t: ' / '.join('-' if t[k] is None else f'{t[k]:,.0f}' if t[k] >= 100 else f'{t[k]:.1f}'  # noqa: E731
                                 for k in ('p50', 'p90', 'p99', 'max'))
    row('connections, seconds', f'{result["connections"]}, {result["seconds"]}')
    print('|---|---|', file=out)
    row('answers; cut off at the end; errors', f'{result["requests"]}; {result["cut_at_the_end"]}; {result["errors"] or 0}')
    row('tokens/s, all answers together', f'{result["tokens_per_second"]:,.1f}')
    row('prompt tokens (from the cache)', f'{result["prompt_tokens"]:,} ({result["cached_prompt_tokens"]:,})')
    row('first token, ms: p50 / p90 / p99 / max', times(result['first_token_ms']))
    row('between tokens, ms', times(result['between_tokens_ms']))
    row('whole answer, ms', times(result['whole_answer_ms']))
    if 'server' in result:
        for name, label in (('rss_mb', 'resident'), ('anonymous_mb', 'of it not mapped files')):
            row(f'server, {label}, MB: start / max / end', ' / '.join(f'{v:,.1f}' for v in result['server'][name].values()))
        row('server, processor time, s', result['server']['cpu_seconds'])
    row('this client, processor time, s', result['client_cpu_seconds'])


def start(options):
    """The server of --serve: its first line says where it listens."""
    server = subprocess.Popen(shlex.split(options.serve), stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    found = re.search(r'http://\S+', line)
    if not found:
        server.kill()
        sys.exit(f'serve_load: the server said {line!r} instead of where it listens')
    options.url, options.pid = found[0], server.pid
    return server


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('url', nargs='?', help='http://HOST:PORT, as before /v1')
    parser.add_argument('--serve', metavar='COMMAND', help='start this and end it afterwards, instead of a URL: "gemma3n serve --model M --port 0"')
    parser.add_argument('--connections', type=int, default=16)
    parser.add_argument('--prompt-tokens', type=int, default=512, help='of each prompt, by the server\'s own count')
    parser.add_argument('--system-tokens', type=int, default=0, help='of a system prompt that all share')
    parser.add_argument('--max-tokens', type=int, default=128)
    parser.add_argument('--duration', type=float, default=60, help='seconds (most, with --requests)')
    parser.add_argument('--requests', type=int, default=0, help='end after so many')
    parser.add_argument('--pause', type=float, default=0, help='mean seconds that a user thinks between two requests')
    parser.add_argument('--ramp', type=float, default=0, help='seconds over which the users come')
    parser.add_argument('--patience', type=float, default=0, help='seconds after the end for answers to finish')
    parser.add_argument('--model', default='', help='default: the first of /v1/models')
    parser.add_argument('--api-key', default='')
    parser.add_argument('--temperature', type=float, default=0.0)
    parser.add_argument('--never', type=int, action='append', default=[], metavar='ID', help='token that no answer may have, such as an end (logit_bias)')
    parser.add_argument('--ignore-eos', action='store_true', help='ask for answers of full length (llama-server)')
    parser.add_argument('--pid', type=int, default=0, help='the server\'s process, to watch its memory')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--json', metavar='FILE', help='all numbers')
    options = parser.parse_args()
    if bool(options.url) == bool(options.serve):
        parser.error('give a URL or --serve')
    server = start(options) if options.serve else None
    try:
        return run(options)
    finally:
        if server:
            server.terminate()
            server.wait()


def run(options):
    load = Load(options)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, options.connections + 100)), hard))
    try:
        if not options.model:
            key = {'Authorization': f'Bearer {options.api_key}'} if options.api_key else {}
            with urllib.request.urlopen(urllib.request.Request(options.url.rstrip('/') + '/v1/models', headers=key), timeout=30) as answer:
                options.model = json.load(answer)['data'][0]['id']
        measured = calibrate(load)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f'serve_load: {options.url} does not answer as expected: {error}')
    print(f'{options.model}: prompts of about {measured} tokens' + (f' after a shared system prompt of about {options.system_tokens}'
          if options.system_tokens else '') + f', answers of at most {options.max_tokens}', file=sys.stderr)
    result = {'model': options.model, 'url': options.url, 'prompt_tokens_each': measured, 'system_tokens': options.system_tokens,
              'max_tokens': options.max_tokens, **asyncio.run(measure(load, Watch(options.pid)))}
    show(result, sys.stdout)
    if options.json:
        with open(options.json, 'w') as out:
            json.dump(result, out, indent=1)
    return 1 if load.errors or not load.finished else 0


if __name__ == '__main__':
    sys.exit(main())
