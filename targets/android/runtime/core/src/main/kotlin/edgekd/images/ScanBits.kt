package edgekd.images

private val RESTARTS = 0xD0..0xD7
private const val PADDING = 600 // zero bytes after the data, more than a block can take

/**
 * The data between restart markers, without the stuffed zero after each byte 0xFF (ITU-T T.81, B.1.1.5, E.1.4).
 *
 * @throws CodeException The picture needs another number of markers, or they are out of order.
 */
internal fun restartIntervals(
    data: Data,
    scan: Scan,
): List<ByteArray> {
    val parts = mutableListOf<ByteArray>()
    val numbers = mutableListOf<Int>()
    var from = scan.start
    var place = scan.start
    while (place < scan.end) {
        val after = afterFill(data, place, scan.end)
        if (after > place && after < scan.end && data.byte(after) in RESTARTS) {
            parts += unstuffed(data, from, place)
            numbers += data.byte(after) and 7
            from = after + 1
            place = from
        } else {
            place = maxOf(after, place) + 1
        }
    }
    parts += unstuffed(data, from, scan.end)
    val needed = if (scan.restarts) (scan.units + scan.interval - 1) / scan.interval - 1 else 0
    if (numbers != List(needed) { it % 8 }) throw CodeException()
    return parts
}

/** The place after a run of bytes 0xFF. */
private fun afterFill(
    data: Data,
    start: Int,
    end: Int,
): Int {
    var place = start
    while (place < end && data.byte(place) == 0xFF) place++
    return place
}

private fun unstuffed(
    data: Data,
    start: Int,
    end: Int,
): ByteArray {
    var last = end
    while (last > start && data.byte(last - 1) == 0xFF) last--
    val octets = ByteArray(last - start)
    var size = 0
    var place = start
    while (place < last) {
        octets[size++] = data.bytes[place]
        place += if (data.byte(place) == 0xFF && place + 1 < last && data.byte(place + 1) == 0) 2 else 1
    }
    return octets.copyOf(size)
}

/** The bits of one restart interval. */
internal class ScanBits(
    private val octets: ByteArray,
) {
    /** Number of bits. */
    val end: Int get() = 8 * octets.size

    /** The next 16 bits from a place; zeros after the last. */
    fun ahead(place: Int): Int {
        val octet = place shr 3
        if (octet > octets.size + PADDING - 3) throw CodeException()
        val wide = (at(octet) shl 16) or (at(octet + 1) shl 8) or at(octet + 2)
        return (wide shr (8 - (place and 7))) and 0xFFFF
    }

    private fun at(index: Int): Int = if (index < octets.size) octets[index].toInt() and 0xFF else 0

    /** Number of blocks after the current one in a run of empty blocks (EOBRUN − 1). */
    fun furtherBlocks(
        place: Int,
        run: Int,
    ): Int = (1 shl run) - 1 + (ahead(place) shr (16 - run))
}
