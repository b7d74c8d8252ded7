#!/bin/sh
# entrypoint.sh VERB… : finishes the bundles that wait for this board, then is `edgekd VERB…`.
#
# EDGEKD_BUNDLES  their folder
# EDGEKD_BACKEND  `onnx`: leave them unfinished, where there is no GPU and ONNX Runtime has to do
set -eu

finish() {
    for manifest in "${EDGEKD_BUNDLES:-/bundles}"/*/manifest.json; do
        [ -f "$manifest" ] || continue
        grep -q '"completion": *"finish-on-device"' "$manifest" || continue
        # Standard output is the verb's own: `--json` may be read from it.
        edgekd build --on-device "${manifest%/manifest.json}" >&2
    done
}

case ${1:-} in
predict | verify | eval | bench) [ "${EDGEKD_BACKEND:-}" = onnx ] || finish ;;
esac
exec edgekd "$@"
