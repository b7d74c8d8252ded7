#!/bin/sh
# healthcheck.sh: every bundle of the volume, hashed and self-tested on this board by `edgekd verify`.
#
# EDGEKD_BUNDLES  their folder; one without a bundle is not healthy
# EDGEKD_BACKEND  engine to test with, instead of the bundle's own
set -eu

seen=0
for bundle in "${EDGEKD_BUNDLES:-/bundles}"/*; do
    case $bundle in
    *.edgekd) ;;
    *) [ -f "$bundle/manifest.json" ] || continue ;;
    esac
    edgekd verify "$bundle" ${EDGEKD_BACKEND:+--backend "$EDGEKD_BACKEND"}
    seen=$((seen + 1))
done
[ "$seen" -gt 0 ] || { echo "there is no bundle in ${EDGEKD_BUNDLES:-/bundles}" >&2; exit 1; }
