"""A model as a folder for browsers: one page with our engine as WebAssembly in it, and the model's file."""
