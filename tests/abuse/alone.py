"""Opens a bundle and predicts, and shows that nothing else happens; run with -m abuse.alone.

Arguments: whether to install the trap (`trapped`, `free`); what to do (`socket`, `tflite`, `onnx`,
`openvino`); `folder`, `file` or `bytes`; and files of photos. Prints the decisions.
"""

from __future__ import annotations

import sys

from abuse.sandbox import forbid_network


def main(trap: str, job: str, form: str, *photos: str) -> None:
    if trap == "trapped":
        forbid_network()
    if job == "socket":
        import socket

        socket.socket(socket.AF_UNIX).close()
        print("opened a socket")
        return
    import tempfile
    from pathlib import Path

    from abuse.loops import source_of
    from edgekd.runtime import Classifier

    with tempfile.TemporaryDirectory() as home:
        source = source_of(job, form, Path(home))
        with Classifier.open(source) as classifier:
            for prediction in classifier.predict_many(photos):
                print(prediction.decision)
            assert classifier.selftest().passed


if __name__ == "__main__":
    main(*sys.argv[1:])
