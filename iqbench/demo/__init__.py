"""The demo: embedded photographs are degraded, and restored by classical methods."""
