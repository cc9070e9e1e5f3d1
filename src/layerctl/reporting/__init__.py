"""Reports: what a run's folder and its model tell of a training, as one HTML file."""
