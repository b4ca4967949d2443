"""The installed library as a user finds it: find_package and pkg-config, the examples, headers that stand alone."""
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ['GEMMA3N_SOURCE'])
BUILD = pathlib.Path(os.environ['GEMMA3N_BUILD'])
sys.path.insert(0, str(SOURCE / 'tests' / 'cli'))
import support  # noqa: E402

QUESTION = 'the other'
# One white pixel. The test's checkpoint has no towers: a picture is read, and then refused.
BMP = b'BM' + struct.pack('<IHHIIiiHHIIiiII', 58, 0, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + b'\xff\xff\xff\0'
BLIND = b'expected a picture tower'


def run(*args, code=0, **kwargs):
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, **kwargs)
    if done.returncode != code:
        raise AssertionError(f'{args}: exit {done.returncode}\n{done.stdout.decode()[-3000:]}\n{done.stderr.decode()[-3000:]}')
    return done


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix='gemma3n-install-'))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        first = cls.folder / 'first'
        run('cmake', '--install', BUILD, '--prefix', first)
        cls.prefix = cls.folder / 'moved'  # an install tree can be moved
        first.rename(cls.prefix)
        cls.model = support.make_checkpoint(cls.folder / 'model')
        cls.picture = cls.folder / 'picture.png'  # a picture's kind is found by its content
        cls.picture.write_bytes(BMP)
        cls.want = run(cls.prefix / 'bin' / 'gemma3n', 'run', '--model', cls.model, '--prompt', QUESTION, '--temperature', 0,
                       '--max-tokens', 64).stdout

    def build_example(self, name, **kwargs):
        build = self.folder / f'build-{name}'
        run('cmake', '-G', 'Ninja', '-S', SOURCE / 'examples' / name, '-B', build, f'-DCMAKE_PREFIX_PATH={self.prefix}',
            '-DCMAKE_BUILD_TYPE=Release', **kwargs)
        run('cmake', '--build', build)
        return build

    def check_ask(self, program):
        """The example that asks about media, as far as a checkpoint without towers goes."""
        self.assertEqual(run(program, self.model, QUESTION).stdout, self.want)
        self.assertIn(BLIND, run(program, self.model, QUESTION, self.picture, code=1).stderr)
        for files in ([self.folder / 'none.png'], [self.picture, self.folder / 'none.wav']):
            done = run(program, self.model, QUESTION, *files, code=1)
            self.assertEqual(done.stdout, b'')
            self.assertTrue(done.stderr.startswith(b'ask: '), done.stderr)
        run(program, code=2)

    def test_cpp_example(self):
        build = self.build_example('cpp')
        self.check_ask(build / 'ask')
        program = build / 'chat'
        done = run(program, self.model, QUESTION, QUESTION)
        self.assertTrue(done.stdout.startswith(self.want))
        self.assertEqual(done.stderr.count(b'prompt tokens'), 2)
        self.assertIn(b'no such file', run(program, '/nowhere', 'x', code=1).stderr)
        run(program, code=2)

    def test_c_example(self):
        build = self.build_example('c')
        self.check_ask(build / 'ask')
        program = build / 'answer'
        done = run(program, self.model, QUESTION)
        self.assertEqual(done.stdout, self.want)
        self.assertIn(b'answered, ended by', done.stderr)
        self.assertIn(b'answer: /nowhere: no such file', run(program, '/nowhere', 'x', code=1).stderr)
        run(program, code=2)

    def build_page(self, page, languages):
        """The programs of a page, one for each language, built with README.md's CMake lines, in a folder with what they name."""
        def block(text, language):
            return re.search(f'^```{language}\n(.*?)^```', text, flags=re.M | re.S).group(1)
        package, link = block((SOURCE / 'README.md').read_text(), 'cmake').splitlines()
        project = self.folder / page.replace('/', '-')
        project.mkdir()
        lines = ['cmake_minimum_required(VERSION 3.25)', 'project(app LANGUAGES C CXX)', package]
        for language in languages:
            source = f'{language}-app.{language}'
            (project / source).write_text(block((SOURCE / page).read_text(), language))
            lines += [f'add_executable({language}-app {source})', link.replace('(app ', f'({language}-app ')]
        (project / 'CMakeLists.txt').write_text('\n'.join(lines) + '\n')
        run('cmake', '-G', 'Ninja', '-S', project, '-B', project / 'build', f'-DCMAKE_PREFIX_PATH={self.prefix}')
        run('cmake', '--build', project / 'build')
        (project / 'gemma-3n-E2B-it').symlink_to(self.model)
        (project / self.picture.name).symlink_to(self.picture)
        return project

    def test_readme_program(self):
        """README.md's C++ program builds with README.md's CMake lines, and answers."""
        project = self.build_page('README.md', ['cpp'])
        self.assertNotEqual(run(project / 'build' / 'cpp-app', cwd=project).stdout, b'')

    def test_library_page(self):
        """The programs of docs/LIBRARY.md build, load the model, and read the picture."""
        project = self.build_page('docs/LIBRARY.md', ['cpp', 'c'])
        for language in ('cpp', 'c'):
            self.assertIn(BLIND, run(project / 'build' / f'{language}-app', cwd=project, code=1).stderr)

    def test_c_only_project_is_told(self):
        project = self.folder / 'c-only'
        project.mkdir()
        (project / 'CMakeLists.txt').write_text('cmake_minimum_required(VERSION 3.25)\nproject(p LANGUAGES C)\nfind_package(gemma3n REQUIRED)\n')
        args = ['cmake', '-G', 'Ninja', '-S', project, '-B', project / 'build', f'-DCMAKE_PREFIX_PATH={self.prefix}']
        if any(self.prefix.rglob('libgemma3n.a')):
            self.assertIn('LANGUAGES C CXX', ' '.join(run(*args, code=1).stderr.decode().split()))
        else:
            run(*args)

    def test_pkg_config(self):
        pc = next(self.prefix.rglob('gemma3n.pc')).parent
        flags = run('pkg-config', '--cflags', '--libs', 'gemma3n', env={**os.environ, 'PKG_CONFIG_PATH': str(pc)}).stdout.decode().split()
        sanitize = [line.split('=', 1)[1] for line in (BUILD / 'CMakeCache.txt').read_text().splitlines()
                    if line.startswith('GEMMA3N_SANITIZE:')][0]
        extra = [f'-fsanitize={sanitize}'] if sanitize else []
        program = self.folder / 'answer'
        compiler, linker = os.environ.get('CC', 'cc'), os.environ.get('CXX', 'c++')
        run(compiler, '-c', SOURCE / 'examples' / 'c' / 'answer.c', '-o', self.folder / 'answer.o', *flags[:1])
        run(linker, self.folder / 'answer.o', '-o', program, *flags, *extra)
        libraries = {**os.environ, 'LD_LIBRARY_PATH': str(pc.parent)}
        self.assertEqual(run(program, self.model, QUESTION, env=libraries).stdout, self.want)

    def test_shared_library_shows_the_public_api_only(self):
        libraries = list(self.prefix.rglob('libgemma3n.so'))
        if not libraries:
            self.skipTest('the static library')
        names = run('nm', '-DC', '--defined-only', libraries[0]).stdout.decode().splitlines()
        self.assertGreater(len(names), 30)
        for line in names:
            self.assertRegex(line, r' (gemma3n_\w+|gemma3n::(Engine|Session)::.*|gemma3n::\w+(Name|Table)\(.*\))$')

    def test_headers_stand_alone(self):
        include = self.prefix / 'include'
        headers = sorted(p.relative_to(include) for p in include.rglob('*.h'))
        self.assertGreaterEqual(len(headers), 8)
        for header in headers:
            run(os.environ.get('CXX', 'c++'), '-std=c++20', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only', f'-I{include}',
                '-x', 'c++', '-', input=f'#include "{header}"\n'.encode())
        for standard in ('c99', 'c11'):
            run(os.environ.get('CC', 'cc'), f'-std={standard}', '-Wall', '-Wextra', '-Wpedantic', '-Wstrict-prototypes', '-Werror',
                '-fsyntax-only', f'-I{include}', '-x', 'c', '-', input=b'#include "gemma3n/c_api.h"\n')


if __name__ == '__main__':
    unittest.main()
