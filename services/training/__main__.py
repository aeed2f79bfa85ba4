"""Starts the training service."""

from services.training.app import SERVICE

if __name__ == "__main__":
    SERVICE.run()
