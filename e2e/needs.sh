# Sourced by scripts/module.sh.
need chromium chromium
