#!/bin/sh
# Kills a gateway with -9 under load, so many times (default 100), and starts it
# again on the same replay file. Prints what was lost and what was doubled:
#
#     e2e/killrounds.sh [rounds]
set -eu
cd "$(dirname "$0")"
HOOKLATCH_KILL_ROUNDS="${1:-100}" exec go test -count=1 -timeout 60m -v -run 'TestFileKillRounds$' .
