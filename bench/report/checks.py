# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a stored report must be before a page is made of it."""


def text(value):
    return isinstance(value, str)


def figure(value):
    return value is None or isinstance(value, (int, float))


def yes_no(value):
    return isinstance(value, bool)


def list_of(kind):
    return lambda value: isinstance(value, list) and all(map(kind, value))


def names_of(kind):
    return lambda value: isinstance(value, dict) and all(map(kind, value.values()))


ROW = {"case": text, "ours": figure, "unit": text, "rivals": names_of(figure), "ratio": figure, "goal": text,
       "met": lambda value: value is None or yes_no(value)}
ROW_MAYBE = {"margin": figure, "group": lambda value: value is None or text(value)}
REPORT_MAYBE = {"title": text, "machine": text, "commit": text, "date": text, "quick": yes_no, "rivals": list_of(text),
                "notes": list_of(text), "versions": names_of(text)}


def fault(values, needed, maybe):
    """The first field that is missing or not of its kind; None where all are right."""
    if not isinstance(values, dict):
        return "not an object"
    for field, kind in {**needed, **maybe}.items():
        if field in values and not kind(values[field]):
            return f"{field} is not of its kind"
        if field in needed and field not in values:
            return f"no {field}"
    return None


def checked(report, name):
    """The report, with what may be missing filled in. Throws ValueError, naming `name`, if it is not one."""
    found = fault(report, {"rows": lambda rows: isinstance(rows, list) and len(rows) > 0}, REPORT_MAYBE)
    if found:
        raise ValueError(f"{name}: {found}")
    for i, row in enumerate(report["rows"]):
        found = fault(row, ROW, ROW_MAYBE)
        if found:
            raise ValueError(f"{name}: row {i}: {found}")
    rivals = list(dict.fromkeys(rival for row in report["rows"] for rival in row["rivals"]))
    return {"title": name, "machine": "not said", "commit": "not said", "date": "not said", "rivals": rivals, "notes": [],
            "quick": False, "versions": {}, **report}
