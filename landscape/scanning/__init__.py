"""The main job: every cell of a configuration trained, measured, compared and stored."""
