#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The engine against transformers' float32 logits of the same files (tests/models/README.md).

Every layer of our own computation is proved by layers.explain(): it is the float64 layer, save for
activations that lie within 2e-4 of a rounding boundary. Where logits differ from transformers', the
one or two near ties that it rounded the other way are found: with them the float64 model gives its
logits. Where its hidden states are known too, they are proved likewise."""
import argparse
import json
import pathlib
import sys

from engine import Engine, Report, np
from hf_model import Model
from layers import explain_all, parting
from trajectory import explain_logits

SAME = 1e-3  # logits that no other rounding has touched; float32 differs by 1e-5
FLIPPED = 0.5  # what other roundings may do: transformers against itself differs by up to 0.26
WINDOW = 1024
PPL_LIMITS = {"wordbook-35m": 0.03, "mixed-29m": 0.01}


def check_trajectory(report, what, model, ids, hidden):
    """Proves hidden states layer by layer; returns the explanations."""
    report.check(np.array_equal(hidden[0], model.embedding[ids]), f"{what}: embedding differs")
    explained = explain_all(model, hidden)
    for layer, e in enumerate(explained):
        report.check(not e.failed, f"{what}: layer {layer} tokens {e.failed}: no rounding of near "
                                   f"ties gives this output (relative error {e.error:.1e})")
    return explained


def check_logits(report, what, ours, golden, explained):
    difference = float(np.abs(ours - golden).max())
    ties = sum(e.ties for e in explained)
    report.check(difference < (FLIPPED if ties else SAME),
                 f"{what}: logits differ by {difference:.2e} with {ties} near ties")
    report.check(np.array_equal(ours.argmax(-1), golden.argmax(-1)),
                 f"{what}: other most probable token")
    flips = sum(len(e.flips) for e in explained)
    error = max(e.error for e in explained)
    print(f"{what}: logits within {difference:.1e}; {ties} near ties, {flips} not rounded to the "
          f"float64 neighbour; layers within {error:.1e}", flush=True)
    return difference


def print_parting(what, apart):
    layer, places = apart
    token, site, column, ours, theirs = places[0]
    print(f"{what}: golden parts ways in layer {layer}: token {token} {site} input {column} is "
          f"{ours} here, {theirs} there" + (f" (first of {len(places)})" if places[1:] else ""),
          flush=True)


def check_difference(report, what, model, hidden, explained, golden):
    """Finds the roundings that turn our computation into golden's."""
    ours = {(layer, *flip) for layer, e in enumerate(explained) for flip in e.flips}
    found, left = explain_logits(model, hidden[0], ours, golden, SAME)
    report.check(left < SAME, f"{what}: no rounding of near ties gives golden's logits "
                              f"(nearest: {left:.1e})")
    apart = parting(explained, found.rows)
    report.check(apart is not None, f"{what}: same integers, other logits")
    if apart is not None:
        print_parting(what, apart)
        print(f"{what}: with that, logits within {left:.1e}", flush=True)


def check_greedy(report, what, logits, first, golden, ours):
    """logits: of prompt and golden's tokens; golden's token j follows position first + j. Each
    must be our choice, or so near to it that a flipped rounding may swap the two."""
    swapped = []
    for j, token in enumerate(golden):
        row = logits[first + j]
        gap = float(row.max() - row[token])
        if gap > 0:
            swapped.append((j, gap))
            report.check(gap < FLIPPED, f"{what}: token {j} is {gap:.3f} below our choice")
    split = swapped[0][0] if swapped else len(golden)
    report.check(ours[:split] == golden[:split], f"{what}: decoding differs from reading at once")
    if swapped:
        report.check(ours[split] == int(logits[first + split].argmax()),
                     f"{what}: token {split} is not the best of its logits")
        print(f"{what}: {split} of {len(golden)} tokens as golden, then one {swapped[0][1]:.3f} "
              f"above golden's; golden's text read: {len(swapped)} tokens not our first choice, by "
              f"{max(gap for _, gap in swapped):.3f} at most", flush=True)
    else:
        report.check(len(ours) == len(golden), f"{what}: {len(ours)} tokens, not {len(golden)}")
        print(f"{what}: all {len(golden)} tokens as golden", flush=True)


def check_against_hidden(report, what, model, ids, ours, golden, difference):
    """Golden's own hidden states: explained too, so every integer of both sides is known."""
    theirs = check_trajectory(report, what + " golden", model, ids, golden)
    apart = parting(ours, theirs)
    if apart is None:
        report.check(difference < SAME, f"{what}: same integers, logits differ by {difference:.1e}")
        print(f"{what}: the same integers in every layer", flush=True)
        return
    print_parting(what + " hidden states", apart)


def check_trained(report, engine, folder, golden_folder):
    model = Model(folder)
    expected = json.loads((golden_folder / "golden.json").read_text())
    arrays = np.load(golden_folder / "golden.npz")
    end = model.config["eos_token_id"]
    for i, prompt in enumerate(expected["prompts"]):
        ids, greedy = prompt["ids"], prompt["greedy"]
        what = f"prompt {i}"
        logits, hidden = engine.logits(folder, ids + greedy)
        # Causal: the prompt's part is what the prompt alone gives.
        count = len(ids)
        check_trajectory(report, what + " and text", model, ids + greedy, hidden)
        explained = explain_all(model, hidden[:, :count])
        difference = check_logits(report, what, logits[count - 4:count] if count >= 4
                                  else logits[:count], arrays[f"logits_{i}"], explained)
        if difference >= SAME:
            check_difference(report, what, model, hidden[:, :count], explained,
                             arrays[f"logits_{i}"])
        if f"hidden_{i}" in arrays:
            check_against_hidden(report, what, model, ids, explained, arrays[f"hidden_{i}"],
                                 difference)
        ours, stop = engine.greedy(folder, ids, 64)
        if stop == "stop_token":
            ours = ours + [end]  # golden lists it
        check_greedy(report, what, logits, count - 1, greedy, ours)


def check_tiny(report, engine, folder, golden_folder):
    model = Model(folder)
    arrays = np.load(golden_folder / "golden.npz")
    ids, greedy = arrays["ids"].tolist(), arrays["greedy"].tolist()
    logits, hidden = engine.logits(folder, ids)
    explained = check_trajectory(report, "ids", model, ids, hidden)
    difference = check_logits(report, "ids", logits[-8:], arrays["logits"], explained)
    for name, index in (("hidden_1", 1), ("hidden_last", -1)):
        apart = float(np.abs(hidden[index, -4:] - arrays[name]).max())
        print(f"{name}: within {apart:.1e}")
        report.check(apart < SAME or difference >= SAME, f"{name}: differs by {apart:.1e}")
    logits, hidden = engine.logits(folder, ids[:16] + greedy)
    check_trajectory(report, "greedy", model, ids[:16] + greedy, hidden)
    ours, _ = engine.greedy(folder, ids[:16], len(greedy), "--ignore-eos")
    check_greedy(report, "greedy", logits, 15, greedy, ours)


def check_perplexity(report, engine, folder, golden_folder):
    expected = json.loads((golden_folder / "golden.json").read_text())
    ours = engine.perplexity(folder, golden_folder / "val_tokens.npy", WINDOW)
    limit = PPL_LIMITS[golden_folder.name]
    print(f"perplexity {ours['ppl']:.4f}, golden {expected['val_ppl']:.4f}; first window "
          f"{ours['first_window_nll']:.6f}, golden {expected['val_first1024_nll']:.6f}; "
          f"{ours['tokens_per_second']:.0f} tokens/s")
    report.check(ours["tokens"] == expected["val_tokens"], "other number of tokens")
    report.check(abs(ours["ppl"] - expected["val_ppl"]) < limit, f"not within {limit}")
    first = expected["val_first1024_nll"]
    report.check(abs(ours["first_window_nll"] - first) < 1e-3 * first, "first window off by 0.1 %")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["trained", "tiny", "perplexity"])
    parser.add_argument("--tool", required=True, help="the bitnet tool")
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--golden", type=pathlib.Path, help="folder of the expected values")
    args = parser.parse_args()
    report = Report()
    check = {"trained": check_trained, "tiny": check_tiny, "perplexity": check_perplexity}
    check[args.what](report, Engine(args.tool), args.model, args.golden or args.model)
    return report.exit_code()


if __name__ == "__main__":
    sys.exit(main())
