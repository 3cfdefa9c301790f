"""What is run, by budget."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

# Where the results of the jobs before are: name -> folder.
Results = Mapping[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much of everything; times are those of one core of a machine with nothing else to do."""

    about: str
    trained_on: int
    cgan_steps: int
    cvae_steps: int
    classifier_steps: int
    classifier_events: int
    validated: int
    judged: int
    generated: int
    batch: int | None = None


BUDGETS = {
    "tiny": Budget(
        about="seconds, to try that everything runs",
        trained_on=300,
        cgan_steps=20,
        cvae_steps=40,
        classifier_steps=20,
        classifier_events=100,
        validated=60,
        judged=150,
        generated=200,
        batch=16,
    ),
    "short": Budget(
        about="a few minutes of one core for each training, the data sets apart",
        trained_on=40_000,
        cgan_steps=600,
        cvae_steps=2_500,
        classifier_steps=600,
        classifier_events=15_000,
        validated=5_000,
        judged=20_000,
        generated=20_000,
    ),
    "half": Budget(
        about="about half an hour of two cores",
        trained_on=60_000,
        cgan_steps=6_000,
        cvae_steps=8_000,
        classifier_steps=2_000,
        classifier_events=40_000,
        validated=10_000,
        judged=20_000,
        generated=20_000,
    ),
    "hour": Budget(
        about="about an hour of two cores",
        trained_on=60_000,
        cgan_steps=16_000,
        cvae_steps=16_000,
        classifier_steps=3_000,
        classifier_events=40_000,
        validated=10_000,
        judged=20_000,
        generated=20_000,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One job: a named workload, and its options once the results of those that it comes *after* are there."""

    name: str
    workload: str
    after: tuple[str, ...] = ()
    options: Callable[[Results], list[str]]


def steps(budget: Budget) -> list[Step]:
    """Every job, each behind those that it comes after."""
    batch = [] if budget.batch is None else ["--batch", str(budget.batch)]
    images = ["--events", str(budget.trained_on), *batch]
    count = ["--count", str(budget.generated)]
    judged = ["--events", str(budget.judged), "--trained-on", str(budget.trained_on)]
    classifier = ["--events", str(budget.classifier_events), "--validated", str(budget.validated), *batch]

    def generate(model: str, weights: str) -> Step:
        return Step(
            name=f"generate-{model}",
            workload=f"generate-{model}",
            after=(f"train-{model}",),
            options=lambda results: ["--weights", str(results[f"train-{model}"] / weights), *count],
        )

    def evaluate(model: str, name: str) -> Step:
        def options(results: Results) -> list[str]:
            judge = results["train-classifier"] / "classifier.safetensors"
            return ["--images", str(results[f"generate-{model}"]), "--judge", str(judge), "--name", name, *judged]

        return Step(
            name=f"evaluate-{model}",
            workload="evaluate-images",
            after=("train-classifier", f"generate-{model}"),
            options=options,
        )

    return [
        Step(
            name="train-cgan",
            workload="train-cgan",
            options=lambda _: ["--steps", str(budget.cgan_steps), *images],
        ),
        Step(
            name="train-classifier",
            workload="train-classifier",
            options=lambda _: [
                *("--steps", str(budget.classifier_steps), *classifier),
                *("--judged", str(budget.judged)),
            ],
        ),
        Step(
            name="train-cvae",
            workload="train-cvae",
            options=lambda _: ["--steps", str(budget.cvae_steps), *images],
        ),
        generate("cvae", "decoder.safetensors"),
        evaluate("cvae", "cVAE"),
        generate("cgan", "generator.safetensors"),
        evaluate("cgan", "cGAN"),
    ]
