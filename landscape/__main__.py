"""`python -m landscape` is the console script `landscape`."""

from landscape.cli import main

if __name__ == "__main__":
    main()
