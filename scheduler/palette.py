"""One colour for each role, the same in every figure of idleq; they can be told apart by colour-blind people (Okabe and Ito)."""

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "main": "#8b929c",
    "useful": "#0072b2",
    "unsaved": "#7cc0ea",
    "overhead": "#d55e00",
    "idle": "#e9ecf0",
    "bad": "#b3261e",
}
"""On white."""

DARK: Mapping[str, str] = {
    "main": "#6d7683",
    "useful": "#3d9bd9",
    "unsaved": "#1f5f8b",
    "overhead": "#ef8a3c",
    "idle": "#262c34",
    "bad": "#ff8a80",
}
"""On a dark page."""
