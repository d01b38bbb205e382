#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes bitnet/generate/tokenizer/unicode_tables.cc: letters, numbers and white space of Unicode 16.0.0.

Usage: make_unicode_tables.py [--check] > unicode_tables.cc
The version is the one of the Oniguruma inside `tokenizers` 0.23, so that ids are identical; --check
compares every code point with that package and writes nothing. The categories come from the package
`unicodedata2` 16.0.0 (or the unicodedata of a Python that has this very version).
"""
import sys

try:
    import unicodedata2 as unicodedata
except ImportError:
    import unicodedata

VERSION = "16.0.0"
OTHER, LETTER, NUMBER, SPACE = range(4)
BLOCK = 256  # code points of a block: 512 bits, eight words
# White_Space of PropList.txt; not a function of the general category.
SPACES = {*range(0x9, 0xE), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
          0x202F, 0x205F, 0x3000}


def code_class(code):
    if code in SPACES:
        return SPACE
    return {"L": LETTER, "N": NUMBER}.get(unicodedata.category(chr(code))[0], OTHER)


def check(classes):
    from tokenizers import Regex, pre_tokenizers

    for wanted, pattern in ((LETTER, r"\p{L}"), (NUMBER, r"\p{N}"), (SPACE, r"\s")):
        split = pre_tokenizers.Split(Regex(pattern), "removed")
        text = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
        kept = set("".join(piece for piece, _ in split.pre_tokenize_str(text)))
        ours = {c for c in text if classes[ord(c)] != wanted}
        if ours != kept:
            sys.exit(f"{pattern}: {len(ours ^ kept)} code points differ")
    print("all code points agree", file=sys.stderr)


def rows(items, per_line, form):
    for i in range(0, len(items), per_line):
        print("    " + " ".join(form % item + "," for item in items[i:i + per_line]))


def main():
    if unicodedata.unidata_version != VERSION:
        sys.exit(f"need Unicode {VERSION}, this is {unicodedata.unidata_version}")
    classes = [code_class(c) for c in range(0x110000)]
    if "--check" in sys.argv:
        return check(classes)
    limit = max(c for c in range(0x110000) if classes[c]) // BLOCK + 1
    blocks, index = {}, []
    for b in range(limit):
        key = tuple(sum(classes[b * BLOCK + w * 32 + i] << (2 * i) for i in range(32))
                    for w in range(8))
        index.append(blocks.setdefault(key, len(blocks)))
    words = [word for key in blocks for word in key]
    print("// SPDX-License-Identifier: MIT OR Apache-2.0")
    print(f"// Code point classes of Unicode {VERSION}. Written by tools/make_unicode_tables.py.")
    print('#include "bitnet/generate/tokenizer/unicode.h"\n\nnamespace bitnet::unicode_detail {\n')
    print("// clang-format off")
    print("const std::uint8_t kBlockOf[kBlocks] = {")
    rows(index, 20, "%d")
    print(f"}};\n\nconst std::uint64_t kClassBits[{len(words)}] = {{")
    rows(words, 4, "0x%016xu")
    print("};\n// clang-format on\n\n}  // namespace bitnet::unicode_detail")
    print(f"blocks: {limit}, words: {len(words)}", file=sys.stderr)


if __name__ == "__main__":
    main()
