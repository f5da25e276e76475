//! The main job on the bundled sample, end to end.
