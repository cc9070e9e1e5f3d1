"""What `--to python` is made of: the ops in numpy, the features, and the file around them."""
