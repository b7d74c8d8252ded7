package edgekd.images

import java.util.zip.DataFormatException
import java.util.zip.Inflater

internal const val PNG_SIGNATURE = "\u0089PNG\r\n\u001a\n"
private const val MAX_PNG_CHUNKS = 100_000
private const val MAX_COMPRESSED_TEXTS = 32
private const val MAX_BESIDES = 16_000_000L
private const val PALETTE = 3
private const val GREY_ALPHA = 4
private const val RGB_ALPHA = 6
private const val MOST_COLOUR_BYTES = 32
private const val END = "\u0000\u0000\u0000\u0000IEND\u00aeB`\u0082" // with its length and checksum
private val BYTE_ORDERS = setOf("II", "MM")
private val PIXELS = setOf("IHDR", "PLTE", "IDAT", "IEND", "tRNS")
private val CHANNELS = mapOf(0 to 1, 2 to 3, 3 to 1, 4 to 2, 6 to 4)

internal class PngChunk(
    val kind: String,
    val start: Int,
    val length: Int,
)

/** The header of a PNG (RFC 2083; PNG third edition for the animation chunks). */
internal fun readPng(data: Data): ImageHeader {
    val chunks = chunksOf(data).toList()
    val first = chunks.firstOrNull() ?: return ImageHeader("png", 0, 0, complete = false)
    if (first.kind != "IHDR" || first.length != 13) throw damagedImage("png")
    val depth = data.byte(first.start + 8)
    val colour = data.byte(first.start + 9)
    refuseKinds(data, chunks, colour)
    refuseStuffing(chunks)
    refuseColours(chunks.associate { it.kind to Data(data.slice(it.start, it.start + minOf(it.length, MOST_COLOUR_BYTES))) })
    val alpha = colour == GREY_ALPHA || colour == RGB_ALPHA
    val memory =
        if (!alpha) {
            6
        } else if (depth == 16) {
            16
        } else {
            8
        }
    return ImageHeader(
        "png",
        data.int(first.start),
        data.int(first.start + 4),
        complete = data.startsWith(END, chunks.last().start - 8),
        alpha = alpha,
        bytesPerPixel = memory,
    )
}

/** Unpack the pixels of a PNG; the decoder itself ignores surplus ones. */
internal fun checkPng(data: Data) {
    val unpacker = Inflater()
    try {
        val left = packedBytes(data) - unpackedBytes(data, unpacker, packedBytes(data))
        if (left != 0L) throw corruptImage("png")
    } catch (_: DataFormatException) {
        throw corruptImage("png")
    } finally {
        unpacker.end()
    }
}

/** Number of bytes that the pixels unpack to; more than [expected] are not counted to their end. */
private fun unpackedBytes(
    data: Data,
    unpacker: Inflater,
    expected: Long,
): Long {
    val block = ByteArray(1 shl 16)
    var unpacked = 0L
    for (chunk in chunksOf(data).filter { it.kind == "IDAT" }) {
        unpacker.setInput(data.bytes, chunk.start, chunk.length)
        while (!unpacker.needsInput() && !unpacker.finished() && unpacked <= expected) {
            val size = unpacker.inflate(block)
            if (size == 0 && unpacker.needsDictionary()) throw DataFormatException()
            unpacked += size
        }
    }
    return unpacked
}

private val ADAM7 =
    listOf(
        listOf(0, 0, 8, 8),
        listOf(4, 0, 8, 8),
        listOf(0, 4, 4, 8),
        listOf(2, 0, 4, 4),
        listOf(0, 2, 2, 4),
        listOf(1, 0, 2, 2),
        listOf(0, 1, 1, 2),
    )

/** Uncompressed bytes of all rows, each with its filter byte. */
private fun packedBytes(data: Data): Long {
    val width = data.int(16)
    val height = data.int(20)
    val bits = data.byte(24) * (CHANNELS[data.byte(25)] ?: 1)
    val passes = if (data.byte(28) != 0) ADAM7 else listOf(listOf(0, 0, 1, 1))
    return passes.sumOf { (left, top, across, down) ->
        val columns = (maxOf(0, width - left) + across - 1) / across
        val rows = (maxOf(0, height - top) + down - 1) / down
        if (columns == 0L) 0L else rows * (1 + (columns * bits + 7) / 8)
    }
}

/** The content of the first chunk of a kind; null where there is none before the pixels. */
internal fun pngChunk(
    data: Data,
    kind: String,
): ByteArray? {
    val chunk = chunksOf(data).takeWhile { it.kind != "IDAT" }.firstOrNull { it.kind == kind } ?: return null
    return data.slice(chunk.start, chunk.start + chunk.length)
}

private fun chunksOf(data: Data): Sequence<PngChunk> =
    sequence {
        var place = PNG_SIGNATURE.length
        repeat(MAX_PNG_CHUNKS) {
            if (place + 12 > data.size) return@sequence
            val length = data.int(place)
            if (place + 12 + length > data.size) return@sequence
            val chunk = PngChunk(data.text(place + 4, 4), place + 8, length.toInt())
            yield(chunk)
            if (chunk.kind == "IEND") return@sequence
            place += 12 + chunk.length
        }
        throw Unreadable("is a PNG of more than $MAX_PNG_CHUNKS chunks", "save it again")
    }

private fun refuseKinds(
    data: Data,
    chunks: List<PngChunk>,
    colour: Int,
) {
    for (chunk in chunks) {
        if (chunk.kind in setOf("acTL", "fcTL", "fdAT")) {
            throw Unreadable("is an animated PNG", "save one picture of it as a plain PNG")
        }
        // Some decoders refuse it.
        if (chunk.kind == "eXIf" && data.text(chunk.start, minOf(chunk.length, 2)) !in BYTE_ORDERS) throw damagedImage("png")
        val levels = if (chunk.kind == "tRNS") data.slice(chunk.start, chunk.start + chunk.length) else continue
        if (colour != PALETTE || levels.any { it.toInt() and 0xFF < 255 }) {
            throw Unreadable(
                "has transparent colours, and what lies under them is not the photo",
                "save it without transparency",
            )
        }
    }
}

private fun refuseStuffing(chunks: List<PngChunk>) {
    val texts = chunks.count { it.kind in setOf("zTXt", "iTXt", "iCCP") }
    val besides = chunks.filter { it.kind !in PIXELS }.sumOf { it.length.toLong() }
    if (texts > MAX_COMPRESSED_TEXTS || besides > MAX_BESIDES) {
        throw Unreadable(
            "is a PNG with $besides bytes of text and profiles in $texts compressed blocks",
            "save it without metadata",
        )
    }
}

private const val SRGB_GAMMA = 45_455L
private const val GAMMA_SPARE = 2_500L
private val SRGB_PRIMARIES = listOf(31_270L, 32_900L, 64_000L, 33_000L, 30_000L, 60_000L, 15_000L, 6_000L)
private const val PRIMARIES_SPARE = 1_000L
private const val SRGB_CODES = "\u0001\u000d\u0000\u0001" // ITU-T H.273

/** Refuse colour spaces other than sRGB that are declared without an ICC profile. */
private fun refuseColours(chunks: Map<String, Data>) {
    val codes = chunks["cICP"]
    val alike =
        when {
            codes != null -> codes.text(0, 4) == SRGB_CODES

            "iCCP" in chunks || "sRGB" in chunks -> true

            // they take precedence
            else -> hasGamma(chunks["gAMA"]) && hasPrimaries(chunks["cHRM"])
        }
    if (!alike) throw Unreadable("is a PNG in other colours than sRGB", "save it as sRGB")
}

private fun hasGamma(gamma: Data?): Boolean = gamma == null || gamma.size < 4 || Math.abs(gamma.int(0) - SRGB_GAMMA) <= GAMMA_SPARE

private fun hasPrimaries(primaries: Data?): Boolean =
    primaries == null ||
        primaries.size != MOST_COLOUR_BYTES ||
        SRGB_PRIMARIES.indices.all { Math.abs(primaries.int(4 * it) - SRGB_PRIMARIES[it]) <= PRIMARIES_SPARE }
