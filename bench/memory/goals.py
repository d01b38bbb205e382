# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is compared and what is promised: a row for each metric of the executables."""

BEST = "best"  # the best rival that is installed

# (title, metric, {rival or BEST: highest ours / rival})
SMALL = {"tcmalloc": 1.1, "mimalloc": 0.6, "jemalloc": 0.35}
LIVE = {"tcmalloc": 0.9, "jemalloc": 0.15}
RATIOS = [
    ("pair 64 B", "pair/64/aligned", SMALL),
    ("pair 64 B, 16-aligned", "pair/64/natural", SMALL),
    ("pair 64 B, two threads", "pair/64/two_threads", SMALL),
    ("pair 1 KiB", "pair/1K/aligned", SMALL),
    ("pair 1 KiB, 16-aligned", "pair/1K/natural", SMALL),
    ("pair 1 KiB, two threads", "pair/1K/two_threads", SMALL),
    ("pair 64 KiB", "pair/64K/aligned", {"tcmalloc": 1.1}),
    ("pair 1 MiB", "pair/1M/aligned", {"tcmalloc": 0.2}),
    ("pair 64 MiB", "pair/64M/aligned", {"tcmalloc": 0.2}),
    ("1 MiB, 1000 live: allocate", "batch/1M/allocate", LIVE),
    ("1 MiB, 1000 live: free, first first", "batch/1M/free_first", LIVE),
    ("1 MiB, 1000 live: free, last first", "batch/1M/free_last", LIVE),
    ("1 MiB, 1000 live: free, at random", "batch/1M/free_random", LIVE),
    ("16 B - 1 KiB, 1000 live: replace", "replace/16-1K/one_thread", {}),
    ("producer, consumer 64 B", "producer/64", {BEST: 1.0}),
    ("producer, consumer 1 KiB", "producer/1K", {BEST: 1.0}),
    ("producer, consumer 64 KiB", "producer/64K", {BEST: 1.0}),
    ("producer, consumer 1 MiB", "producer/1M", {BEST: 1.0}),
    ("exchange 16 B - 1 KiB", "exchange/16-1K", {BEST: 1.0}),
    ("LLM trace, untouched", "trace/untouched", {"tcmalloc": 0.8}),
    ("LLM trace, touched", "trace/touched", {BEST: 0.95}),
    ("LLM trace in a fresh process, untouched", "fresh/trace/untouched", {}),
    ("LLM trace in a fresh process, touched", "fresh/trace/touched", {}),
]

# (title, metric, highest or None, unit): figures of each allocator by itself.
LIMITS = [
    ("peak resident / peak live, LLM trace", "resident/peak", 1.10, "ratio"),
    ("80 % freed: resident / live after trim", "resident/drop/trimmed", 1.15, "ratio"),
    ("80 % freed: resident / live after compaction", "movable/drop/compacted", 1.05, "ratio"),
    ("overhead of 64 B blocks", "metadata/64", 0.6, "%"),
    ("overhead of 1 KiB blocks", "metadata/1K", 0.6, "%"),
    ("overhead of 64 KiB blocks", "metadata/64K", 0.5, "%"),
    ("overhead of 1 MiB blocks", "metadata/1M", 0.5, "%"),
]

# (level, most ns added to a pair, most per cent added to the touched trace)
TRACKING = [("basic", 0.6, 1.0), ("standard", 1.8, 2.0), ("detailed", 3.5, 5.0)]

HARDENED_PAIR = 2.5  # times the plain mode
SCALING = 1.9        # throughput of two threads over one
# (title, metric of one thread, metric of two)
SCALED = [
    ("two threads over one: pair 64 B", "pair/64/aligned", "pair/64/two_threads"),
    ("two threads over one: pair 1 KiB", "pair/1K/aligned", "pair/1K/two_threads"),
    ("two threads over one: replace", "replace/16-1K/one_thread", "replace/16-1K/two_threads"),
]
