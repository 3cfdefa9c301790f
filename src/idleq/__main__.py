"""`python -m idleq` is the `idleq` command."""

from idleq.cli import main

if __name__ == "__main__":
    main()
