"""The report as a page."""

import re
from html.parser import HTMLParser

import pytest

from idleq.scheduler.report import build, page
from support.journals import Story, large_cluster, small_cluster, worked_example

HOSTILE = "\"><script>alert('1')</script><img src=x onerror=alert(2)>"
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Outline(HTMLParser):
    """Checks that tags nest, and collects them with what they show."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.shown: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


def outline(html: str) -> Outline:
    parsed = Outline()
    parsed.feed(html)
    parsed.close()
    assert parsed.open == []
    return parsed


def hostile() -> Story:
    story = Story()
    story.node(0, HOSTILE, 4, 2, main_job=HOSTILE)
    story.submit(0, 1, 1, HOSTILE, user=HOSTILE)
    story.start(1, "1", 1, HOSTILE)
    story.run(2, "1", 1)
    story.lose(400, "1", 1, HOSTILE)
    story.held_up(400, HOSTILE, (HOSTILE,), 1, 2, 3)
    return story


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param([], id="nothing"),
        pytest.param(worked_example(), id="worked example"),
        pytest.param(small_cluster(), id="small cluster"),
        pytest.param(large_cluster(nodes=320, length=1200, jobs=250), id="large cluster"),
        pytest.param(hostile().facts, id="hostile"),
    ],
)
def test_the_page_is_well_formed_and_needs_nothing_from_outside(facts: list) -> None:  # type: ignore[type-arg] # facts of any story
    html = page.render(build(facts))
    parsed = outline(html)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(parsed.tags)
    assert not {name for name, _ in parsed.attributes if name in {"src", "href", "srcset"} or name.startswith("on")}
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", html)


def test_hostile_names_are_shown_as_they_are_and_do_nothing() -> None:
    html = page.render(build(hostile().facts))
    assert "<script" not in html
    assert "<img" not in html
    shown = "".join(outline(html).shown)
    assert "\"><script>alert('1')</script><img src=x onerror=alert(2)>" in shown


def test_a_name_is_no_template() -> None:
    story = Story()
    story.node(0, "n1", 4)
    story.submit(0, 1, 1, "{{ 7 * 7 }} &lt;")
    story.start(1, "1", 1, "n1")
    shown = outline(page.render(build(story.facts))).shown
    assert "{{ 7 * 7 }} &lt;" in shown


def test_the_page_says_the_headline_numbers_and_where_they_come_from() -> None:
    shown = " ".join(" ".join(outline(page.render(build(worked_example()))).shown).split())
    for words in ("64.0 %", "80.0 %", "75.8 %", "36.4 %", "1.5 s", "24 facts", "preemptible, grace 30 s"):
        assert words in shown


def test_a_page_of_nothing_draws_nothing() -> None:
    html = page.render(build([]))
    assert "there is nothing to draw" in html
    assert "<h2>Gaps</h2>" not in html
    assert "Gantt chart of the nodes" not in html


def test_a_move_is_drawn_as_a_line_from_node_to_node() -> None:
    html = page.render(build(worked_example()))
    assert re.findall(r"<title>(job 1 moved [^<]*)</title>", html) == [
        "job 1 moved from n1 to n2, 12 s later",
        "job 1 moved from n2 to n1, 11 s later",
    ]


def test_each_segment_says_what_it_did() -> None:
    html = page.render(build(worked_example()))
    assert (
        "job 1, segment 2 on n2, 2 cores, from 10:00:52: start 1 s, thaw 1 s, useful 15 s, save 1 s, repeated 10 s; lost (preempted)"
        in html
    )


def test_a_large_history_makes_a_page_of_modest_size_that_says_what_it_left_out() -> None:
    html = page.render(build(large_cluster(nodes=320, length=1200, jobs=250)))
    assert len(html) < 3_000_000
    assert "stands for up to 2 neighbouring nodes" in html
    assert "The first 200 of 250; the JSON form has all of them." in html


def test_harm_over_the_bound_stands_out() -> None:
    story = Story()
    story.node(0, "n1", 4)
    story.held_up(10, "m1", ("n1",), 12, 10, 0)
    html = page.render(build(story.facts))
    assert 'class="card bad"' in html
    assert 'class="n bad-text">12 s<' in html
