# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints lines that are the same on every machine. `check.py jit` prints what Check.java and
check.js have to print, by plain interpretation."""
import bz2
import decimal
import hashlib
import json
import lzma
import math
import random
import re
import struct
import sys
import threading
import zlib

MASK = 0xffffffff


def digest(data):
    return hashlib.sha256(data if isinstance(data, bytes) else repr(data).encode()).hexdigest()


def hashes():
    data = random.Random(1).randbytes(1 << 20)
    for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b", "blake2s"):
        print(name, hashlib.new(name, data).hexdigest())
    text = b"".join(b"%d squared is %d\n" % (i, i * i) for i in range(40000))
    print("crc", zlib.crc32(data), zlib.adler32(text))
    for module in (zlib, bz2, lzma):
        packed = module.compress(text)
        assert module.decompress(packed) == text
        print(module.__name__, len(packed), digest(packed))


def numbers():
    value = 1
    for i in range(1, 1100):
        value = value * (i | 1) + i
    print("bignum", digest(value), math.isqrt(value) % 1000003, pow(3, value % 100003, 10**40 + 7))
    decimal.getcontext().prec = 200
    print("decimal", digest(str(decimal.Decimal(2).sqrt() * decimal.Decimal(7).ln())))
    total = 0.0
    for i in range(1, 200000):
        total += math.sqrt(i) * (-1) ** i / (i % 17 + 1)
    print("float", total.hex(), math.fsum(1 / i for i in range(1, 50000)).hex())


def texts():
    rows = [{"name": f"row-{i}", "values": [i, i / 7, -i, str(i * i)], "ok": i % 3 == 0}
            for i in range(8000)]
    text = json.dumps(rows, sort_keys=True)
    assert json.loads(text) == rows
    print("json", len(text), digest(text))
    found = re.findall(r'"row-(\d*7\d*)".*?\[(\d+), ([\d.e-]+)', text)
    print("re", len(found), digest(found))
    words = sorted(re.sub(r"[^a-z0-9]+", " ", text).split())
    counts = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    print("words", len(counts), digest(sorted(counts.items())))


def threads():
    lock = threading.Lock()
    results = {}
    counter = [0]

    def work(number):
        for i in range(4000):
            with lock:
                counter[0] += i & 3
        value = digest(b"%d" % number * 200000)
        with lock:
            results[number] = value

    started = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    print("threads", counter[0], digest(sorted(results.items())))


# ---- what Check.java and check.js do ----

def jit_mix(count):
    state, digest32 = 12345, 0x811c9dc5
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & MASK
        digest32 = ((digest32 ^ (state >> 9)) * 16777619) & MASK
        digest32 = ((digest32 << 5) | (digest32 >> 27)) & MASK
    return digest32


def jit_sieve(limit):
    composite = bytearray(limit)
    count = 0
    for i in range(2, limit):
        if not composite[i]:
            count += 1
            composite[i * i::i] = b"\1" * len(composite[i * i::i])
    return count


def jit_doubles(count):
    x, total = 0.3, 0.0
    for i in range(1, count):
        x = 3.99 * x * (1 - x)
        total += math.sqrt(x) / i
    return struct.pack(">d", total).hex()


def jit():
    print(f"mix {jit_mix(2000000)}")
    print(f"sieve {jit_sieve(2000000)}")
    print(f"doubles {jit_doubles(1000000)}")
    print(f"generated {sum(i * (j + 3) + j & MASK for i in range(400) for j in range(200)) & MASK}")
    print("caught 30000")
    print(f"threads {4 * 200000}")


if sys.argv[1:] == ["jit"]:
    jit()
else:
    hashes()
    numbers()
    texts()
    threads()
