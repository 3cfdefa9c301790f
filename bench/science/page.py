"""docs/science.md and docs/science-tods.md, from the results of the jobs: no number in them is typed in by hand."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.science.figures import AGAIN, RESAMPLED, verdict
from bench.science.groups import Groups, aimed
from bench.science.models import KINDS, Kind, Model, in_order
from bench.science.results import Found, Judged
from bench.science.tables import classes, comparison, markdown, quality, sizes, without_empty, work
from idleq.cli.result import Table

TODS_PAGE = "science-tods.md"

HEAD = """\
# The science: what the generators score

Made by `make science`, which runs every training, generation and judging as a job of idleq on the embedded cluster. The truth of the images is **a
stand-in for TAIGA's Monte Carlo**, which is not public: rendered from MAGIC's Hillas parameters ([data](reference/data.md)); that of the time-ordered
data is simulated ([how](reference/tods.md)). So the papers' absolute figures stand beside ours and are no targets: they belong to other data and another
judge. Everything is compared with held-out truth which no training and no judge has seen, under the same judge. That is true of the weights; the design
(architectures, weights of losses, the rule that chooses an average) was made by people who looked at figures against these same held-out events. So a
target that is narrowly reached may be reached by that choice; where other seeds were run, *Other seeds* shows how much of a figure is luck.
"""

IMAGES_HEAD = f"""\
*{AGAIN.capitalize()}* is another recording of the held-out showers, *{RESAMPLED}* one of the training's showers: what a perfect generator could score.
The stand-in's showers have no fine structure, and cGAN and cVAE draw smooth shapes: their figures here say nothing of islands in real images.
"""

HILLAS_HEAD = """\
How far the distribution of each parameter is from that of the held-out gammas (KS): 0 is the same one, 1 a wholly different one. None has a target of its
own; the trees above are told six of them. The last line is of the correlations between the ranks of any two. Lengths, widths and distances are measured
in mm in the camera's plane, sizes in photo-electrons, alpha in degrees.
"""

CLASSES_HEAD = """\
A generator is asked for one of ten classes of size, 1 the faintest. Of each class: how far the measured sizes are from those of the training's images (KS) /
the share that lies inside the class's edges. That share is near 1 by construction, of every generator: an image whose size is not of its class is drawn
again, up to 30 times. What was learnt is in the last line: the share that needed no second draw.
"""

SEEDS_HEAD = """\
The same trainings from other seeds, judged in the same way: how much of a figure is luck.
"""

TODS_HEAD = """\
# Time-ordered data: figures

Made by `make science` together with [the images' page](science.md), which tells how many targets are reached and what was run.
What each figure means is in [time-ordered data](reference/tods.md#the-judge); all are measured in watts, for each number of hits.
Brackets: too few such TODs for a verdict. Of a generator that is not told a number of hits, the TODs and the truth are both sorted by the number of
excursions that are found over five times the noise.
"""

QUALITY_HEAD = """\
Quality factor Q = (share of gammas kept) / sqrt(share of hadrons kept) on held-out events, the cut fixed on validation data; intervals of 95 % by
drawing table rows anew. Published CNNs have 2.55 to 2.99 on cleaned images of TAIGA's Monte Carlo, and a classical cut has 1.70: other data than these.
"""

FEWEST_GAMMAS = 0.5
"""The share of gammas that a judge has to keep."""

DIGITS = 12

DIGESTS_HEAD = """\
*Code* is the commit that was checked out when a job was begun, with "+ changes" where the tree was not clean. The figures are of these weights (the first
twelve digits of their SHA-256): """

NOT_YET = "**not reached: not run in the time that there was**; the same command goes on with it."


def write_pages(found: Found, target: Path) -> None:
    """Write the pages of what is done, *target* and the one beside it, and copy the plots to where they show them."""
    folder = Path("images") / "science"
    pictures = target.parent / folder
    pictures.mkdir(parents=True, exist_ok=True)
    for one in (one for kind in KINDS for one in found.of(kind)):
        for name, path in one.pictures.items():
            shutil.copyfile(path, pictures / f"{one.model.key}-{name}.png")
    if found.classifier is not None:
        shutil.copyfile(found.classifier[1], pictures / "classifier-scores.png")
    target.write_text("\n".join(science_page(found, folder)))
    target.with_name(TODS_PAGE).write_text("\n".join(tods_page(found, folder)))


def science_page(found: Found, folder: Path) -> list[str]:
    """The lines of the main page; pictures lie in *folder* beside it."""
    images = [
        "## Generated images beside held-out truth",
        "",
        IMAGES_HEAD,
        *_in_groups({one.model.label: Groups.of(one.figures) for one in found.of("images")}),
        *_pictures(found.of("images"), folder),
        *_seeds(found, "images"),
    ]
    return [
        HEAD,
        "## In short",
        "",
        *in_short(found),
        "",
        f"The figures of the time-ordered data are on [a page of their own]({TODS_PAGE}).",
        "",
        *_quality(found, folder),
        *(images if found.of("images") else []),
        *_work(found),
    ]


def tods_page(found: Found, folder: Path) -> list[str]:
    """The lines of the page on time-ordered data."""
    judged = found.of("tods")
    waiting = [model.label for model in in_order(found.models, "tods") if model.key not in found.judged]
    return [
        TODS_HEAD,
        *([f"{', '.join(waiting)}: {NOT_YET}", ""] if waiting else []),
        *(_table(_compared(found, "tods")) if judged else []),
        *_table(_kept(found, judged)),
        *_pictures(judged, folder),
        *_seeds(found, "tods"),
    ]


def _in_groups(groups: Mapping[str, Groups]) -> list[str]:
    """A table for each group: what has a target first."""
    hillas = without_empty(comparison({label: one.hillas for label, one in groups.items()}))
    others = without_empty(comparison({label: one.others for label, one in groups.items()}))
    by_class = classes({label: one.classes for label, one in groups.items()})
    return [
        *_table(comparison({label: one.aimed for label, one in groups.items()})),
        *_under("Hillas parameters", HILLAS_HEAD, hillas),
        *_under("Size classes", CLASSES_HEAD, by_class),
        *_under("Other figures", "", others),
    ]


def _under(title: str, head: str, table: Table) -> list[str]:
    return [f"### {title}", "", *([head] if head else []), *_table(table)] if table.rows else []


def _compared(found: Found, kind: Kind) -> Table:
    return comparison({one.model.label: one.figures for one in found.of(kind)})


def _seeds(found: Found, kind: Kind) -> list[str]:
    """What has a target, of the main models from every seed."""
    columns = {
        one.model.label: [
            replace(figure, baselines={}, paper="") for figure in one.figures if figure.target is not None
        ]
        for one in found.seeds(kind)
    }
    reached = [f"- {one.model.label}: {verdict(one.figures)}" for one in found.seeds(kind)]
    table = without_empty(comparison(columns)) if columns else Table(columns=(), rows=())
    return ["## Other seeds", "", SEEDS_HEAD, *reached, "", *_table(table)] if reached else []


def in_short(found: Found) -> list[str]:
    """A line for each model: what it reaches and what it does not; those beside a main one below it."""
    return [_short(found, model) for kind in KINDS for model in in_order(found.models, kind)]


def _short(found: Found, model: Model) -> str:
    judged = found.judged.get(model.key)
    said = verdict(judged.figures) if judged else NOT_YET
    return f"- {model.label}: {said}" if model.is_main else f"    - beside it {model.label} ({model.role}): {said}"


def _quality(found: Found, folder: Path) -> list[str]:
    if found.classifier is None:
        return ["## The judge of the images", "", f"Its training: {NOT_YET}", ""]
    summary = found.classifier[0]
    lines = ["## The judge of the images", "", QUALITY_HEAD, *_table(quality(summary)), _at_least_as_good(summary), ""]
    return [*lines, f"![scores]({folder}/classifier-scores.png)", ""]


def _at_least_as_good(summary: Mapping[str, Any]) -> str:
    """Whether the network may stand beside the classical judge: as large a Q, and enough gammas kept."""
    cnn, boosted = summary["quality"]["cnn"], summary["quality"]["boosted_hillas"]
    more, kept = cnn["q"] - boosted["q"], cnn["gamma_efficiency"]
    are_apart = cnn["low"] > boosted["high"] or boosted["low"] > cnn["high"]
    is_reached = more >= 0 and kept >= FEWEST_GAMMAS
    said = (
        "The CNN is at least as good as boosted Hillas parameters"
        if is_reached
        else "**Not reached**: the CNN beside boosted Hillas parameters"
    )
    return (
        f"{said}: its Q is {'larger' if more >= 0 else 'smaller'} by {abs(more):.2f}, which is"
        f" {'more than' if are_apart else 'within'} their intervals, and it keeps {kept:.3f} of the gammas (at least"
        f" {FEWEST_GAMMAS:g} is asked for)."
    )


def _pictures(several: Sequence[Judged], folder: Path) -> list[str]:
    lines = []
    for one in several:
        label = one.model.label
        shown = [f"![{label}: {name}]({folder}/{one.model.key}-{name}.png)" for name in one.pictures]
        lines += [f"### {label}", "", *shown, ""]
    return lines


def _kept(found: Found, judged: Sequence[Judged]) -> Table:
    columns = ("trained", "steps", "kept from step", "TODs learned from")
    rows = []
    for one in judged:
        steps, examples = sizes(found.budget.size(one.model), found.trained.get(f"train-{one.model.key}"))
        rows.append((one.model.label, steps, str(one.kept_from), examples))
    return Table(columns=columns, rows=rows, right=frozenset(columns[1:]))


def _work(found: Found) -> list[str]:
    budget = found.budget
    return [
        "## What was run",
        "",
        f"The plan of the budget `{budget.name}`: {budget.about}. What it took is measured, and stands in the table. {budget.generated} images generated of each model and {budget.judged} true ones judged;",
        f"{budget.tods} TODs generated and {budget.tods_per_class} true ones of each number of hits judged. The main part is the main models; the second one is the",
        "classifier, the variants and the baselines; that of the seeds, which is run where it is asked for, the main models from other seeds. The classifier judges the main models, and so is run with them where no earlier run has left it; the rest of the",
        "second part fills cores that the main one leaves idle, and has those to itself after it. One thread each, on CPU cores that were shared with other work:",
        "the seconds are measured, of wall time within segments, and so say little of what an idle machine would take.",
        "",
        *_table(work(found.steps, found.ran, found.trained)),
        *_digests(found),
    ]


def _digests(found: Found) -> list[str]:
    """Which weights the figures are of."""
    every = [one for kind in KINDS for one in (*found.of(kind), *found.seeds(kind))]
    known = {one.model.label: one.weights for one in every} | ({"the judge": found.judge} if found.judge else {})
    said = [f"{label} `{digest[:DIGITS]}`" for label, digest in known.items() if digest]
    return [f"{DIGESTS_HEAD}{', '.join(said)}.", ""] if said else []


def _table(table: Table) -> list[str]:
    return [*markdown(table), ""] if table.rows else []


def for_people(found: Found) -> tuple[str | Table, ...]:
    """What a terminal shows: what is reached, and the figures that have a target or stand in a paper."""
    texts: list[str | Table] = ["\n".join(in_short(found)).replace("**", "")]
    if found.classifier is not None:
        texts.append(quality(found.classifier[0]))
    texts += [
        comparison({one.model.label: aimed(one.figures) for one in found.of(kind)}) for kind in KINDS if found.of(kind)
    ]
    return (*texts, work(found.steps, found.ran, found.trained))
