"""What `layerctl tune` is made of: the study's folder and journal, one trial, the report."""
