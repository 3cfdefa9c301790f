"""The documentation is current: its links lead somewhere, and what is made from the code matches the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from idleq.scheduler.jobkeys import JOB_KEYS

ROOT = Path(__file__).resolve().parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split()
PAGES = [page for page in TRACKED if (ROOT / page).exists()]

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"^```(?:console|sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`[^`\n]*`")

LONGEST_MAP = 150


def links(page: str) -> list[str]:
    text = INLINE.sub("", FENCED.sub("", (ROOT / page).read_text()))
    return [first or second for first, second in LINK.findall(text)]


def anchors(page: Path) -> set[str]:
    """The fragments that a Markdown page's headings can be reached by."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    broken = []
    for link in links(page):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        target, _, fragment = link.partition("#")
        path = (ROOT / page).parent / target if target else ROOT / page
        if not path.exists() or (fragment and path.suffix == ".md" and fragment not in anchors(path)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_every_page_can_be_reached_from_the_table_of_contents(page: str) -> None:
    reached = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in links("docs/README.md")}

    assert page == "docs/README.md" or (ROOT / page).resolve() in reached


@pytest.mark.parametrize(
    "script",
    [
        "lifecycle-diagram",
        "exit-codes",
        "cli-reference",
        "workload-reference",
        "configuration-reference",
        "what-it-gains",
    ],
)
def test_pages_made_from_the_code_are_current(script: str) -> None:
    run = subprocess.run(
        [sys.executable, f"scripts/{script}", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stderr) == (0, "")


def test_the_job_file_page_lists_every_key() -> None:
    page = (ROOT / "docs/reference/job-file.md").read_text()

    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(JOB_KEYS)


def test_the_named_jobs_page_lists_every_variable_that_they_read() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "workloads").rglob("*.py"))
    page = (ROOT / "docs/reference/workload-cli.md").read_text().partition("## Exit codes")[0]

    read = set(re.findall(r"""environ(?:\.get\(|\[)"(\w+)""", code))
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == read


def test_the_page_of_benchmarks_has_a_paragraph_for_each() -> None:
    page = (ROOT / "docs/reference/benchmarks.md").read_text()
    titles = re.findall(r"^(`.+`)\n: ", page, re.MULTILINE)
    benchmarks = {
        path.stem for path in (ROOT / "bench").glob("*.py") if re.search(r"^def rows\(", path.read_text(), re.MULTILINE)
    }

    assert set(re.findall(r"`(\w+)`", " ".join(titles))) == benchmarks


def test_the_map_fits_on_a_few_screens() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= LONGEST_MAP


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_that_a_page_names_exist(page: str) -> None:
    (targets,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = {
        name
        for block in SHELL.findall((ROOT / page).read_text())
        for name in re.findall(r"^\$? ?make ([a-z-]+)", block, re.MULTILINE)
    }

    assert named - set(targets.split()) == set()
