"""`python -m crop_reasoning` is the `crop-reasoning` command."""

from crop_reasoning.cli.main import main

if __name__ == "__main__":
    main()
