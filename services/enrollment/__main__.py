"""Starts the enrollment service."""

from services.enrollment.app import SERVICE

if __name__ == "__main__":
    SERVICE.run()
