"""``python -m npde`` is the ``npde`` command."""

from npde.cli import main

if __name__ == "__main__":
    main()
