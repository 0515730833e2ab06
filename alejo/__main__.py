"""`python -m alejo` is `alejo`."""

from alejo.cli import main

if __name__ == "__main__":
    main()
