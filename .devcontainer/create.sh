#!/bin/sh
# Installs what the tests need, and compiles what changes seldom. The container
# engine is a feature of the dev container.
set -eu
sudo apt-get update -qq
sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	curl nodejs npm python3 php-cli ruby redis-server prometheus
make linters build
