package edgekd.images

private val INFO_HEADERS = setOf(40L, 52L, 56L, 108L, 124L)
private val PLAIN_BITS = setOf(8, 24, 32)
private const val VERSION_5 = 124L

/** The header of a BMP: uncompressed, of 24 or 32 bits or a palette of 256 colours (Microsoft, BITMAPINFOHEADER). */
internal fun readBmp(data: Data): ImageHeader {
    if (data.size < 54) return ImageHeader("bmp", 0, 0, complete = false)
    val offset = data.intLow(10)
    val size = data.intLow(14)
    val width = data.intLow(18).toInt()
    val height = data.intLow(22).toInt()
    val bits = data.shortLow(28)
    if (size !in INFO_HEADERS || bits !in PLAIN_BITS || data.intLow(30) != 0L) {
        throw Unreadable("is a BMP of a rare kind", "save it as PNG")
    }
    if (data.shortLow(26) != 1 || width < 0 || offset < 14 + size) throw damagedImage("bmp")
    val rows = Math.abs(height.toLong())
    val row = (width.toLong() * bits + 31) / 32 * 4
    return ImageHeader("bmp", width.toLong(), rows, complete = offset + row * rows <= data.size)
}

/** The ICC profile of a BMP that was accepted; null where there is none. */
internal fun bmpProfile(data: Data): ByteArray? {
    val size = data.intLow(14)
    val where = if (size == VERSION_5) data.text(70, 4) else ""
    if (where == "KNIL") throw Unreadable("is a BMP with its colour profile in another file", "save it as PNG")
    if (where != "DEBM") return null
    val start = 14 + data.intLow(126)
    val end = start + data.intLow(130)
    val profile = if (end > data.size) data.slice(clip(start, data), data.size) else data.slice(clip(start, data), end.toInt())
    return if (profile.isEmpty()) ByteArray(1) else profile
}

private fun clip(
    place: Long,
    data: Data,
): Int = minOf(place, data.size.toLong()).toInt()
