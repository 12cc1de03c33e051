"""The source `band`: songs over real groove files, rendered with the program mma. Drums, bass, guitar, strings."""
