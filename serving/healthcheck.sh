#!/bin/bash
# Healthy: at least one version of MODEL can be used. The serving image has bash, but neither curl nor wget.
# usage: healthcheck.sh MODEL REST_PORT
set -eu
exec 3<>"/dev/tcp/127.0.0.1/$2"
printf 'GET /v1/models/%s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
grep --quiet --extended-regexp '"state": *"AVAILABLE"' <&3
