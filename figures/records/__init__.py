"""What a picture shows, as plain arrays."""
