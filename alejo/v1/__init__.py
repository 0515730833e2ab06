"""Generated from proto/alejo/v1 by `make generate`."""
