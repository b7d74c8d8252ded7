"""A bundle behind HTTP: POST a photo to /predict, get its decision as JSON.

Settings come from the environment: `EDGEKD_BUNDLE` (a folder or `.edgekd` file), and optionally
`EDGEKD_PUBLIC_KEY` (a PEM file: only a bundle signed with its private half is served),
`EDGEKD_MAX_UPLOAD` (bytes, 32 MB by default) and `EDGEKD_THREADS`.

A photo stays in memory until it is answered; the server connects to nothing else.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from edgekd.errors import EdgekdError, ImageError, InputError, MissingDependencyError
from edgekd.runtime import AsyncClassifier

MAX_UPLOAD = 32_000_000


class TooLargeError(InputError):
    """An upload is larger than this server takes."""


_STATUS = {TooLargeError: 413, ImageError: 422, InputError: 400, MissingDependencyError: 415}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the bundle once, and run its self-test on this machine before the first patient."""
    threads = os.environ.get("EDGEKD_THREADS")
    classifier = await AsyncClassifier.open(
        os.environ["EDGEKD_BUNDLE"],
        public_key=os.environ.get("EDGEKD_PUBLIC_KEY") or None,
        threads=int(threads) if threads else None,
    )
    async with classifier:
        app.state.classifier = classifier
        app.state.selftest = await classifier.selftest()
        app.state.max_upload = int(os.environ.get("EDGEKD_MAX_UPLOAD") or MAX_UPLOAD)
        yield


# The pages of FastAPI's documentation would load scripts from the internet.
app = FastAPI(title="edgekd", lifespan=lifespan, docs_url=None, redoc_url=None)


@app.post("/predict")
async def predict(request: Request) -> Response:
    """The decision for the photo in the body: its bytes, or the one file of a form."""
    photo = await _photo(request)
    return _json(await request.app.state.classifier.predict(photo))


@app.get("/health")
async def health(request: Request) -> Response:
    """The bundle that is served, with its self-test; status 503 where that failed."""
    classifier, selftest = request.app.state.classifier, request.app.state.selftest
    manifest = classifier.manifest
    facts = {
        "status": "ok" if selftest.passed else "failed",
        "bundle": manifest.model.name,
        "version": manifest.version,
        "target": manifest.lowering.target,
        "precision": manifest.lowering.precision,
        "classes": classifier.classes,
        "selftest": asdict(selftest),
        "warnings": classifier.warnings,
    }
    return _json(facts, 200 if selftest.passed else 503)


@app.exception_handler(EdgekdError)
async def tell(_: Request, error: EdgekdError) -> Response:
    """An error of edgekd as JSON: what is wrong, and what to do."""
    return _json({"message": error.message, "hint": error.hint}, _status(error))


def _status(error: EdgekdError) -> int:
    return next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)


async def _photo(request: Request) -> bytes:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return b"".join([part async for part in _limited(request)])
    parser = MultiPartParser(request.headers, _limited(request), max_files=1, max_fields=8)
    parser.spool_max_size = request.app.state.max_upload + 1  # a photo never touches a disk
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise InputError(f"the form cannot be read: {error}", _FORM) from error
    try:
        for value in form.values():
            if isinstance(value, UploadFile):
                return await value.read()
    finally:
        await form.close()
    raise InputError("the form has no file", _FORM)


_FORM = "send the photo as the one file of a multipart form, or its bytes as the body"


async def _limited(request: Request) -> AsyncGenerator[bytes, None]:
    """The body, part by part; it is not read beyond the limit."""
    limit, length = request.app.state.max_upload, 0
    async for part in request.stream():
        length += len(part)
        if length > limit:
            raise TooLargeError(f"the upload has more than {limit} bytes", "send a smaller JPEG")
        yield part


def _json(value: Any, status: int = 200) -> Response:
    # msgspec writes NaN as null, which Python's own encoder writes as invalid JSON.
    return Response(msgspec.json.encode(value), status, media_type="application/json")
