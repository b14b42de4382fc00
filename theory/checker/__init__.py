"""The independent check of certificates, in rational intervals; it owns their format."""
