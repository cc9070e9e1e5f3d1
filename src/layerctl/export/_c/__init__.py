"""What `--to c` is made of: elementary functions, kernels, features and the file around them, as C99."""
