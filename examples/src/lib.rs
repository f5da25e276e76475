//! Short programs that show the libraries in use.
