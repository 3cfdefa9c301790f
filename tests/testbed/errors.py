"""What can go wrong with the test cluster."""


class TestbedError(Exception):
    """The test cluster cannot do that."""

    __test__ = False  # its name begins with Test, and pytest looks for those


class CommandRefused(TestbedError):
    """A command on a node ended with a code other than 0."""

    def __init__(self, argv: tuple[str, ...], node: str, code: int, said: str) -> None:
        super().__init__(f"{' '.join(argv)!r} on {node} ended with {code}: {said.strip()[-2000:]}")
        self.argv, self.node, self.code, self.said = argv, node, code, said


class Impatient(TestbedError):
    """Something did not happen in time."""
