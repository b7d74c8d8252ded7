package edgekd

import java.io.InputStream

/** A photo to decide on. */
sealed class Photo {
    /** An encoded photo: JPEG, PNG, BMP or WebP. */
    class Encoded(
        internal val bytes: ByteArray,
    ) : Photo() {
        /** A stream of one, which is read to its end and closed. */
        constructor(stream: InputStream) : this(stream.use { it.readBytes() })
    }

    /** Pixels RGB, upright, row by row: 3 bytes a pixel. */
    class Rgb(
        internal val pixels: ByteArray,
        internal val width: Int,
        internal val height: Int,
    ) : Photo()

    /**
     * A camera's frame, as Android's `YUV_420_888` has it: no JPEG is made of it.
     *
     * @property turn Degrees clockwise by which it is turned to be upright, as CameraX's `rotationDegrees`: 0, 90, 180
     *   or 270.
     */
    class Yuv(
        internal val y: Plane,
        internal val u: Plane,
        internal val v: Plane,
        internal val width: Int,
        internal val height: Int,
        internal val turn: Int = 0,
    ) : Photo()

    /** The bytes of one plane, and the distances of its rows and of its pixels. */
    class Plane(
        internal val bytes: ByteArray,
        internal val rowStride: Int,
        internal val pixelStride: Int,
    )
}
