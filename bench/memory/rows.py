# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rows of the comparison from the medians of each executable."""
from goals import BEST, HARDENED_PAIR, LIMITS, RATIOS, SCALED, SCALING, TRACKING


def make_row(case, ours, unit, rivals=None, ratio=None, goal="", margin=None):
    """margin: how many times better than its goal, None without one."""
    return {"case": case, "ours": ours, "unit": unit, "rivals": rivals or {}, "ratio": ratio,
            "goal": goal, "met": None if margin is None else margin >= 1, "margin": margin}


def below(limit, value):
    """The margin of a figure that should be at most `limit`; 16 where it is nothing or less."""
    return limit / max(value, limit / 16)


def ratio_row(title, metric, goals, medians, names):
    ours = medians["ours"].get(metric)
    rivals = {name: medians[name].get(metric) for name in names}
    known = {name: value for name, value in rivals.items() if value}
    row = make_row(title, ours, "ns", rivals)
    if ours is None or not known:
        return row
    known[BEST] = min(known.values())
    ratios = {name: ours / known[name] for name in goals if name in known}
    row["ratios"] = ratios
    row["ratio"] = next(iter(ratios.values()), ours / known[BEST])
    row["goal"] = ", ".join(f"≤ {limit:g}× {name}" for name, limit in goals.items())
    # A rival that is missing leaves its goal open.
    if goals and len(ratios) == len(goals):
        row["margin"] = min(below(limit, ratios[name]) for name, limit in goals.items())
        row["met"] = row["margin"] >= 1
    return row


def limit_row(title, metric, limit, unit, medians, names):
    ours = medians["ours"].get(metric)
    rivals = {name: medians[name].get(metric) for name in names}
    margin = None if ours is None else below(limit, ours)
    return make_row(title, ours, unit, rivals, None, f"≤ {limit:g}{' %' if unit == '%' else ''}", margin)


def tracking_rows(ours):
    for level, most_ns, most_percent in TRACKING:
        pair, plain = ours.get(f"tracking/pair/{level}"), ours.get("tracking/pair/none")
        if pair is not None and plain is not None:
            yield make_row(f"tracking {level}: added to a 64 B pair", pair - plain, "ns",
                           goal=f"≤ {most_ns:g} ns", margin=below(most_ns, pair - plain))
        trace, plain = ours.get(f"tracking/trace/{level}"), ours.get("tracking/trace/none")
        if trace is not None and plain:
            added = 100 * (trace / plain - 1)
            yield make_row(f"tracking {level}: added to the touched LLM trace", added, "%",
                           goal=f"≤ {most_percent:g} %", margin=below(most_percent, added))


def scaling_row(title, one, two, medians, names):
    def throughput(name):
        figures = medians[name]
        return 2 * figures[one] / figures[two] if figures.get(one) and figures.get(two) else None
    ours = throughput("ours")
    return make_row(title, ours, "ratio", {name: throughput(name) for name in names}, None,
                    f"≥ {SCALING:g}", None if ours is None else ours / SCALING)


def make_rows(medians, names):
    """medians: {"ours", "hardened" and each rival: {metric: value}}; names: the rivals."""
    rows = [ratio_row(*spec, medians, names) for spec in RATIOS]
    rows += [scaling_row(*spec, medians, names) for spec in SCALED]
    rows += tracking_rows(medians["ours"])
    plain, hardened = (medians[name].get("pair/64/aligned") for name in ("ours", "hardened"))
    if plain and hardened:
        rows.append(make_row("hardened: pair 64 B", hardened, "ns", ratio=hardened / plain,
                             goal=f"≤ {HARDENED_PAIR:g}× plain",
                             margin=below(HARDENED_PAIR, hardened / plain)))
    return rows + [limit_row(*spec, medians, names) for spec in LIMITS]
