package edgekd.images

private const val MAX_WEBP_CHUNKS = 1000
private const val MAX_EXIF = 65_536
private const val ANIMATION = 0x02
private const val ALPHA = 0x10

private class WebpChunk(
    val kind: String,
    val start: Int,
    val length: Long,
)

internal fun isWebp(data: Data): Boolean = data.startsWith("RIFF") && data.startsWith("WEBP", 8)

/** The header of a WebP of one picture, stored upright (RFC 9649, 2.3 to 2.7 and 3.4; RFC 6386, 9.1). */
internal fun readWebp(data: Data): ImageHeader {
    if (data.size < 30) return ImageHeader("webp", 0, 0, complete = false)
    val complete = data.intLow(4) + 8 <= data.size
    refuseTurned(data)
    var canvas: Pair<Long, Long>? = null
    var alpha = false
    for (chunk in chunksOf(data)) {
        if (chunk.kind == "VP8X") {
            canvas = canvasOf(data, chunk.start)
            alpha = data.byte(chunk.start) and ALPHA != 0
        }
        if (chunk.kind == "VP8 " || chunk.kind == "VP8L") {
            val (size, ownAlpha) = if (chunk.kind == "VP8 ") lossy(data, chunk.start) else lossless(data, chunk.start)
            if (canvas != null && canvas != size) throw damagedImage("webp")
            alpha = alpha || ownAlpha
            val memory = if (chunk.kind == "VP8L" || alpha) 8 else 6
            return ImageHeader("webp", size.first, size.second, complete, alpha, memory)
        }
    }
    return ImageHeader("webp", canvas?.first ?: 0, canvas?.second ?: 0, complete = false)
}

internal fun webpProfile(data: Data): ByteArray? {
    val chunk = chunksOf(data).firstOrNull { it.kind == "ICCP" } ?: return null
    return data.slice(chunk.start, minOf(chunk.start + chunk.length, data.size.toLong()).toInt())
}

/** Chunks of at least ten bytes; shorter ones are irrelevant here. */
private fun chunksOf(data: Data): Sequence<WebpChunk> =
    sequence {
        var place = 12L
        repeat(MAX_WEBP_CHUNKS) {
            if (place + 18 > data.size) return@sequence
            val kind = data.text(place.toInt(), 4)
            val length = data.intLow(place.toInt() + 4)
            if (kind == "ANIM" || kind == "ANMF") throw animated()
            yield(WebpChunk(kind, place.toInt() + 8, length))
            place += 8 + length + length % 2
        }
        throw damagedImage("webp")
    }

/** Refuse an EXIF orientation, which decoders of one family apply and others do not. */
private fun refuseTurned(data: Data) {
    for (chunk in chunksOf(data)) {
        if (chunk.kind != "EXIF") continue
        val exif = data.slice(chunk.start, chunk.start + MAX_EXIF)
        val start = if (Data(exif).startsWith("Exif\u0000\u0000")) 6 else 0
        if (exifOrientation(Data(exif.copyOfRange(start, exif.size))) != 1) {
            throw Unreadable("is a WebP that is not stored upright", "save it upright, or as JPEG")
        }
    }
}

private fun canvasOf(
    data: Data,
    start: Int,
): Pair<Long, Long> {
    if (data.byte(start) and ANIMATION != 0) throw animated()
    val width = data.intLow(start + 4) and 0xFFFFFF
    val height = data.shortLow(start + 7).toLong() or (data.byte(start + 9).toLong() shl 16)
    return width + 1 to height + 1
}

private fun lossy(
    data: Data,
    start: Int,
): Pair<Pair<Long, Long>, Boolean> {
    if (!data.startsWith("\u009d\u0001\u002a", start + 3)) throw damagedImage("webp")
    val width = data.shortLow(start + 6) and 0x3FFF
    val height = data.shortLow(start + 8) and 0x3FFF
    return (width.toLong() to height.toLong()) to false
}

private fun lossless(
    data: Data,
    start: Int,
): Pair<Pair<Long, Long>, Boolean> {
    if (data.byte(start) != 0x2F) throw damagedImage("webp")
    val packed = data.intLow(start + 1)
    return ((packed and 0x3FFF) + 1 to (packed shr 14 and 0x3FFF) + 1) to (packed shr 28 and 1 == 1L)
}

private fun animated() = Unreadable("is an animated WebP", "save one picture of it as a plain image")

private const val ORIENTATION = 274
private const val SHORT_TYPE = 3

/** The orientation of an EXIF block, 1 (upright) to 8; 1 where it is damaged (TIFF 6.0, section 2). */
internal fun exifOrientation(exif: Data): Int {
    val low = exif.startsWith("II*\u0000")
    if (!low && !exif.startsWith("MM\u0000*")) return 1
    val short = { place: Int -> if (low) exif.shortLow(place) else exif.short(place) }
    val int = { place: Int -> if (low) exif.intLow(place) else exif.int(place) }
    return try {
        val start = Math.toIntExact(int(4))
        val entries = (0 until short(start)).map { start + 2 + 12 * it }
        // The table must be whole, with the offset of the next one.
        int(start + 2 + 12 * entries.size)
        val entry = entries.firstOrNull { short(it) == ORIENTATION }
        val value = if (entry == null || short(entry + 2) != SHORT_TYPE) 1 else short(entry + 8)
        if (value in 1..8) value else 1
    } catch (_: IndexOutOfBoundsException) {
        1
    } catch (_: ArithmeticException) {
        1
    }
}
