package edgekd.images

import edgekd.ImageException
import java.nio.ByteBuffer

internal const val MAX_BYTES = 150_000_000
internal const val MAX_PIXELS = 200_000_000L
internal const val MAX_SCANS = 100
internal const val MAX_SCANNED_PIXELS = 1_500_000_000L
internal const val MAX_MEMORY = 400_000_000L

/** An image is refused: the rest of a sentence that begins with its name, and what to do. */
internal class Unreadable(
    val reason: String,
    val hint: String,
) : Exception(reason) {
    fun errorFor(name: String) = ImageException("$name $reason", hint)
}

internal fun damagedImage(kind: String) =
    Unreadable("cannot be decoded as $kind", "open it in an image viewer; replace it if it is damaged")

internal fun truncatedImage(kind: String) = Unreadable("is truncated: the end of the $kind is missing", "copy it again from its source")

internal fun corruptImage(kind: String) =
    Unreadable("is damaged: the $kind data do not make up its picture", "copy it again from its source")

/**
 * The header of an encoded image.
 *
 * @property complete False where the end of the image is missing.
 * @property alpha Whether there is a transparency channel; only opaque images are read.
 * @property bytesPerPixel Memory of the decoder for each pixel of its output, at most.
 * @property overhead Further bytes that the decoder takes regardless of the size of its output.
 * @property scans How often the decoder passes over the whole image.
 */
internal data class ImageHeader(
    val format: String,
    val width: Long,
    val height: Long,
    val complete: Boolean = true,
    val alpha: Boolean = false,
    val bytesPerPixel: Int = 6,
    val overhead: Long = 0,
    val scans: Int = 1,
) {
    val pixels: Long get() = width * height

    /** Bytes that decoding at 1/factor of the scale takes at most. */
    fun memory(factor: Int): Long = overhead + bytesPerPixel * pixels / (factor * factor)
}

private const val MARKER = 0xFF.toByte()
private const val ONES = 0x0101010101010101L
private const val HIGHEST = ONES shl 7

/** Bytes of an image, with numbers in either order. */
internal class Data(
    val bytes: ByteArray,
) {
    private val words = ByteBuffer.wrap(bytes)

    val size: Int get() = bytes.size

    fun byte(place: Int): Int = bytes[place].toInt() and 0xFF

    /** Two bytes, the higher one first. */
    fun short(place: Int): Int = (byte(place) shl 8) or byte(place + 1)

    /** Four bytes, the highest first, unsigned. */
    fun int(place: Int): Long = (short(place).toLong() shl 16) or short(place + 2).toLong()

    /** Two bytes, the lower one first. */
    fun shortLow(place: Int): Int = byte(place) or (byte(place + 1) shl 8)

    /** Four bytes, the lowest first, unsigned. */
    fun intLow(place: Int): Long = shortLow(place).toLong() or (shortLow(place + 2).toLong() shl 16)

    /** As Python slices: what lies outside is left out. */
    fun slice(
        start: Int,
        end: Int,
    ): ByteArray = if (start >= end || start >= size) ByteArray(0) else bytes.copyOfRange(start, minOf(end, size))

    /** The first byte 0xFF in the span; [until] where there is none. */
    fun indexOfMarker(
        from: Int,
        until: Int,
    ): Int {
        var place = from
        // Eight at a time: the complement of a word with such a byte has a zero byte.
        while (place + Long.SIZE_BYTES <= until) {
            val word = words.getLong(place)
            if ((word.inv() - ONES) and word and HIGHEST != 0L) break
            place += Long.SIZE_BYTES
        }
        while (place < until && bytes[place] != MARKER) place++
        return place
    }

    fun text(
        start: Int,
        length: Int,
    ): String = String(slice(start, start + length), Charsets.ISO_8859_1)

    fun startsWith(
        word: String,
        at: Int = 0,
    ): Boolean = text(at, word.length) == word
}
