"""Strings to prove a tokenizer on: real text in many scripts, and text made to be hard. See prove.py."""
import gettext
import glob
import gzip
import os
import random
import re

SCRIPTS = [  # (first, last) code points of scripts, most of them without a manual page
    (0x20, 0x7E), (0xA0, 0x24F), (0x250, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x530, 0x58F), (0x590, 0x5FF),
    (0x600, 0x6FF), (0x700, 0x74F), (0x780, 0x7BF), (0x7C0, 0x7FF), (0x900, 0x97F), (0x980, 0x9FF), (0xA00, 0xA7F),
    (0xA80, 0xAFF), (0xB00, 0xB7F), (0xB80, 0xBFF), (0xC00, 0xC7F), (0xC80, 0xCFF), (0xD00, 0xD7F), (0xD80, 0xDFF),
    (0xE00, 0xE7F), (0xE80, 0xEFF), (0xF00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF),
    (0x1200, 0x137F), (0x13A0, 0x13FF), (0x1400, 0x167F), (0x16A0, 0x16FF), (0x1780, 0x17FF), (0x1800, 0x18AF),
    (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x20A0, 0x20CF), (0x2190, 0x23FF), (0x2500, 0x27BF), (0x2E80, 0x2FDF),
    (0x3000, 0x30FF), (0x3130, 0x318F), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xE0FF), (0xFE00, 0xFE0F),
    (0xFF00, 0xFFEF), (0x10000, 0x1007F), (0x10330, 0x1034F), (0x12000, 0x1236E), (0x13000, 0x1342E),
    (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF), (0xE0000, 0xE007F), (0x10FF00, 0x10FFFF)]
EMOJI = ['🙂', '👩‍👩‍👧‍👦', '🏳️‍🌈', '👍🏽', '🇩🇪🇫🇷', '❤️', '🫠', '🪿', '1️⃣', '🧑🏿‍🚀', '☕', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '㊗️', '🈺', '🩷']
SPACES = [' ', '  ', '\n', '\t', '\r', '\r\n', '\u00a0', '\u2003', '\u3000', '\u200b', '\u2028', '\u2581', '\ufeff',
          '\x0b', '\x0c', '\x1f', '\x00', '\x85', '\u202f', '\ufffd']


def man_pages(folder):
    """Paragraphs of unpacked manual pages and of HTML help, markup and all, by language."""
    for path in sorted(glob.glob(f'{folder}/**/*', recursive=True)):
        match = re.search(r'/man/(?:([a-z]{2}(?:_[A-Z]{2})?)[^/]*/)?man\d/.*\.gz$|/help/([a-z-]+)/text/.*\.html$', path)
        if not match or os.path.islink(path):
            continue
        data = gzip.open(path).read() if path.endswith('.gz') else open(path, 'rb').read()
        for paragraph in re.split(r'\n(?=\.(?:SH|PP|TP|IP|P)\b)|\n\n|(?<=</p>)', data.decode('utf-8', 'replace')):
            if paragraph.strip():
                yield match[1] or match[2] or 'en', paragraph


def messages():
    """Short texts in about a hundred languages: the translations of ISO code names."""
    for path in sorted(glob.glob('/usr/share/locale/*/LC_MESSAGES/iso_*.mo')):
        try:
            catalog = gettext.GNUTranslations(open(path, 'rb'))._catalog
        except (OSError, UnicodeDecodeError):
            continue
        texts = [t for t in catalog.values() if isinstance(t, str) and t and '\n' not in t]
        for i in range(0, len(texts), 9):
            yield path.split('/')[4], '; '.join(texts[i:i + 9])


def code(folder):
    for path in sorted(glob.glob(f'{folder}/**/*', recursive=True)):
        if path.endswith(('.cc', '.h', '.py', '.md', '.txt', '.cmake', '.json')) and os.path.getsize(path) < 300000:
            text = open(path, encoding='utf-8', errors='replace').read()
            lines = text.splitlines(keepends=True)
            yield from (''.join(lines[i:i + 7]) for i in range(0, len(lines), 7))


def a_char(rng):
    first, last = rng.choice(SCRIPTS)
    return chr(rng.randint(first, last))


def a_word(rng, vocabulary):
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(vocabulary)
    if kind < 0.6:
        first, last = rng.choice(SCRIPTS)
        return ''.join(chr(rng.randint(first, last)) for _ in range(rng.randint(1, 9)))
    if kind < 0.7:
        return rng.choice(EMOJI) * rng.choice([1, 1, 2, 5])
    if kind < 0.8:
        return str(rng.randint(0, 10 ** rng.randint(1, 18)))
    if kind < 0.9:
        return rng.choice('-=_*#.~/\\|<>"\'`^') * rng.randint(1, 40)
    return ''.join(a_char(rng) for _ in range(rng.randint(1, 6)))


def hard(rng, vocabulary, added):
    """One string made of pieces, scripts, blanks and the texts of added tokens, in odd places."""
    kind = rng.random()
    if kind < 0.1:  # blanks only
        return ''.join(rng.choice(SPACES) * rng.choice([1, 1, 2, 3, 7, 30, 31, 32, 33, 62, 64, 100])
                       for _ in range(rng.randint(1, 8)))
    if kind < 0.2:  # random bytes, made valid
        data = bytes(rng.randrange(256) for _ in range(rng.randint(1, 60)))
        return data.decode('utf-8', rng.choice(['replace', 'ignore'])) or data.decode('latin-1')
    if kind < 0.3:  # pieces glued together, marks and all
        return ''.join(rng.choice(vocabulary) for _ in range(rng.randint(1, 12)))
    if kind < 0.36:  # one character over and over
        return a_char(rng) * rng.choice([1, 2, 3, 5, 17, 31, 32, 33, 47, 48, 49, 200])
    if kind < 0.42:  # added tokens cut short, or with something inside
        text = rng.choice(added)
        cut = rng.randint(0, len(text))
        return a_word(rng, vocabulary) + text[:cut] + rng.choice(['', ' ', '<', 'x', '\n']) + text[cut:] + text
    parts = []
    for _ in range(rng.randint(1, 14)):
        parts.append(a_word(rng, vocabulary))
        draw = rng.random()
        if draw < 0.5:
            parts.append(' ')
        elif draw < 0.62:
            parts.append(rng.choice(SPACES) * rng.choice([1, 1, 1, 2, 3, 4, 8, 31, 40]))
        elif draw < 0.72:
            parts.append(rng.choice(added))
    return ''.join(parts)


def long_texts(rng, vocabulary, paragraphs):
    """A few texts of a hundred thousand characters and more."""
    yield 'a' * 300000
    yield 'ab' * 100000
    yield '=' * 100001
    yield '\u2581' * 70001
    yield '世界' * 60000
    yield ''.join(rng.choice(vocabulary).replace('\u2581', '') for _ in range(40000))
    yield ''.join(a_char(rng) for _ in range(100000))
    yield ' '.join(rng.choice(vocabulary) for _ in range(40000))
    yield '\n\n'.join(rng.choice(paragraphs) for _ in range(1500))
    yield '\U00013000' * 20000


def build(folder, source, vocabulary, added, count, seed):
    """`count` strings at the least: half real where there is enough of it, half made; duplicates left out."""
    rng = random.Random(seed)
    by_language = {}
    for language, text in (*man_pages(folder), *messages()):
        by_language.setdefault(language, []).append(text)
    by_language['code'] = list(code(source))
    share = max(1, count // 2 // len(by_language))
    real, rest = [], []
    for texts in by_language.values():
        rng.shuffle(texts)
        real += texts[:share]
        rest += texts[share:]
    rng.shuffle(rest)
    real += rest[:max(0, count // 2 - len(real))]
    texts = dict.fromkeys(real)
    while len(texts) < count:
        texts[hard(rng, vocabulary, added)] = None
    texts.update(dict.fromkeys(long_texts(rng, vocabulary, real)))
    texts.update(dict.fromkeys(['', ' ', '\n', '\u2581', '\x00', '<', '>\u2581</', '> </b>', '\ufeff', 'a' * 47, 'a' * 49]))
    return list(texts), {language: len(found) for language, found in by_language.items()}
