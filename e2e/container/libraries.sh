#!/bin/sh
# Prints what the programs load, one path a line.
#
#     libraries.sh PROGRAM...
set -eu
for program; do ldd "$program"; done | grep -o '/[^ ]*' | sort -u
