"""How a model card's page calls what its JSON has under short keys, with units; what has no name here is shown by its key."""

from collections.abc import Iterator, Mapping, Sequence

WORDING = {
    # settings
    "settings.steps": "training steps, at most",
    "settings.variant": "variant",
    "events": "events in the data set",
    "count": "TODs to learn from",
    "tods": "TODs to learn from",
    "batch": "examples in a batch",
    "validated": "events of each particle to set the cut by",
    "judged": "events of each particle to measure by",
    "looked_at": "TODs set apart to choose the weights by",
    "seed": "seed of weights, noise and order",
    "threads": "threads",
    "precision": "numbers in which layers are evaluated",
    "validation": "share of the events kept back to choose the weights by",
    "look_every": "steps between two looks at what is kept back",
    "patience": "looks without a better one before the training ends",
    "report_every": "steps between two reports",
    "rate": "learning rate at first",
    "decay": "weight decay (AdamW)",
    "rates.generator": "learning rate of the generator at first",
    "rates.discriminator": "learning rate of the discriminator at first",
    "average_decay": "share of the averaged weights that a step leaves",
    "steady": "share of the steps before the rates fall",
    "last_share": "share of the rates that is left at the last step",
    "largest_gradient": "longest gradient, above which it is cut",
    "smoothness": "weight of the discriminator's steepness in its loss",
    "size_weight": "weight of the missed size in the generator's loss",
    "alone_epochs": "epochs in which the slides' discriminator learns alone",
    "extra_steps": "more steps of the slides' discriminator for each step",
    "latent": "random numbers behind an image",
    "width": "width of the layers",
    "model.variant": "variant of the networks",
    # data
    "digest": "SHA-256 of the data set",
    "digests": "SHA-256 of the data sets",
    "truth": "truth",
    "job": "made by",
    "index": "number of its first file",
    "mix": "how often TODs have hits",
    "data.seed": "seed of the TODs",
    "split": "split",
    "tods_per_file": "TODs in a file",
    "data.version": "version of the data set",
    # figures
    "figures.steps": "training steps taken",
    "epochs": "whole passes through what was trained on",
    "best_step": "step whose weights were kept",
    "selected_step": "step whose weights were kept",
    "best_distance": "distance of what they make from the events kept back, mean KS",
    "best_bound": "bound on the evidence on the events kept back, without its constants, in nats per image",
    "distance_to_tods_set_apart": "distance of what they make from the TODs set apart, in targets",
    "of_their_class_at_first": "share of the images that had their class's size at the first draw",
    "threshold": "the cut on the gamma score",
    "last_report.step": "last report: step",
    "generator_loss": "last report: generator's loss",
    "discriminator_loss": "last report: discriminator's loss",
    "size_missed": "last report: missed size, mean square of its natural logarithm",
    "likelihood": "last report: misfit, without its constant, in nats per sample",
    "divergence": "last report: divergence of the codes, in nats per sample",
    "q": "quality factor Q",
    "low": "Q, lower end of the 95 % interval",
    "high": "Q, upper end of the 95 % interval",
    "gamma_efficiency": "share of gammas kept",
    "hadron_efficiency": "share of hadrons kept",
    "hillas_cut.alpha": "alpha at most, in degrees",
    "hillas_cut.length": "length at most, in mm",
    "hillas_cut.width": "width at most, in mm",
    # whose figures these are
    "cnn": "this network",
    "boosted_hillas": "boosted Hillas parameters",
    "hillas_cut": "Hillas cut",
}

# In which order a table shows what is inside another one.
PLACES = {name: place for place, name in enumerate(WORDING.values())}

JUDGES = ("cnn", "boosted_hillas", "hillas_cut")


def rows(section: str, values: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """What a table of *section* shows: a name for each value; what is inside another one has a line of its own."""
    for path, value in _leaves((section,), values):
        owner = "".join(f"{WORDING[key]}: " for key in path if key in JUDGES)
        yield owner + called(path), value


def called(path: Sequence[str]) -> str:
    """The name of what lies at *path*: that of the most of its last keys that has one, or the last key itself."""
    names = (WORDING.get(".".join(path[start:])) for start in range(len(path)))
    return next(filter(None, names), path[-1].replace("_", " "))


def _leaves(path: tuple[str, ...], values: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], object]]:
    # Inside another one by what it is: a report that has been in a checkpoint comes back with its keys in another order.
    items = values.items() if len(path) == 1 else sorted(values.items(), key=lambda item: _place((*path, item[0])))
    for key, value in items:
        if isinstance(value, Mapping):
            yield from _leaves((*path, key), value)
        else:
            yield (*path, key), value


def _place(path: Sequence[str]) -> tuple[int, str]:
    name = called(path)
    return PLACES.get(name, len(PLACES)), name
