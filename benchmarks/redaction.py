"""MB/s of redaction over texts in which nothing is found, against a bare scan of the same bytes.

    python benchmarks/redaction.py [--mb 4] [--profile]

MB are of UTF-8. Texts are cut to 32 kB, none is read twice, so that no cache answers.
"""

import argparse
import cProfile
import json
import random
import re
import time
from collections.abc import Callable, Sequence

from evalkit.control.redaction import Redactor
from evalkit.control.redaction.search import forget_texts
from evalkit.records.case import Case, Document

WORDS = {
    "English": "the customer wrote that her parcel had not come and asked for a refund of what she "
    "paid because nobody answered at the desk on Monday so we looked into it and found that two of "
    "the boxes were still waiting in the other hall",
    "German": "die Kundin schrieb dass ihr Paket nicht angekommen ist, und bat um Erstattung für "
    "das, was sie bezahlt hatte, weil am Montag niemand antwortete; wir prüften es und fanden zwei "
    "Kisten größer als üblich im anderen Lager",
    "Chinese": "客户写道她的包裹没有到并要求退款因为周一没有人在服务台回答所以我们调查并发现"
    "两个箱子仍在另一个仓库",
}


def prose(language: str, size: int, rng: random.Random) -> str:
    out: list[str] = []
    length = 0
    words = list(WORDS[language]) if language == "Chinese" else WORDS[language].split()
    space = "" if language == "Chinese" else " "
    while length < size:
        sentence = space.join(rng.choice(words) for _ in range(rng.randint(6, 18)))
        sentence += "。" if language == "Chinese" else ".\n" if rng.random() < 0.2 else ". "
        out.append(sentence)
        length += len(sentence.encode())
    return "".join(out)


def logs(size: int, rng: random.Random) -> str:
    out, length = [], 0
    while length < size:
        at = f"2026-11-24T0{rng.randint(0, 9)}:{rng.randint(10, 59)}:12.{rng.randint(100, 999)}Z"
        line = json.dumps(
            {
                "at": at,
                "level": "info",
                "order": f"A-{rng.randint(10000, 99999)}",
                "took_ms": rng.randint(1, 9000),
                "bytes": rng.randint(1000, 99999999),
                "trace": f"{rng.getrandbits(128):032x}",
                "epoch": rng.randint(1700000000000, 1800000000000),
                "path": f"/v1/orders/{rng.randint(1, 99)}",
            }
        )
        out.append(line + "\n")
        length += len(line) + 1
    return "".join(out)


HOSTILE = {
    "1": "1",
    "1 1 1": "1 ",
    "01 01": "01 ",
    "telephone numbers only": "555-0129 ",
    "@": "@",
    "a.b.c": "a.b.",
    "[": "[",
    "nested JSON": '{"a":',
    "key=": "key=",
    "one two": "one two ",
    "private keys that do not end": "-----BEGIN PRIVATE KEY-----",
    "escapes": "\\u0040\\n",
}


def pieces(text: str, size: int = 32_000) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def mb_per_s(work: Callable[[str], object], texts: Sequence[str]) -> float:
    size = sum(len(text.encode()) for text in texts)
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        forget_texts()
        for text in texts:
            work(text)
        best = min(best, time.process_time() - started)
    return size / best / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=float, default=4)
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    rng = random.Random(7)
    size = int(args.mb * 1e6)
    texts = {language: prose(language, size, rng) for language in WORDS}
    texts["JSON logs"] = logs(size, rng)
    Redactor().redact("warm up 0044 7700 900123, bob@example.com")
    floor = re.compile(r"\d")
    print("| text | redact, MB/s | one `re` scan for a digit, MB/s | bytes.count, MB/s |")
    print("|---|---|---|---|")
    for name, text in texts.items():
        cut = pieces(text)
        ours = mb_per_s(lambda text: Redactor().redact(text), cut)
        scan = mb_per_s(lambda text: sum(1 for _ in floor.finditer(text)), cut)
        raw = [text.encode() for text in cut]
        started = time.process_time()
        for each in raw:
            each.count(b"@")
        count = sum(map(len, raw)) / max(time.process_time() - started, 1e-9) / 1e6
        print(f"| {name} | {ours:.1f} | {scan:.0f} | {count:.0f} |")
        if args.profile:
            with cProfile.Profile() as profile:
                for each in cut[:20]:
                    Redactor().redact(each)
            profile.print_stats("tottime")
    print("\n| hostile text | redact, MB/s |\n|---|---|")
    for name, unit in HOSTILE.items():
        cut = pieces(unit * (300_000 // len(unit)), 300_000)
        print(f"| {name} | {mb_per_s(lambda text: Redactor().redact(text), cut):.2f} |")
    session()


def session() -> None:
    """What one session pays: what its case holds is looked for, and the redactor copied."""
    rng = random.Random(3)
    text = prose("English", 2_000, rng) + " write to bob@example.com or call +44 7700 900123"
    document = Document(id="d", index="kb", text=prose("English", 6_000, rng))
    rounds = 300
    started = time.process_time()
    for n in range(rounds):
        forget_texts()
        case = Case(id="c", input={"body": f"{n} {text}"}, documents=(document,))
        primed = Redactor.primed_with(case)
    primed_ms = (time.process_time() - started) / rounds * 1e3
    started = time.process_time()
    for _ in range(rounds):
        primed.copy()
    copied_ms = (time.process_time() - started) / rounds * 1e3
    started = time.process_time()
    for n in range(rounds):
        forget_texts()
        primed.redact(f"{n} {text}")
    redacted_ms = (time.process_time() - started) / rounds * 1e3
    print(
        f"\nprimed with 2 kB and a document of 6 kB: {primed_ms:.3f} ms, copied: {copied_ms:.4f} ms"
    )
    print(f"a prompt of 2 kB with an address and a number: {redacted_ms:.3f} ms")


if __name__ == "__main__":
    main()
