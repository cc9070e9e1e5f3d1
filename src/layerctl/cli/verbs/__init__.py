"""Commands, one a file: a typer function that reads options, and the rendering of its results."""
