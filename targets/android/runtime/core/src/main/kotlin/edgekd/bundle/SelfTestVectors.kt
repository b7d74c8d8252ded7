package edgekd.bundle

import edgekd.ArtefactException
import java.nio.ByteBuffer
import java.nio.ByteOrder

private const val MAX_BYTES = 256L shl 20
private const val DIMENSIONS = 4

/**
 * Self-test vectors: images of the network's size with the outputs at build time.
 *
 * @property images One image each, uint8 [S, S, 3].
 * @property outputs The output for each.
 */
internal class SelfTestVectors(
    val images: List<ByteArray>,
    val imageShape: List<Int>,
    val outputs: List<FloatArray>,
    val outputShape: List<Int>,
    val tolerance: Double,
) {
    companion object {
        /**
         * At most the first [limit] vectors of a `selftest.npz`: an uncompressed zip of NumPy arrays.
         *
         * Source: numpy.lib.format, version 1.0 of the npy format.
         */
        fun read(
            npz: ByteArray,
            limit: Int?,
        ): SelfTestVectors {
            val arrays =
                try {
                    val zip = StoredZip(Bytes(npz))
                    val members = zip.members()
                    if (members.sumOf { it.size } > MAX_BYTES) throw ZipException("too large")
                    listOf("images", "logits", "tolerance").map { name ->
                        Npy(zip.content(members.first { it.name == "$name.npy" && it.method == 0 }))
                    }
                } catch (error: ZipException) {
                    throw unreadable(error)
                } catch (error: RuntimeException) {
                    // places outside of the bytes, shapes that are no numbers
                    throw unreadable(error)
                }
            return of(arrays[0], arrays[1], arrays[2], limit)
        }

        private fun of(
            images: Npy,
            logits: Npy,
            tolerance: Npy,
            limit: Int?,
        ): SelfTestVectors {
            val kinds = listOf(images.kind, logits.kind, tolerance.kind) == listOf("|u1", "<f4", "<f8")
            val count = images.shape.firstOrNull() ?: 0
            val sound = images.shape.size == DIMENSIONS && logits.shape.size >= 2 && count > 0
            if (!kinds || !sound || logits.shape[0] != count || tolerance.shape.isNotEmpty()) {
                throw ArtefactException("the self-test vectors $SELFTEST contradict one another", "build the bundle again")
            }
            val rows = 0 until minOf(count, limit ?: count)
            try {
                return SelfTestVectors(
                    images = rows.map(images::bytesOf),
                    imageShape = images.shape.drop(1),
                    outputs = rows.map(logits::floatsOf),
                    outputShape = logits.shape.drop(1),
                    tolerance = tolerance.buffer().getDouble(),
                )
            } catch (error: RuntimeException) {
                // the data are shorter than their shape
                throw unreadable(error)
            }
        }

        private fun unreadable(error: Exception) =
            ArtefactException(
                "the self-test vectors $SELFTEST cannot be read",
                "copy the bundle again, or build it again",
                error,
            )
    }
}

/** An array of NumPy in memory. */
private class Npy(
    raw: ByteArray,
) {
    private val bytes = Bytes(raw)
    private val start: Int
    val kind: String
    val shape: List<Int>

    init {
        if (String(bytes.slice(0, 6), Charsets.ISO_8859_1) != "\u0093NUMPY" || bytes.short(6) != 1) {
            throw ZipException("another version of the npy format")
        }
        val header = String(bytes.slice(10, bytes.short(8)), Charsets.ISO_8859_1)
        start = 10 + bytes.short(8)
        kind = find(header, "'descr': *'([^']*)'")
        if (find(header, "'fortran_order': *(\\w+)") != "False") throw ZipException("an array by columns")
        val sides = find(header, "'shape': *\\(([0-9, ]*)\\)")
        shape =
            sides
                .split(',')
                .map { it.trim() }
                .filter { it.isNotEmpty() }
                .map { it.toInt() }
    }

    fun buffer(): ByteBuffer = ByteBuffer.wrap(bytes.array, start, bytes.size - start).order(ByteOrder.LITTLE_ENDIAN)

    fun bytesOf(row: Int): ByteArray {
        val size = rowSize()
        return bytes.slice(start + Math.multiplyExact(row, size), size)
    }

    fun floatsOf(row: Int): FloatArray {
        val size = rowSize()
        val from = start + Math.multiplyExact(row, size) * Float.SIZE_BYTES
        val floats = ByteBuffer.wrap(bytes.slice(from, size * Float.SIZE_BYTES)).order(ByteOrder.LITTLE_ENDIAN)
        return FloatArray(size) { floats.getFloat() }
    }

    private fun rowSize(): Int = shape.drop(1).fold(1) { product, side -> Math.multiplyExact(product, side) }

    private fun find(
        header: String,
        pattern: String,
    ): String = Regex(pattern).find(header)?.groupValues?.get(1) ?: throw ZipException("the header of an array is damaged")
}
