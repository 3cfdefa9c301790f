"""The utilisation report: the journal's facts -> numbers -> text, JSON or one page. Nothing else is read."""

from idleq.scheduler.report.report import Report, build

__all__ = ["Report", "build"]
