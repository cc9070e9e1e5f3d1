"""`python -m layerctl`."""

from layerctl.cli.main import main

main()
