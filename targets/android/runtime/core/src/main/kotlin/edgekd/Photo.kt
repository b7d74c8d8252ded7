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
}
