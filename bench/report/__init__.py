# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reports of comparisons: text, JSON and one HTML page, for rows {case, ours, unit, rivals, ratio, goal, met}."""
