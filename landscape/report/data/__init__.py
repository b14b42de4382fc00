"""What a page shows, read from the folder of a scan as plain data."""
