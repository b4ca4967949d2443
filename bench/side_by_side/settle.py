"""Memory as a machine has it that runs nothing else, for both engines alike:   settle.py FILE

A virtual machine gets its memory piece by piece: what its system has used for long may lie in small pages of the host, which
are read a quarter slower, and where a file's cache lands is chance.
"""
import mmap
import os
import subprocess
import sys

HUGE_PAGE = 2 << 20
SPARE = 2 << 30  # stays free


def available_memory():
    with open('/proc/meminfo') as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith('MemAvailable'))


def settle(path):
    """In a process of its own: a process begins with the peak memory of the one that starts it."""
    subprocess.run([sys.executable, __file__, path], check=True)


def lay_out(path):
    """Lets go of the file's cache, writes once to nearly all free memory, so that a host gives large pages for it, and reads
    the file anew, into huge pages where its file system knows them. The next to read it find it in memory."""
    with open(path, 'rb') as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        size = max(0, available_memory() - SPARE) // HUGE_PAGE * HUGE_PAGE
        if size:
            with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
                memory.madvise(mmap.MADV_HUGEPAGE)
                for at in range(0, size, mmap.PAGESIZE):
                    memory[at] = 1
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            mapped.madvise(mmap.MADV_HUGEPAGE)
            for at in range(0, len(mapped), mmap.PAGESIZE):
                mapped[at]


if __name__ == '__main__':
    lay_out(sys.argv[1])
