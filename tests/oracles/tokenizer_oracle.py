#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares the ids of bitnet's tokenizer with the package `tokenizers` (0.23), id for id.

Usage: tokenizer_oracle.py DRIVER [--model FOLDER[:DATA]]... [--ranks NAME=FILE]... [--time]
DRIVER is tokenizer_driver. FOLDER holds tokenizer.json, DATA (or else FOLDER) val_docs.txt and
val_tokens.npy; without them the documents are not compared.
NAME is gpt2 (gpt2.tiktoken of the sdist of openai-whisper) or llama3 (llama3/tokenizer.model of
llama-models); their ranks are turned into a tokenizer.json in a temporary folder, never kept.
"""
import argparse
import base64
import json
import os
import random
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import numpy as np
from tokenizers import Tokenizer

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = {"gpt2": ["<|endoftext|>"],
           "llama3": ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>",
                      "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>",
                      "<|step_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>",
                      "<|eot_id|>", "<|python_tag|>"]}


def byte_alphabet():
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in own]
    return {**{b: chr(b) for b in own}, **{b: chr(0x100 + i) for i, b in enumerate(others)}}


def parts_of(token, ranks):
    """The two tokens whose merge is `token`: what merging with the ranks below its own leaves."""
    parts = [token[i:i + 1] for i in range(len(token))]
    while len(parts) > 2:
        best = min(range(len(parts) - 1),
                   key=lambda i: ranks.get(parts[i] + parts[i + 1], 1 << 30))
        parts[best:best + 2] = [parts[best] + parts[best + 1]]
    return parts


def from_ranks(name, file):
    """A tokenizer.json made of a tiktoken file (base64 token, space, rank)."""
    ranks = {}
    for line in open(file, "rb"):
        if line.strip():
            token, rank = line.split()
            ranks[base64.b64decode(token)] = int(rank)
    letters = byte_alphabet()
    write = lambda token: "".join(letters[b] for b in token)
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            below = {}
            for i in range(len(token)):
                for j in range(i + 2, len(token) + 1):
                    part = token[i:j]
                    if ranks.get(part, rank) < rank:
                        below[part] = ranks[part]
            parts = parts_of(token, below)
            if all(p in ranks for p in parts):
                merges.append([write(p) for p in parts])
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                  "use_regex": name == "gpt2"}
    split = {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False}
    added = [{"id": len(ranks) + i, "content": text, "single_word": False, "lstrip": False,
              "rstrip": False, "normalized": False, "special": True}
             for i, text in enumerate(SPECIAL[name])]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": None,
            "pre_tokenizer": byte_level if name == "gpt2" else
            {"type": "Sequence", "pretokenizers": [split, byte_level]},
            "post_processor": None, "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None,
                      "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "ignore_merges": name != "gpt2",
                      "vocab": {write(t): r for t, r in ranks.items()}, "merges": merges}}


def all_planes():
    """Every code point but NUL and the surrogates, alone between letters and in a row."""
    codes = [c for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
    assigned = [c for c in codes if c < 0x40000 or c % 257 == 0]
    for i in range(0, len(codes), 4000):
        yield "".join(map(chr, codes[i:i + 4000]))
    for i in range(0, len(assigned), 1000):
        yield "".join(f"a{chr(c)}1 {chr(c)}b'{chr(c)}" for c in assigned[i:i + 1000])


def mixed(seed, count):
    """Random texts out of what the patterns tell apart."""
    rng = random.Random(seed)
    alphabet = ["'s", "'S", "'t", "'RE", "'ve", "'m", "'LL", "'l", "'d", "'\u017f", "'", " ", "  ",
                "\n", "\r\n", "\t", "\u00a0", "\u2003", "\u2028", "\x1c", "\x85", "1", "22", "333",
                "4444", "\u0663", "\u00bd", "\u2167", "a", "the", "Hello", "world", "\u00e9", "\u00df",
                "\u4e2d\u6587", "\u0939\u093f", "\u0e17\u0e35\u0e48", "\ud55c\uae00", "\U0001f600",
                "\U0001f469\u200d\U0001f4bb", "\u0301", "!", "...", "-", "_", "<|", "|>",
                "<|eot_id|>", "<|begin_of_text|>", "<|endoftext|>", "<|end_of_text", "def f(x):",
                "    return", "http://x.y/z?q=1", "\U00020000", "\ufffd", "\U0010ffff"]
    for _ in range(count):
        yield "".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 120)))


def variants(file):
    """The tokenizer of `file` with other added tokens, a prefix space, other ends."""
    document = json.load(open(file, encoding="utf-8"))
    size = len(document["model"]["vocab"])
    kinds = [(left, right, normalized, special) for left in (False, True) for right in (False, True)
             for normalized in (False, True) for special in (False, True)]
    # None begins with white space: after a token with rstrip the package panics there.
    words = ["<|a|>", "<|a|>b", "<|", "the ", "world\n", "a|", "\u4e2d", ".. ", "Hello",
             "<|eot_id|>", "|>", "<|eot", "d w", "\U0001f600", "1\t", "ll"]
    texts = {token["content"] for token in document["added_tokens"]} | set(document["model"]["vocab"])
    words = [word for word in words if word not in texts]
    for (left, right, normalized, special), word in zip(kinds, words):
        document["added_tokens"].append(
            {"id": size, "content": word, "single_word": False, "lstrip": left, "rstrip": right,
             "normalized": normalized, "special": special})
        size += 1
    yield document
    document = json.loads(json.dumps(document))
    document["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": True,
                                 "trim_offsets": True, "use_regex": True}
    document["post_processor"] = {"type": "TemplateProcessing", "pair": [
        {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "x", "type_id": 0}}],
        "special_tokens": {"x": {"id": "x", "ids": [1, 0], "tokens": ["b", "a"]}}}
    document["model"]["ignore_merges"] = False
    yield document
    document = json.loads(json.dumps(document))
    document["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": LLAMA3.replace("{1,3}", "")}, "behavior": "Removed",
         "invert": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}
    yield document


def run_driver(driver, file, texts, *flags):
    done = subprocess.run([driver, file, *flags], input="\0".join(texts).encode(),
                          capture_output=True)
    if done.returncode:
        sys.exit(f"{driver} {file}: {done.stderr.decode()}")
    return done


def compare(name, driver, file, texts):
    oracle = Tokenizer.from_file(file)
    lines = run_driver(driver, file, texts).stdout.decode().split("\n")[:-1]
    assert len(lines) == len(texts), (len(lines), len(texts))
    count = 0
    for text, line in zip(texts, lines):
        wanted = oracle.encode(text).ids
        if wanted != [int(i) for i in line.split()]:
            sys.exit(f"{name}: ids differ for {text[:200]!r}\n  {wanted[:60]}\n  {line[:300]}")
        count += len(wanted)
    size = sum(len(t.encode()) for t in texts)
    print(f"{name}: {len(texts)} texts, {size} bytes, {count} ids: equal")


def check_documents(folder, driver, file):
    source = os.path.join(folder, "val_docs.txt")
    if not os.path.exists(source):
        print(f"{folder}: no val_docs.txt, documents not compared")
        return []
    docs = open(source, encoding="utf-8", newline="").read().split("\x1e")
    wanted = np.load(os.path.join(folder, "val_tokens.npy")).tolist()
    lines = run_driver(driver, file, docs, "--plain").stdout.decode().split("\n")[:-1]
    got = []
    for line in lines:
        got += [0, *map(int, line.split()), 1]
    if got[:len(wanted)] != wanted:
        sys.exit(f"{folder}: the ids of val_docs.txt are not those of val_tokens.npy")
    print(f"{folder}: val_docs.txt gives val_tokens.npy, {len(wanted)} ids")
    return docs


def measure(name, driver, file, texts):
    text = "".join(texts)
    start = time.perf_counter()
    oracle = Tokenizer.from_file(file)
    load = time.perf_counter() - start
    for kind, items in (("one text", [text]), ("lines", text.replace("\r", "").split("\n"))):
        theirs = []
        for _ in range(3):
            oracle = Tokenizer.from_file(file)
            start = time.perf_counter()
            for item in items:
                oracle.encode(item, add_special_tokens=True)
            theirs.append(time.perf_counter() - start)
        ours = [run_driver(driver, file, items, "--time").stderr.split() for _ in range(3)]
        best = min(float(words[5]) for words in ours)
        print(f"{name}, {kind}: {len(text.encode()) / 1e6:.2f} MB, bitnet {best:.3f} s, "
              f"tokenizers {min(theirs):.3f} s, ratio {min(theirs) / best:.1f}; load "
              f"{min(float(words[3]) for words in ours):.3f} s against {load:.3f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--ranks", action="append", default=[])
    parser.add_argument("--time", action="store_true")
    args = parser.parse_args()
    documents = []
    files = []
    for item in args.model:
        folder, _, data = item.partition(":")
        file = os.path.join(folder, "tokenizer.json")
        documents += check_documents(data or folder, args.driver, file)
        files.append((os.path.basename(os.path.normpath(folder)), file))
    if not files and not args.ranks:
        sys.exit("nothing to compare: give --model or --ranks")
    for item in args.ranks:
        if not os.path.exists(item.split("=", 1)[1]):
            print(f"skipped: {item.split('=', 1)[1]} is missing (tools/setup.sh test gets it)")
            sys.exit(77)
    texts = [*mixed(1, 6000), *documents, *all_planes(), "", " ", "'", "a" * 3000, "\n" * 999]
    with tempfile.TemporaryDirectory() as folder:
        for item in args.ranks:
            name, source = item.split("=", 1)
            file = os.path.join(folder, name + ".json")
            with open(file, "w", encoding="utf-8") as out:
                json.dump(from_ranks(name, source), out, ensure_ascii=False)
            files.append((name, file))
        for i, document in enumerate(variants(files[0][1]) if args.model else []):
            file = os.path.join(folder, f"variant{i}.json")
            with open(file, "w", encoding="utf-8") as out:
                json.dump(document, out)
            files.append((f"{files[0][0]}, variant {i}", file))
        for name, file in files:
            compare(name, args.driver, file, texts)
            if args.time and "variant" not in name:
                measure(name, args.driver, file, [*mixed(1, 6000), *documents * 3])


if __name__ == "__main__":
    main()
